"""HTTP connections: a read timeout, a limit on idle ones, and errors as JSON.

uvicorn closes only connections that are idle between two requests, rejects every request while too
many connections are open, and answers in plain text what it cannot parse.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

READ_TIMEOUT = 30.0  # seconds from the start of a request (or connection) to its last byte
LINGER_TIMEOUT = 2.0  # seconds for a client to finish sending a rejected request
MAX_CONNECTIONS = 1000  # more close the connection that has been idle for longest


def max_connections() -> int:
    """Return MAX_CONNECTIONS, or fewer if this process may not open that many files."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Half of them for connections: the rest is for files, pipes, and connections being closed.
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, soft // 2)


class ConnectionProtocol(H11Protocol):
    """A connection to a client.

    Args:
        idle: The server's connections that wait for a request or the rest of one, the one that
            waits for longest first. The values have no meaning.
        **arguments: Those of uvicorn's class.
    """

    def __init__(self, idle: OrderedDict[ConnectionProtocol, None], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._idle = idle
        self._timer: asyncio.TimerHandle | None = None
        self._is_rejected = False  # what still arrives is discarded

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._update_timer()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        if not self._is_rejected:
            super().data_received(data)
            self._update_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._idle.pop(self, None)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_incomplete() and not self.transport.is_closing():
            self._idle[self] = None

    def shutdown(self) -> None:
        """Close the connection on shutdown, after the response if there is a whole request."""
        if self._is_incomplete():
            self._close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed. h11's exception is being handled."""
        error = sys.exc_info()[1]
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # a response has begun
            self.transport.close()
            return
        status = getattr(error, "error_status_hint", 400)
        message = f"invalid HTTP request: {error or msg}"
        if status == 431:
            status = 431 if b"\n" in self.conn.trailing_data[0] else 414
            message = (
                "the URL and the headers are too long: send the prompt as JSON in the body of a "
                "POST request"
            )
        self._reject(status, message)

    def _reject(self, status: int, message: str) -> None:
        """Send an error, and close the connection when the client has sent everything.

        Closing it earlier would reset it, and the client might lose the response.
        """
        body = json.dumps({"error": message}).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        reason = HTTPStatus(status).phrase
        for event in (
            h11.Response(status_code=status, headers=headers, reason=reason),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self._is_rejected = True
        self._cancel_timer()
        self._timer = self.loop.call_later(LINGER_TIMEOUT, self.transport.close)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _make_room(self) -> None:
        """Keep within the limit: close the connection that has been idle for longest."""
        if len(self.connections) <= max_connections():
            return
        longest = next(iter(self._idle))
        if longest is self:
            self._reject(503, "too many requests are being served: retry later")
        else:
            longest._close()

    def _close(self) -> None:
        self._idle.pop(self, None)
        self.connections.discard(self)  # so that it no longer counts, though it closes only later
        self.transport.close()

    def _update_timer(self) -> None:
        """Run the timer while a request is incomplete."""
        if self._is_rejected or self.transport.is_closing():
            return
        if not self._is_incomplete():
            self._cancel_timer()
            self._idle.pop(self, None)
        else:
            self._idle.setdefault(self, None)
            if self._timer is None:
                self._timer = self.loop.call_later(READ_TIMEOUT, self._on_timeout)

    def _is_incomplete(self) -> bool:
        return self._is_rejected or self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        self._timer = None
        if self._is_incomplete():
            self.transport.close()
