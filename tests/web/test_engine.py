"""The queue of the engine, with the scheduler as implementation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Request
from gpt2_helpers.web.errors import EngineFailed, ServiceUnavailable
from gpt2_helpers.web.scheduler import Scheduler
from web_server import serving


def test_a_full_queue_rejects_requests(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.02, batch_size=2, max_queue=3, max_nsamples=1) as client:
        with ThreadPoolExecutor(12) as pool:
            responses = list(
                pool.map(lambda _: client.post("/api/generate", json={"length": 30}), range(12))
            )
        statuses = [response.status_code for response in responses]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 3
        rejected = next(response for response in responses if response.status_code == 429)
        assert 1 <= int(rejected.headers["retry-after"]) <= 60
        assert "queue full (3 of 3): retry later" in rejected.json()["error"]
        assert client.post("/api/generate", json={"length": 5}).status_code == 200


def test_a_prefix_that_exceeds_every_length(tiny: Session) -> None:
    with serving(tiny, max_length=20) as client:
        parameters: dict[str, object] = {"prefix": "It was a dark night. " * 9}
        response = client.post("/api/generate", json={**parameters, "length": 5})
        assert response.status_code == 400
        assert "the maximum length of this server is 20" in response.json()["error"]
        parameters["max_new_tokens"] = 5
        assert client.post("/api/generate", json=parameters).status_code == 200


def test_a_closed_engine_rejects_requests(tiny: Session) -> None:
    scheduler = Scheduler(tiny.decoders, tiny.tokenizer, ServeConfig())
    scheduler.close()
    with pytest.raises(ServiceUnavailable, match="shutting down"):
        scheduler.submit("It was", SamplingConfig(length=9), lambda output: None)
    scheduler.stop()


def test_a_request_fails_once() -> None:
    outputs: list[object] = []
    request = Request(outputs.append, stream=True, timeout=1.0)
    error = EngineFailed("no")
    request.fail(error)
    request.fail(EngineFailed("again"))
    assert outputs == [error]
