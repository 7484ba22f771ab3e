"""The form of errors."""

from __future__ import annotations

import pytest

from gpt2_helpers.web.v1.errors import error_body, has_openai_errors


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
        (429, "requests", "rate_limit_exceeded"),
        (503, "server_error", None),
    ],
)
def test_the_status_decides_on_the_type(status: int, kind: str, code: str | None) -> None:
    error = {"message": "no", "type": kind, "param": None, "code": code}
    assert error_body("no", status) == {"error": error}


def test_only_openais_routes_have_them() -> None:
    assert has_openai_errors("/v1/models")
    assert not has_openai_errors("/api/model")
