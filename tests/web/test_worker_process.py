"""Worker processes that hang: they are noticed, killed and replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.session import Session
from gpt2_helpers.web import worker_pool, worker_process
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.server import Server
from gpt2_helpers.web.worker_pool import WorkerPool
from web_server import TIMEOUT, metric, wait_until

PARAMETERS = {"prefix": "It was", "max_new_tokens": 9, "nsamples": 2}
HUNG = 'gpt2_worker_failures_total{reason="hung"}'
SLEEP = "import time; time.sleep(1000)"  # in place of a worker's program


@pytest.fixture(scope="module")
def model() -> Session:
    session = Session()
    session.load_pretrained("tiny")
    return session


@pytest.fixture
def server(model: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with two workers, which are replaced at once."""
    monkeypatch.setattr(worker_pool, "RESTART_DELAY", 0.0)
    monkeypatch.setattr(worker_process, "PING_INTERVAL", 0.1)
    server = Server(model, ServeConfig(port=0, workers=2, batch_size=4))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        yield client


def pool_of(server: Server) -> WorkerPool:
    assert isinstance(server.engine, WorkerPool)
    return server.engine


def test_a_stopped_worker_is_replaced(
    client: httpx.Client,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(worker_process, "RESPONSE_TIMEOUT", 1.0)
    monkeypatch.setattr(worker_process, "HANG_TIMEOUT", 4.0)
    wait_until(lambda: client.get("/readyz").json() == {"status": "ready"})
    stopped, other = pool_of(server).pids
    os.kill(stopped, signal.SIGSTOP)
    response = client.post("/api/generate", json=PARAMETERS)  # a text for each worker
    assert response.status_code == 500
    assert response.json()["error"] == "the model stopped responding: retry"
    wait_until(lambda: stopped not in pool_of(server).pids)
    assert not Path(f"/proc/{stopped}").exists()
    assert pool_of(server).pids[1] == other
    wait_until(lambda: client.get("/readyz").json() == {"status": "ready"})
    assert client.post("/api/generate", json=PARAMETERS).status_code == 200
    assert metric(client, HUNG) == 1
    assert metric(client, "gpt2_workers_responding") == metric(client, "gpt2_workers") == 2
    assert "did not respond for 4 s and was killed" in capfd.readouterr().err


def test_requests_avoid_a_worker_that_does_not_respond(
    client: httpx.Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "RESPONSE_TIMEOUT", 4.0)
    monkeypatch.setattr(worker_process, "HANG_TIMEOUT", 1000.0)
    stopped = pool_of(server).pids[0]
    os.kill(stopped, signal.SIGSTOP)
    degraded = {"status": "degraded", "workers": "1 of 2"}
    wait_until(lambda: client.get("/readyz").json() == degraded)
    assert client.get("/readyz").status_code == 200
    assert metric(client, "gpt2_workers_responding") == 1
    assert client.post("/api/generate", json=PARAMETERS).status_code == 200
    os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: client.get("/readyz").json() == {"status": "ready"})
    assert metric(client, HUNG) == 0


def test_stopped_workers_do_not_exceed_the_time_limit(
    model: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "RESPONSE_TIMEOUT", 1.0)
    monkeypatch.setattr(worker_process, "HANG_TIMEOUT", 1000.0)
    monkeypatch.setattr(worker_process, "EXIT_TIMEOUT", 0.5)
    server = Server(model, ServeConfig(port=0, workers=2, request_timeout=0.5))
    server.start()
    try:
        for pid in pool_of(server).pids:
            os.kill(pid, signal.SIGSTOP)
        response = httpx.post(f"{server.url}api/generate", json=PARAMETERS, timeout=TIMEOUT)
        assert response.status_code == 504
        assert "exceeded 0.5 s" in response.json()["error"]
        assert server.engine.running == server.engine.waiting == 0
        wait_until(lambda: httpx.get(f"{server.url}readyz", timeout=TIMEOUT).status_code == 503)
        assert "0 of 2" in httpx.get(f"{server.url}readyz", timeout=TIMEOUT).json()["error"]
    finally:
        server.stop()


def test_a_worker_that_hangs_at_start_is_an_error(
    model: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "BOOTSTRAP", SLEEP)
    monkeypatch.setattr(worker_process, "START_TIMEOUT", 0.3)
    with pytest.raises(Gpt2Error, match=r"a worker process did not start within 0.3 s"):
        Server(model, ServeConfig(port=0, workers=2))


def test_shutdown_does_not_wait_for_a_worker_that_hangs_at_start(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "BOOTSTRAP", SLEEP)
    pool = pool_of(server)
    os.kill(pool.pids[0], signal.SIGKILL)
    wait_until(lambda: pool._starting)
    (starting,) = pool._starting
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < worker_process.START_TIMEOUT
    assert not starting.is_alive
