"""Worker processes, which are paused and killed here."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.config import PRETRAINED_CONFIGS, SamplingConfig
from gpt2_helpers.errors import CheckpointError, Gpt2Error, OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.session import Session
from gpt2_helpers.system import device
from gpt2_helpers.web import worker_pool, worker_process
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import EngineFailed
from gpt2_helpers.web.server import Server
from gpt2_helpers.web.worker_pool import SMALL_MODEL, WorkerPool, worker_count
from gpt2_helpers.web.worker_process import WorkerProcess
from toy import toy_model
from web_server import LONG, TIMEOUT, address_of, events_of, metric, started, wait_until

PARAMETERS = {
    "prefix": "It was a dark night",
    "max_new_tokens": 20,
    "seed": 5,
    "truncate": "\x00",  # never generated, so that texts have their full length
}


@pytest.fixture(scope="module")
def model() -> Session:
    session = Session()
    session.load_pretrained("tiny")
    return session


def new_pool(model: Session, n_workers: int, **options: Any) -> WorkerPool:
    assert isinstance(model.inference_model, InferenceModel)
    return WorkerPool(model.inference_model, model.tokenizer, ServeConfig(**options), n_workers)


@contextmanager
def running_server(model: Session) -> Iterator[Server]:
    """A server with two workers of two rows each."""
    config = ServeConfig(port=0, workers=2, batch_size=4, max_queue=6, max_length=100_000)
    server = Server(model, config)
    server.start()
    yield server
    server.stop()
    assert not [pid for pid in pool_of(server).pids if is_alive(pid)]


@pytest.fixture(scope="module")
def server(model: Session) -> Iterator[Server]:
    """For the tests that leave its workers as they are."""
    with running_server(model) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        yield client


@pytest.fixture
def fragile(model: Session) -> Iterator[Server]:
    """For the tests that kill its workers."""
    with running_server(model) as server:
        yield server


@pytest.fixture
def its_client(fragile: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fragile.url, timeout=TIMEOUT) as client:
        yield client


def pool_of(server: Server) -> WorkerPool:
    assert isinstance(server.engine, WorkerPool)
    return server.engine


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def generate(client: httpx.Client, **parameters: object) -> httpx.Response:
    return client.post("/api/generate", json={**PARAMETERS, **parameters})


# The same behavior as with one process


def test_texts_equal_those_of_the_package(client: httpx.Client, model: Session) -> None:
    before = metric(client, "gpt2_tokens_total")
    texts = generate(client, nsamples=4).json()["texts"]
    prompt = str(PARAMETERS["prefix"])
    length = len(model.tokenizer.encode(prompt)) + 20
    config = SamplingConfig(length=length, nsamples=4, batch_size=4, seed=5, truncate="\x00")
    assert [text["text"] for text in texts] == [
        result.text for result in model.generate(prompt, config)
    ]
    assert [text["tokens"] for text in texts] == [20] * 4
    wait_until(lambda: metric(client, "gpt2_tokens_total") == before + 80)


def test_concurrent_requests_get_the_same_texts_as_single_ones(client: httpx.Client) -> None:
    expected = [generate(client, seed=seed).json() for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda seed: generate(client, seed=seed).json(), range(8)))
    assert texts == expected


def test_scores_equal_those_of_the_package(client: httpx.Client, model: Session) -> None:
    texts = [f"It was a dark night, and number {number} was “quiet”." for number in range(5)]
    with ThreadPoolExecutor(5) as pool:
        posts = [pool.submit(client.post, "/api/score", json={"text": text}) for text in texts]
        found = [post.result(60).json() for post in posts]
    expected = model.scorer(ScoreConfig(precision="auto")).score(texts)
    for ours, theirs in zip(found, expected, strict=True):
        assert tuple(ours["tokens"]) == theirs.tokens
        assert ours["logprobs"] == pytest.approx(theirs.logprobs, abs=1e-4)


def test_a_stream_adds_up_to_the_texts(client: httpx.Client) -> None:
    with client.stream("POST", "/api/stream", json={**PARAMETERS, "nsamples": 2}) as response:
        events = list(events_of(response))
    assert [name for name, _ in events[-1:]] == ["done"]
    texts = ["", ""]
    for name, data in events:
        if name == "text":
            texts[data["index"]] += data["text"]
    assert texts == [text["text"] for text in generate(client, nsamples=2).json()["texts"]]
    assert sum(name == "text" for name, _ in events) > 20
    assert sum(name == "end" for name, _ in events) == 2


def test_a_disconnect_cancels_a_stream(client: httpx.Client) -> None:
    parameters = {**LONG, "max_new_tokens": 90_000, "nsamples": 2}
    with client.stream("POST", "/api/stream", json=parameters) as response:
        events = events_of(response)  # a generator without a name would be closed at once
        next(events)
        assert metric(client, "gpt2_sequences_running") == 2
    wait_until(lambda: metric(client, "gpt2_sequences_running") == 0)
    counts = [-1.0]

    def has_ended() -> bool:
        time.sleep(0.5)  # workers report their tokens at this interval or sooner
        counts.append(metric(client, "gpt2_tokens_total"))
        return counts[-1] == counts[-2]

    wait_until(has_ended)
    assert counts[-1] < 180_000


def test_a_request_over_its_time_limit_fails(model: Session) -> None:
    config = ServeConfig(port=0, workers=2, request_timeout=0.3, max_length=100_000)
    server = Server(model, config)
    server.start()
    try:
        parameters = {**LONG, "max_new_tokens": 90_000, "nsamples": 3}
        response = httpx.post(f"{server.url}api/generate", json=parameters, timeout=TIMEOUT)
        assert response.status_code == 504
        assert "exceeded 0.3 s" in response.json()["error"]
        wait_until(lambda: server.engine.running == 0)
    finally:
        server.stop()


# Workers that are paused or killed


def test_a_full_queue_rejects_requests(client: httpx.Client, server: Server) -> None:
    for pid in pool_of(server).pids:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(10) as pool:
        others = [pool.submit(generate, client) for _ in range(10)]
        wait_until(lambda: metric(client, "gpt2_sequences_waiting") == 6)
        assert metric(client, "gpt2_sequences_running") == 4
        rejected = generate(client)
        assert rejected.status_code == 429
        assert 1 <= int(rejected.headers["retry-after"]) <= 60
        for pid in pool_of(server).pids:
            os.kill(pid, signal.SIGCONT)
        assert {other.result().status_code for other in others} == {200}
    assert generate(client).status_code == 200


def test_a_killed_worker_fails_only_its_own_requests(
    its_client: httpx.Client, fragile: Server, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(worker_pool, "RESTART_DELAY", 0.0)
    before = pool_of(fragile).pids
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(generate, its_client) for _ in range(2)]
        wait_until(lambda: metric(its_client, "gpt2_sequences_running") == 2)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: any(other.done() for other in others))
        os.kill(before[1], signal.SIGCONT)
        responses = sorted((other.result() for other in others), key=lambda r: r.status_code)
    assert [response.status_code for response in responses] == [200, 500]
    assert "the model failed: retry" in responses[1].json()["error"]
    wait_until(lambda: pool_of(fragile).pids != before)
    assert generate(its_client, nsamples=4).json()["texts"][0] == responses[0].json()["texts"][0]
    assert its_client.get("/readyz").status_code == 200
    assert "a worker process died: it was killed" in capfd.readouterr().err


def test_without_workers_requests_fail(
    its_client: httpx.Client, fragile: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "RESTART_DELAY", 1000.0)
    for pid in pool_of(fragile).pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: its_client.get("/readyz").status_code == 503)
    response = generate(its_client)
    assert response.status_code == 500
    assert "retry in a few seconds" in response.json()["error"]


def test_a_failed_restart_is_repeated(
    its_client: httpx.Client, fragile: Server, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(worker_pool, "RESTART_DELAY", 0.5)
    pool, wait_until_ready = pool_of(fragile), WorkerProcess.wait_until_ready
    started_pids: list[int] = []

    def fail_once(worker: WorkerProcess) -> None:
        wait_until_ready(worker)
        started_pids.append(worker.pid)
        if len(started_pids) == 1:
            raise Gpt2Error("no memory left")

    monkeypatch.setattr(WorkerProcess, "wait_until_ready", fail_once)
    killed = pool.pids[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in pool.pids)
    assert pool.pids[0] == started_pids[1]
    assert not is_alive(started_pids[0])
    assert "cannot restart the worker process: no memory left" in capfd.readouterr().err
    assert generate(its_client, nsamples=4).status_code == 200


def test_workers_end_with_a_killed_server(tmp_path: Path) -> None:
    with started(tmp_path, "--port", "0", "--workers", "2") as process:
        with httpx.Client(base_url=address_of(process), timeout=TIMEOUT) as client:
            assert generate(client).status_code == 200
        children = children_of(process.pid)
        assert len(children) == 2
        process.kill()
        wait_until(lambda: not any(map(is_alive, children)))


def test_ctrl_c_lets_running_requests_finish(tmp_path: Path) -> None:
    """A terminal sends the signal to the whole process group."""
    options = ("--port", "0", "--workers", "2", "--shutdown-timeout", "300")
    with started(tmp_path, *options) as process:
        with httpx.Client(base_url=address_of(process), timeout=TIMEOUT) as client:
            children = children_of(process.pid)
            with client.stream("POST", "/api/stream", json=LONG) as response:
                events = events_of(response)
                next(events)
                for pid in [*children, process.pid]:
                    os.kill(pid, signal.SIGINT)
                names = [name for name, _ in events]
            assert names[-2:] == ["end", "done"]
        process.wait(TIMEOUT)
        assert "Traceback" not in process.communicate()[1]
        assert not any(map(is_alive, children))


def test_shutdown_does_not_wait_for_killed_workers(model: Session) -> None:
    server = Server(model, ServeConfig(port=0, workers=2, batch_size=2, max_queue=6))
    server.start()
    pool = pool_of(server)
    outputs: list[object] = []
    for pid in pool.pids:
        os.kill(pid, signal.SIGSTOP)
    for _ in range(2):
        pool.submit("It was", SamplingConfig(length=30), outputs.append)
    stopping = threading.Thread(target=pool.stop, args=[10 * TIMEOUT])
    stopping.start()
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    stopping.join(TIMEOUT)
    assert not stopping.is_alive()
    assert [type(output) for output in outputs] == [EngineFailed, EngineFailed]
    server.stop()


def test_a_worker_that_does_not_read_blocks_nothing(
    model: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "HANG_TIMEOUT", 1000.0)
    pool = new_pool(model, 2, max_queue=500)
    pool.start()
    for pid in pool.pids:
        os.kill(pid, signal.SIGSTOP)
    for _ in range(100):  # more than a pipe holds
        request = pool.submit("It was " * 300, SamplingConfig(length=1023), lambda output: None)
        pool.cancel(request)
    monkeypatch.setattr(worker_process, "EXIT_TIMEOUT", 0.5)
    pool.stop()
    assert not any(map(is_alive, pool.pids))


@pytest.mark.parametrize("line", ['{"chunks": [[0, "a"', '{"chunks": [[0]]}\n', "nonsense\n"])
def test_a_worker_with_unreadable_output_is_replaced(model: Session, line: str) -> None:
    """A worker that is killed while it writes leaves part of a line."""
    server = Server(model, ServeConfig(port=0, workers=2))
    pool = pool_of(server)
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        stream.write(line)
    output = pool._workers[0].output
    pool._workers[0].output = os.fdopen(read, encoding="utf-8")
    server.start()
    wait_until(lambda: not is_alive(pool.pids[0]))
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        assert generate(client, nsamples=4).status_code == 200
    server.stop()
    output.close()


def test_an_interrupt_during_startup_leaves_no_process(
    model: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkerProcess, "wait_until_ready", interrupt)
    before = set(children_of(os.getpid()))
    with pytest.raises(KeyboardInterrupt):
        Server(model, ServeConfig(port=0, workers=2))
    assert not [pid for pid in set(children_of(os.getpid())) - before if is_alive(pid)]


# Their number and configuration


def test_a_small_model_gets_a_worker_per_core(
    model: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = model.inference_model
    monkeypatch.setattr(device, "cores", lambda: 4)
    assert worker_count(small, ServeConfig()) == 4
    assert worker_count(small, ServeConfig(batch_size=9)) == 2
    assert worker_count(small, ServeConfig(workers=1)) == 1
    assert worker_count(small, ServeConfig(workers=9, batch_size=8)) == 8
    assert worker_count(small, ServeConfig(batch_size=1)) == 1
    large = InferenceModel(
        PRETRAINED_CONFIGS["124M"], {}, "float32", "int8", Path("models/124M/model.ckpt")
    )
    assert large.config.n_parameters > SMALL_MODEL
    assert worker_count(large, ServeConfig()) == 1
    assert worker_count(large, ServeConfig(workers=3)) == 3


def test_a_model_in_tensorflow_has_no_workers(model: Session) -> None:
    tensorflow_model = toy_model(replace(model.inference_model.config, n_layer=1))
    assert worker_count(tensorflow_model, ServeConfig()) == 1
    with pytest.raises(OptionError, match="workers=2 needs a model loaded for the CPU"):
        worker_count(tensorflow_model, ServeConfig(workers=2))


def test_workers_share_the_batch(model: Session) -> None:
    pool = new_pool(model, 3, batch_size=16)
    assert sorted(worker.rows for worker in pool._workers) == [5, 5, 6]
    pool.stop()


def test_workers_import_nothing_from_the_working_directory(
    model: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "imported"
    (tmp_path / "signal.py").write_text(f"open({str(trace)!r}, 'w')\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    pool = new_pool(model, 2)  # raises Gpt2Error if they do not start
    assert all(map(is_alive, pool.pids))
    pool.stop()
    assert not trace.exists()


def test_a_model_that_workers_cannot_load(model: Session, tmp_path: Path) -> None:
    assert isinstance(model.inference_model, InferenceModel)
    config, path = model.inference_model.config, tmp_path / "gone" / "model-1"
    missing = InferenceModel(config, {}, "float32", "int8", path)
    with pytest.raises(Gpt2Error, match="gone") as raised:
        WorkerPool(missing, model.tokenizer, ServeConfig(), 2)
    assert not isinstance(raised.value, CheckpointError)  # only the message crosses the pipe
