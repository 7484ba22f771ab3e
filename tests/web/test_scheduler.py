"""Continuous batching in a thread: time limits and failures."""

from __future__ import annotations

from typing import Any

import pytest

from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.session import Session
from web_server import LONG, events_of, metric, serving


def test_a_request_over_its_time_limit_fails(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05, request_timeout=0.5) as client:
        response = client.post("/api/generate", json=LONG)
        assert response.status_code == 504
        assert "exceeded 0.5 s: ask for fewer tokens" in response.json()["error"]
        with client.stream("POST", "/api/stream", json=LONG) as stream:
            *chunks, (name, data) = events_of(stream)
        assert chunks
        assert (name, data["status"]) == ("error", 504)
        assert metric(client, "gpt2_sequences_running") == 0


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
