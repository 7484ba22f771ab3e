"""HTTP connections with a read timeout, against clients that send a request byte by byte."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

READ_TIMEOUT = 30.0  # seconds from the start of a request (or connection) to its last byte


class TimeoutProtocol(H11Protocol):
    """uvicorn's protocol closes only connections that are idle between two requests."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._update_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._update_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        super().connection_lost(exc)

    def _update_timer(self) -> None:
        """Run the timer while a request is incomplete."""
        if not self._is_incomplete():
            self._cancel_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(READ_TIMEOUT, self._on_timeout)

    def _is_incomplete(self) -> bool:
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        self._timer = None
        if self._is_incomplete():
            self.transport.close()
