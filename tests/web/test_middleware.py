"""Security headers, API key, CORS, body size and access log."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import BadRequest, TooManyRequests
from gpt2_helpers.web.middleware import SecurityMiddleware
from web_server import serving


def test_a_body_over_the_limit_is_not_read(tiny: Session) -> None:
    with serving(tiny, max_prompt_chars=10) as client:
        headers = {"Content-Type": "application/json"}
        body = b" " * 100_000
        with_length = client.post("/api/generate", content=body, headers=headers)
        chunked = client.post("/api/generate", content=iter([body] * 3), headers=headers)
        for response in (with_length, chunked):
            assert response.status_code == 413
            assert "longer than" in response.json()["error"]


def test_api_key(tiny: Session) -> None:
    with serving(tiny, key="open sesame") as client:
        for path in ("/api/model", "/metrics", "/?length=2"):
            response = client.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert "API key required" in response.json()["error"]
            for value in ("Bearer open", "Basic open sesame", "open sesame", "Bearer õ"):
                response = client.get(path, headers={b"Authorization": value.encode()})
                assert response.status_code == 401
                is_wrong_key = "wrong API key" in response.json()["error"]
                assert is_wrong_key == value.startswith("Bearer")
            correct = {"Authorization": "Bearer open sesame"}
            assert client.get(path, headers=correct).status_code == 200
        for path in ("/healthz", "/readyz", "/how", "/docs", "/static/page.js"):
            assert client.get(path).status_code == 200
        assert client.get("/", headers={"Accept": "text/html"}).status_code == 200


def test_cors(tiny: Session) -> None:
    with serving(tiny, allow_origins="https://a.example") as client:
        for origin, allowed in [("https://a.example", True), ("https://b.example", False)]:
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            response = client.options("/api/generate", headers=headers)
            assert response.status_code == 204
            assert ("access-control-allow-origin" in response.headers) == allowed
            assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("path", ["/", "/how", "/docs", "/static/page.js", "/nothing", "/metrics"])
def test_every_response_has_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path, params={"length": 2}).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("no-cache" if path == "/how" else "no-store")
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_the_access_log_contains_no_content(
    tiny: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(tiny, access_log=True, key="open sesame") as client:
        headers = {"Authorization": "Bearer open sesame"}
        client.get("/", params={"prefix": "a secret garden", "length": 9}, headers=headers)
        client.post("/api/generate", json={"prefix": "a secret", "length": 9}, headers=headers)
        client.get("/no%0Asuch", headers=headers)
    log = capfd.readouterr().err
    assert "GET / 200" in log
    assert "POST /api/generate 200" in log
    assert "secret" not in log
    assert "sesame" not in log
    assert all(line.startswith(("GET ", "POST ")) for line in log.splitlines())


# The middleware alone, around an app that reads the body


def call(
    config: ServeConfig,
    headers: dict[str, str] | None = None,
    chunks: tuple[bytes, ...] = (b"",),
    app: ASGIApp | None = None,
    **scope: Any,
) -> tuple[list[Message], list[tuple[str, int, float]]]:
    """Send a request; returns the messages of the response and what was logged."""
    sent: list[Message] = []
    logged: list[tuple[str, int, float]] = []
    incoming = iter(chunks)

    async def receive() -> Message:
        return {"type": "http.request", "body": next(incoming)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in chunks:
            await receive()
        await JSONResponse("read")(scope, receive, send)

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    request = {
        "type": "http", "method": "POST", "path": "/api/generate", "query_string": b"",
        "headers": [(b"host", b"localhost"), *raw], **scope,
    }  # fmt: skip
    wrapped = SecurityMiddleware(app or read_all, config, None, lambda *entry: logged.append(entry))
    asyncio.run(wrapped(request, receive, send))
    return sent, logged


def raising(error: Exception, after_start: bool = False) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if after_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return app


def headers_of(messages: list[Message]) -> Headers:
    return Headers(raw=messages[0]["headers"])


CONFIG = ServeConfig(max_prompt_chars=10)
LIMIT = CONFIG.max_body_bytes


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (str(LIMIT), 200),
        (str(LIMIT + 1), 413),
        ("9" * 5000, 413),
        (str(LIMIT).zfill(15), 200),
        (str(LIMIT).zfill(16), 413),
        ("-1", 200),
        ("many", 200),
    ],
)
def test_the_declared_length_of_a_body_is_limited(length: str, status: int) -> None:
    sent, _ = call(CONFIG, {"Content-Length": length})
    assert sent[0]["status"] == status


def test_the_size_of_a_body_without_a_length_is_limited() -> None:
    half = b" " * (LIMIT // 2)
    rest = b" " * (LIMIT - len(half))
    assert call(CONFIG, chunks=(half, rest))[0][0]["status"] == 200
    assert call(CONFIG, chunks=(half, rest, b" "))[0][0]["status"] == 413


def test_the_size_of_a_query_is_limited() -> None:
    query = b"x" * CONFIG.max_query_bytes
    assert call(CONFIG, query_string=query)[0][0]["status"] == 200
    sent, logged = call(CONFIG, query_string=query + b"x")
    assert sent[0]["status"] == 414
    assert [entry[:2] for entry in logged] == [("/api/generate", 414)]


def test_an_error_says_when_to_retry_if_that_is_known() -> None:
    sent, _ = call(CONFIG, app=raising(TooManyRequests("queue full", 7)))
    assert sent[0]["status"] == 429
    assert headers_of(sent)["retry-after"] == "7"
    sent, _ = call(CONFIG, app=raising(BadRequest("no JSON")))
    assert "retry-after" not in headers_of(sent)


def test_an_error_after_the_start_of_a_response_is_not_answered_again() -> None:
    with pytest.raises(BadRequest, match="late"):
        call(CONFIG, app=raising(BadRequest("late"), after_start=True))


def test_a_failed_request_is_logged_with_status_500_and_its_duration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[tuple[str, int, float]] = []
    clock = iter([100.0, 102.5])
    monkeypatch.setattr("gpt2_helpers.web.middleware.time.monotonic", lambda: next(clock))
    app = SecurityMiddleware(
        raising(ZeroDivisionError()), CONFIG, None, lambda *entry: logged.append(entry)
    )
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
    request: Any = app({**scope, "headers": [(b"host", b"localhost")]}, None, None)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        request.send(None)  # without an event loop, which reads the clock too
    assert logged == [("/", 500, 2.5)]


def test_other_host_names_are_answered_only_with_a_key() -> None:
    scope = {"type": "http", "method": "GET", "path": "/healthz", "query_string": b""}
    for key, status in ((None, 403), ("open sesame", 200)):
        sent: list[Message] = []

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        app = SecurityMiddleware(JSONResponse("fine"), CONFIG, key, lambda *_: None)
        headers = [(b"host", b"a.example")]
        asyncio.run(app({**scope, "headers": headers}, None, send))  # type: ignore[arg-type]
        assert sent[0]["status"] == status


def test_only_the_address_that_has_a_page_and_an_api_varies_with_the_browser() -> None:
    for path, varies in (("/", True), ("/healthz", False)):
        assert ("user-agent" in headers_of(call(CONFIG, path=path)[0]).get("vary", "").lower()) is (
            varies
        )
