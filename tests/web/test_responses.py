"""Completions, and chunks as server-sent events."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from gpt2_helpers.session import Session
from gpt2_helpers.web import responses
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.scheduler import Scheduler
from gpt2_helpers.web.schemas import CompleteRequest
from web_server import LONG, metric, serving, wait_until


def test_completions_are_short_distinct_and_one_line(client: httpx.Client) -> None:
    response = client.post("/api/complete", json={"text": "“I am very glad to"})
    completions = response.json()["completions"]
    assert 1 <= len(completions) <= 3
    assert len(set(completions)) == len(completions)
    assert all(0 < len(text) < 120 and "\n" not in text.strip() for text in completions)


def test_temperature_zero_returns_one_completion(client: httpx.Client) -> None:
    parameters = {"text": "“I am very glad to", "temperature": 0.0}
    first, second = (client.post("/api/complete", json=parameters).json() for _ in range(2))
    assert len(first["completions"]) == 1
    assert first == second


def test_completions_go_to_the_front_of_the_queue(tiny: Session) -> None:
    with (
        serving(tiny, step_seconds=0.02, batch_size=8) as client,
        ThreadPoolExecutor(20) as pool,
    ):
        others = [
            pool.submit(
                client.post, "/api/generate", json={**LONG, "max_new_tokens": 40 + 3 * number}
            )
            for number in range(20)
        ]
        wait_until(lambda: metric(client, "gpt2_sequences_waiting") > 5)
        assert client.post("/api/complete", json={"text": "The"}).status_code == 200
        assert sum(not other.done() for other in others) > 5


def test_cancel_on_disconnect() -> None:
    cancelled = []

    async def work() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return "done"

    async def disconnected() -> Any:
        return {"type": "http.disconnect"}

    assert asyncio.run(responses.cancel_on_disconnect(work(), disconnected)) is None
    assert cancelled == [True]


def test_suggestions_continue_a_prompt_itself(tiny: Session) -> None:
    """Also with a run of prompts and completions, whose texts follow a marker."""
    found = []
    for suffix in ("", "\n<|completion|>\n"):
        config = ServeConfig(workers=1, batch_size=2)
        engine = Scheduler(tiny.decoders, tiny.tokenizer, config, prompt_suffix=suffix)
        engine.start()
        try:
            request = CompleteRequest("Once upon a", temperature=0.0)
            found.append(asyncio.run(responses.complete(engine, request)))
        finally:
            engine.stop()
    assert found[0] == found[1] != []
