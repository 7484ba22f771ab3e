"""Connections that do not wait for ever: who sends a request drop by drop is hung up on."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SENDING = 30.0  # seconds that a client may take for a request, from its first byte to its last


class Connection(H11Protocol):
    """uvicorn's, which itself only ends those that are idle between two requests."""

    _hanging_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Wait for a request that has begun, and no longer for one that has come."""
        if not self._is_incomplete():
            self._forget()
        elif self._hanging_up is None:
            self._hanging_up = self.loop.call_later(SENDING, self._hang_up)

    def _is_incomplete(self) -> bool:
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _forget(self) -> None:
        if self._hanging_up is not None:
            self._hanging_up.cancel()
            self._hanging_up = None

    def _hang_up(self) -> None:
        self._hanging_up = None
        if self._is_incomplete():
            self.transport.close()
