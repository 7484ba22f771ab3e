"""ASGI middleware: security headers, host names, API key, CORS, body size and access log.

Plain ASGI instead of starlette's BaseHTTPMiddleware, so that streams pass through unbuffered.
"""

from __future__ import annotations

import hmac
import sys
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import PayloadTooLarge, RequestError, Unauthorized, UriTooLong
from gpt2_helpers.web.origins import OriginPolicy
from gpt2_helpers.web.page import is_page_request
from gpt2_helpers.web.v1.errors import error_body, has_openai_errors

# These paths need no API key; nor does the page itself (GET / from a browser).
PUBLIC_PATHS = ("/healthz", "/readyz", "/static", "/how", "/docs", "/openapi.json")

# Everything comes from this server, and inline scripts never run.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors {frame_ancestors}"
)


def error_response(error: RequestError, path: str) -> JSONResponse:
    """Return an error as JSON, with its status and headers, in the form that a path's API has."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    body: dict[str, Any] = {"error": str(error)}
    if has_openai_errors(path):
        body = error_body(str(error), error.status, error.param, error.code)
    return JSONResponse(body, error.status, headers)


class SecurityMiddleware:
    """Wraps the app: checks host name, key and body size, and sets security headers.

    Args:
        app: The app to wrap.
        config: Limits of the server.
        key: API key that requests must send; None for none.
        on_response: Called with the path, status and seconds of each request.
        frame_ancestors: Origins that may show the page in a frame, as in a security policy.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: ServeConfig,
        key: str | None,
        on_response: Callable[[str, int, float], None],
        frame_ancestors: str = "'self'",
    ) -> None:
        self._app, self._config, self._key, self._on_response = app, config, key, on_response
        self._origin_policy = OriginPolicy(config, has_key=key is not None)
        self._max_body = config.max_body_bytes
        self._policy = CONTENT_SECURITY_POLICY.format(frame_ancestors=frame_ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, response_started = time.monotonic(), 500, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, response_started
            if message["type"] == "http.response.start":
                status, response_started = message["status"], True
                self._add_headers(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            try:
                self._check(scope)
                await self._app(scope, self._limited(receive), send_with_headers)
            except RequestError as error:
                if response_started:
                    raise
                await error_response(error, scope["path"])(scope, receive, send_with_headers)
        finally:
            seconds = time.monotonic() - start
            self._on_response(scope["path"], status, seconds)
            if self._config.access_log:
                line = f"{scope['method']} {scope['path']} {status} {seconds:.3f} s"
                # Escaped, so that a path cannot add lines to the log.
                print(line.encode("unicode_escape").decode(), file=sys.stderr, flush=True)

    def _check(self, scope: Scope) -> None:
        """Raise a RequestError if a request may not pass."""
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        self._origin_policy.check_host(headers)
        length = headers.get("content-length", "0")
        if length.isdecimal() and (len(length) > 15 or int(length) > self._max_body):
            raise self._too_large()
        if len(scope["query_string"]) > self._config.max_query_bytes:
            raise UriTooLong(
                f"the query is longer than {self._config.max_query_bytes} bytes: send the "
                "parameters as JSON in the body of a POST request"
            )
        if method == "OPTIONS" or path.startswith(PUBLIC_PATHS) or is_page_request(Request(scope)):
            return
        if self._key is not None:
            self._check_key(headers.get("authorization", ""), self._key)

    def _check_key(self, authorization: str, key: str) -> None:
        scheme, _, token = authorization.partition(" ")
        # Compared in constant time, whatever else is wrong.
        matches = hmac.compare_digest(token.strip().encode(), key.encode("utf-8"))
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("API key required: send it as Authorization: Bearer KEY")
        if not matches:
            raise Unauthorized("wrong API key: ask the operator of this server for it")

    def _limited(self, receive: Receive) -> Receive:
        """Wrap `receive` to stop at the size limit: a chunked body has no Content-Length."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max_body:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"the body is longer than {self._max_body} bytes: send a shorter prompt"
        )

    def _add_headers(self, scope: Scope, headers: MutableHeaders) -> None:
        headers["Content-Security-Policy"] = self._policy
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers.setdefault("Cache-Control", "no-store")
        headers.update(self._origin_policy.cors_headers(scope["path"], Headers(scope=scope)))
        if scope["path"] == "/":
            headers.add_vary_header("Accept, User-Agent")
        if self._config.origins:
            headers.add_vary_header("Origin")
