"""Errors as OpenAI's API returns them: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

from typing import Any

PREFIX = "/v1/"
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def has_openai_errors(path: str) -> bool:
    """Whether errors of a path have OpenAI's form."""
    return path.startswith(PREFIX)


def error_body(
    message: str, status: int, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """Return the JSON of an error.

    Args:
        message: What is wrong.
        status: The HTTP status, which decides on the type.
        param: The parameter that is wrong, if it is one.
        code: The error's code. Defaults to that of the status, or none.

    >>> error_body("no such model", 404, "model", "model_not_found")["error"]["type"]
    'invalid_request_error'
    """
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 429:
        kind = "requests"  # the limit is one of requests, not of tokens
    code = code or _CODES.get(status)
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
