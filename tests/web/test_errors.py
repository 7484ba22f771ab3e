"""Errors of requests and their HTTP statuses."""

from __future__ import annotations

from gpt2_helpers.web import errors
from gpt2_helpers.web.errors import RequestError, ServiceUnavailable, TooManyRequests
from gpt2_helpers.web.middleware import error_response


def test_each_error_has_a_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    found = {
        kind.__name__: kind.status
        for kind in kinds
        if issubclass(kind, RequestError) and kind is not RequestError
    }
    assert found == {
        "BadRequest": 400,
        "Unauthorized": 401,
        "ForbiddenHost": 403,
        "UnknownModel": 404,
        "PayloadTooLarge": 413,
        "UriTooLong": 414,
        "UnsupportedMediaType": 415,
        "TooManyRequests": 429,
        "EngineFailed": 500,
        "ServiceUnavailable": 503,
        "RequestTimeout": 504,
    }


def test_errors_say_when_to_retry() -> None:
    response = error_response(TooManyRequests("queue full", 7), "/")
    assert response.headers["retry-after"] == "7"
    assert error_response(ServiceUnavailable("shutting down"), "/").headers["retry-after"] == "5"
    assert "retry-after" not in error_response(RequestError("no"), "/").headers
