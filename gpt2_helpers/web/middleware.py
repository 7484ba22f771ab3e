"""What stands before every route: headers, keys, limits of size and rate, and a line in the log.

Plain ASGI, so that a stream passes through piece by piece.
"""

from __future__ import annotations

import hmac
import sys
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import PayloadTooLarge, RequestError, TooManyRequests, Unauthorized

OVERHEAD = 4096  # bytes of a body beside its prefix
BYTES_A_CHARACTER = 12  # at most, as JSON may write one
REMEMBERED = 10_000  # clients, the last seen
OPEN_TO_ALL = ("/healthz", "/readyz", "/page", "/how", "/docs", "/openapi.json")  # and the page
WRITING = ("/", "/api/generate", "/api/stream", "/api/complete")

# Everything comes from this server, and nothing that stands in a page is run.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors {frames}"
)


def refused(refusal: RequestError) -> JSONResponse:
    """A refusal as an answer."""
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": str(refusal)}, refusal.status, headers)


class SecurityMiddleware:
    """Wraps an app. `answered` hears each request's path, status and seconds."""

    def __init__(
        self,
        app: ASGIApp,
        config: ServeConfig,
        key: str | None,
        answered: Callable[[str, int, float], None],
        frames: str = "'self'",
    ) -> None:
        self._app, self._config, self._key, self._answered = app, config, key, answered
        self._rates = Rates(config.rate_limit)
        self._longest = OVERHEAD + BYTES_A_CHARACTER * config.max_prompt_chars
        self._policy = POLICY.format(frames=frames)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, started = time.monotonic(), 500, False

        async def with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                self._add_headers(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            try:
                self._check(scope)
                await self._app(scope, self._counted(receive), with_headers)
            except RequestError as refusal:
                if started:
                    raise
                await refused(refusal)(scope, receive, with_headers)
        finally:
            seconds = time.monotonic() - began
            self._answered(scope["path"], status, seconds)
            if self._config.access_log:
                line = f"{scope['method']} {scope['path']} {status} {seconds:.3f} s"
                print(line.encode("unicode_escape").decode(), file=sys.stderr, flush=True)

    def _check(self, scope: Scope) -> None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._longest:
            raise self._too_large()
        if method == "OPTIONS" or path.startswith(OPEN_TO_ALL) or is_for_page(scope):
            return
        if self._key is not None:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode(), self._key.encode("utf-8"))
            if scheme.lower() != "bearer" or not given.strip():
                raise Unauthorized(
                    "this server asks for its key: send it as Authorization: Bearer KEY"
                )
            if not right:
                raise Unauthorized(
                    "that is not this server's key: ask whoever runs it for the right one"
                )
        if path in WRITING and method != "HEAD":
            self._rates.count(self.client(scope))

    def client(self, scope: Scope) -> str:
        """Who asks: the address that the outermost of our own proxies has seen."""
        if self._config.trusted_proxies:
            # The client may have written the first entries itself; each proxy adds one behind.
            seen = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
            return seen[max(0, len(seen) - self._config.trusted_proxies)].strip()
        return (scope.get("client") or ("",))[0]

    def _counted(self, receive: Receive) -> Receive:
        """The same body, as long as it is not too long: its length may have been left unsaid."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._longest:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"the body is longer than {self._longest} bytes: send a shorter prefix"
        )

    def _add_headers(self, scope: Scope, headers: MutableHeaders) -> None:
        headers["Content-Security-Policy"] = self._policy
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers.setdefault("Cache-Control", "no-store")
        path, origin = scope["path"], Headers(scope=scope).get("origin")
        if path == "/":
            headers["Access-Control-Allow-Origin"] = "*"  # as gpt-2-cloud-run has it
            headers.add_vary_header("Accept")
        elif origin and path.startswith("/api/"):
            allowed = self._config.origins
            headers.add_vary_header("Origin")
            if "*" in allowed or origin in allowed:
                headers["Access-Control-Allow-Origin"] = origin


def is_for_page(scope: Scope) -> bool:
    """Whether a browser asks for the page, and not a program for a text."""
    request = Request(scope)
    return (
        scope["path"] == "/"
        and scope["method"] in ("GET", "HEAD")
        and "text/html" in request.headers.get("accept", "")
    )


class Rates:
    """Requests a minute of each client: a bucket that holds a minute's worth and refills evenly.

    >>> rates = Rates(1)
    >>> rates.count("192.0.2.1")
    >>> rates.count("192.0.2.1")
    Traceback (most recent call last):
        ...
    gpt2_helpers.web.errors.TooMany: 1 requests a minute are allowed: ask again in 60 s
    """

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, as of when

    def count(self, client: str) -> None:
        """One request more; TooMany where that is one too many."""
        if not self._a_minute:
            return
        now = time.monotonic()
        left, since = self._left.pop(client, (float(self._a_minute), now))
        left = min(self._a_minute, left + (now - since) * self._a_minute / 60)
        self._left[client] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            wait = max(1, round((1 - left) * 60 / self._a_minute))
            raise TooManyRequests(
                f"{self._a_minute} requests a minute are allowed: ask again in {wait} s", wait
            )
