"""Errors of a request, each with its HTTP status. The message is sent to the client."""

from __future__ import annotations

from gpt2_helpers.errors import Gpt2Error


class RequestError(Gpt2Error):
    """A request that cannot be served.

    Attributes:
        status: The HTTP status.
        retry_after: Seconds after which to try again.
        param: The parameter that is wrong, if it is one.
        code: What OpenAI's API calls the error, if it has a name for it besides the status.
    """

    status = 400
    retry_after: int | None = None
    param: str | None = None
    code: str | None = None


class BadRequest(RequestError):
    """Malformed JSON, an unknown parameter or an invalid value."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Unauthorized(RequestError):
    """The API key is missing or wrong."""

    status = 401


class ForbiddenHost(RequestError):
    """The Host header is not a name of this server."""

    status = 403


class UnknownModel(RequestError):
    """The request names a model that this server does not have."""

    status = 404
    param = "model"
    code = "model_not_found"


class PayloadTooLarge(RequestError):
    """The body exceeds the size limit."""

    status = 413


class UriTooLong(RequestError):
    """The query exceeds the size limit."""

    status = 414


class UnsupportedMediaType(RequestError):
    """The body is not declared as JSON."""

    status = 415


class TooManyRequests(RequestError):
    """The queue is full, or the client exceeds its rate limit."""

    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineFailed(RequestError):
    """The model raised an exception, or its worker process died or hung."""

    status = 500


class ServiceUnavailable(RequestError):
    """The server is shutting down."""

    status = 503
    retry_after = 5


class RequestTimeout(RequestError):
    """The request took longer than `request_timeout`."""

    status = 504
