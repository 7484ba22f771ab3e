"""Server-sent events of a stream of chunks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gpt2_helpers.session import Session
from gpt2_helpers.web import event_streams, responses
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.scheduler import Scheduler
from gpt2_helpers.web.schemas import RequestParser


def test_a_stream_without_chunks_sends_comments(
    tiny: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies close connections on which nothing is sent."""
    monkeypatch.setattr(event_streams, "KEEPALIVE", 0.05)
    scheduler = Scheduler(tiny.decoders, tiny.tokenizer, ServeConfig())
    request = RequestParser(ServeConfig()).parse_generate(b'{"max_new_tokens": 2, "seed": 1}')

    async def read() -> list[Any]:
        with responses.ChunkStream(scheduler, [request]) as chunks:
            named = event_streams.NamedEvents()
            events = event_streams.server_sent_events(chunks, named, lambda: None)
            first = await anext(events)  # the scheduler has not been started
            scheduler.start()
            return [first, *[event async for event in events]]

    events = asyncio.run(read())
    scheduler.stop()
    assert events[0] == b": keep-alive\n\n"
    assert events[-1] == b"event: done\ndata: {}\n\n"
