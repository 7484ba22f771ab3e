"""Security headers, API key, CORS, body size and access log."""

from __future__ import annotations

import httpx
import pytest

from gpt2_helpers.session import Session
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
