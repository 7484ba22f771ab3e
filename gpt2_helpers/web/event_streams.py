"""Streams of chunks as server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gpt2_helpers.generation.result import GenerationChunk
from gpt2_helpers.web.errors import RequestError
from gpt2_helpers.web.responses import ChunkStream, cancel, result_values

FLUSH_INTERVAL = 0.03  # seconds between two sends of a stream: faster is not visible, and costs CPU
KEEPALIVE = 10.0  # seconds without a chunk after which a stream sends a comment


class EventFormat(ABC):
    """How the parts of an answer are written as server-sent events."""

    def start(self) -> bytes:
        """What comes before the first chunk. Defaults to nothing."""
        return b""

    @abstractmethod
    def chunk(self, chunk: GenerationChunk) -> bytes:
        """A chunk."""

    @abstractmethod
    def done(self) -> bytes:
        """The end of a complete stream."""

    @abstractmethod
    def error(self, error: RequestError) -> bytes:
        """An error, which ends the stream."""


class NamedEvents(EventFormat):
    """The events of /api/stream: `text` for each chunk, `end` after the last chunk of a text,
    `error` if the request fails, and `done` at the end."""

    def chunk(self, chunk: GenerationChunk) -> bytes:
        events = b""
        if chunk.text:
            events += _event("text", {"index": chunk.index, "text": chunk.text})
        if (result := chunk.result) is not None:
            events += _event("end", {"index": chunk.index, **result_values(result)})
        return events

    def done(self) -> bytes:
        return _event("done", {})

    def error(self, error: RequestError) -> bytes:
        return _event("error", {"error": str(error), "status": error.status})


async def server_sent_events(
    chunks: ChunkStream, events: EventFormat, on_first_text: Callable[[], None]
) -> AsyncGenerator[bytes, None]:
    """Yield chunks as server-sent events. Those that arrive together are sent together.

    Args:
        chunks: The chunks.
        events: How they are written.
        on_first_text: Called before the first chunk is sent.
    """
    pending: asyncio.Future[GenerationChunk] | None = None
    is_first = True
    try:
        if start := events.start():
            yield start
        while True:
            pending = pending or asyncio.ensure_future(anext(chunks))
            await asyncio.wait({pending}, timeout=KEEPALIVE)
            if not pending.done():
                yield b": keep-alive\n\n"
                continue
            try:
                chunk = pending.result()
            except StopAsyncIteration:
                yield events.done()
                return
            except RequestError as error:
                yield events.error(error)
                return
            pending = None
            if content := b"".join(map(events.chunk, [chunk, *chunks.available()])):
                if is_first:
                    on_first_text()
                    is_first = False
                yield content
                await asyncio.sleep(FLUSH_INTERVAL)
    finally:
        if pending is not None:
            await cancel(pending)


class EventStream(StreamingResponse):
    """A response of server-sent events, which cancels its request however it ends.

    Args:
        chunks: The chunks.
        events: How they are written.
        on_first_text: Called before the first chunk is sent.
    """

    def __init__(
        self, chunks: ChunkStream, events: EventFormat, on_first_text: Callable[[], None]
    ) -> None:
        headers = {"X-Accel-Buffering": "no"}  # nginx would buffer the stream
        content = server_sent_events(chunks, events, on_first_text)
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._chunks:
            await super().__call__(scope, receive, send)


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
