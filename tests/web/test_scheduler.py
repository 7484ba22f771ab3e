"""Continuous batching in a thread: time limits and failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gpt2_helpers.evaluation.scoring import Scorer
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.session import Session
from gpt2_helpers.web import scheduler
from web_server import LONG, TIMEOUT, events_of, metric, serving, wait_until


def test_a_request_over_its_time_limit_fails(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05, request_timeout=4.0) as client:
        response = client.post("/api/generate", json=LONG)
        assert response.status_code == 504
        assert "exceeded 4 s: ask for fewer tokens" in response.json()["error"]
        with client.stream("POST", "/api/stream", json=LONG) as stream:
            *chunks, (name, data) = events_of(stream)
        assert chunks
        assert (name, data["status"]) == ("error", 504)
        wait_until(lambda: metric(client, "gpt2_sequences_running") == 0)


def test_a_failure_of_the_model_fails_only_current_requests(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the memory\nis gone")

    with serving(tiny) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Decoder, "step", fail)
            response = client.post("/api/generate", json={"length": 5})
        assert response.status_code == 500
        assert response.json() == {
            "error": "the model failed: retry; details are in the server's log"
        }
        assert "RuntimeError: the memory" in capfd.readouterr().err
        assert client.post("/api/generate", json={"length": 5}).status_code == 200


def test_texts_are_scored_while_others_are_generated(tiny: Session) -> None:
    text = {"text": "It was a dark night, and the garden was quiet. " * 25}  # two windows
    stream_body = {**LONG, "max_new_tokens": 40}
    with serving(tiny, step_seconds=0.02) as client, ThreadPoolExecutor(6) as pool:
        alone = client.post("/api/score", json=text).json()
        with client.stream("POST", "/api/stream", json=stream_body) as stream:
            events = events_of(stream)
            next(events)
            scores = [pool.submit(client.post, "/api/score", json=text) for _ in range(2)]
            assert [score.result(120).json() for score in scores] == [alone] * 2
            assert list(events)[-1][0] == "done"


def test_a_score_over_its_time_limit_fails(tiny: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(*_: Any) -> Iterator[int]:
        while True:
            time.sleep(0.02)
            yield 1

    with serving(tiny, request_timeout=0.5) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Scorer, "parts", parts)
            response = client.post("/api/score", json={"text": "It was"})
        assert response.status_code == 504
        wait_until(lambda: metric(client, "gpt2_sequences_waiting") == 0)
        assert client.post("/api/score", json={"text": "It was"}).status_code == 200


def test_a_failed_score_fails_only_current_requests(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def parts(*_: Any) -> Iterator[int]:
        raise RuntimeError("the memory is gone")
        yield 0

    with serving(tiny) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Scorer, "parts", parts)
            assert client.post("/api/score", json={"text": "It was"}).status_code == 500
        assert "RuntimeError: the memory" in capfd.readouterr().err
        assert client.post("/api/score", json={"text": "It was"}).status_code == 200


def test_requests_of_a_scheduler_that_hangs_fail_in_time(
    tiny: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "STEP_TIMEOUT", 0.3)
    released, step = threading.Event(), Decoder.step

    def hang(self: Decoder, *arguments: Any) -> Any:
        released.wait(TIMEOUT)
        return step(self, *arguments)

    with serving(tiny, request_timeout=1.0) as client:
        assert client.get("/readyz").status_code == 200
        with monkeypatch.context() as patch:
            patch.setattr(Decoder, "step", hang)
            response = client.post("/api/generate", json={"length": 5})
            assert response.status_code == 504
            assert "exceeded 1 s" in response.json()["error"]
            with client.stream("POST", "/api/stream", json={"length": 5}) as stream:
                assert [(name, data["status"]) for name, data in events_of(stream)] == [
                    ("error", 504)
                ]
            assert client.get("/readyz").status_code == 503
            assert metric(client, "gpt2_workers_responding") == 0
            released.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        wait_until(lambda: client.post("/api/generate", json={"length": 5}).status_code == 200)
