"""Why a request gets no text: each with its HTTP status, and when to come back."""

from __future__ import annotations

from gpt2_helpers.errors import Gpt2Error


class RequestError(Gpt2Error):
    """A request that is not answered. `retry_after` is in seconds."""

    status = 400
    retry_after: int | None = None


class WrongRequest(RequestError):
    """What is asked for cannot be."""


class Unauthorized(RequestError):
    """The key is missing or another one."""

    status = 401


class PayloadTooLarge(RequestError):
    """A body over the limit."""

    status = 413


class WrongType(RequestError):
    """A body that says it is no JSON."""

    status = 415


class TooManyRequests(RequestError):
    """More than may wait, or more than one client may ask."""

    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineFailed(RequestError):
    """The model failed."""

    status = 500


class ShuttingDown(RequestError):
    """The server is about to end."""

    status = 503
    retry_after = 5


class RequestTimeout(RequestError):
    """The time limit is over."""

    status = 504
