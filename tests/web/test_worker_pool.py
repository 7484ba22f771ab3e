"""Texts of a server that are written in several processes, which are stopped and killed here."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gpt2_helpers.checkpoint.stored_model import InferenceModel
from gpt2_helpers.config import SIZES, SamplingConfig
from gpt2_helpers.errors import CheckpointError, Gpt2Error, OptionError
from gpt2_helpers.session import Session
from gpt2_helpers.system import device
from gpt2_helpers.web import worker_pool
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import EngineFailed
from gpt2_helpers.web.scheduler import Scheduler
from gpt2_helpers.web.server import Server
from gpt2_helpers.web.worker_pool import SMALL, WorkerPool, processes_for
from toy import toy_model
from web_server import LONG, address_of, events_of, metric, started, wait_until

ASKED = {"prefix": "It was a dark night", "max_new_tokens": 20, "seed": 5, "truncate": "\x00"}


@pytest.fixture(scope="module")
def model() -> Session:
    session = Session()
    session.load_pretrained("tiny")
    return session


def writers(model: Session, processes: int, **options: Any) -> WorkerPool:
    assert isinstance(model.inference_model, InferenceModel)
    return WorkerPool(model.inference_model, model.tokenizer, ServeConfig(**options), processes)


@pytest.fixture
def server(model: Session) -> Iterator[Server]:
    """With two rows in each of two processes."""
    server = Server(model, ServeConfig(port=0, workers=2, batch_size=4, max_queue=6))
    server.start()
    yield server
    server.stop()
    assert not [pid for pid in writers_of(server).pids if is_alive(pid)]


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def writers_of(server: Server) -> WorkerPool:
    assert isinstance(server.writer, WorkerPool)
    return server.writer


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ask(client: httpx.Client, **options: object) -> httpx.Response:
    return client.post("/api/generate", json={**ASKED, **options})


# --- The same as from one process


def test_texts_are_those_of_the_package(client: httpx.Client, model: Session) -> None:
    answer = ask(client, nsamples=4).json()["texts"]
    prompt = ASKED["prefix"]
    length = len(model.tokenizer.encode(str(prompt))) + 20
    config = SamplingConfig(length=length, nsamples=4, batch_size=4, seed=5, truncate="\x00")
    assert [one["text"] for one in answer] == list(model.generate(str(prompt), config))
    assert [one["tokens"] for one in answer] == [20] * 4
    wait_until(lambda: metric(client, "gpt2_tokens_total") == 80, 5)


def test_many_at_once_get_what_each_gets_alone(client: httpx.Client) -> None:
    alone = [ask(client, seed=seed).json() for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda seed: ask(client, seed=seed).json(), range(8))) == alone


def test_a_stream_comes_piece_by_piece(client: httpx.Client) -> None:
    with client.stream("POST", "/api/stream", json={**ASKED, "nsamples": 2}) as response:
        events = list(events_of(response))
    assert [name for name, _ in events[-1:]] == ["done"]
    whole = ["".join(data["text"] for name, data in events if name == "text" and data["index"] == n)
             for n in range(2)]  # fmt: skip
    assert whole == [one["text"] for one in ask(client, nsamples=2).json()["texts"]]
    assert sum(name == "text" for name, _ in events) > 20
    assert sum(name == "end" for name, _ in events) == 2


def test_who_leaves_takes_the_text_along(client: httpx.Client) -> None:
    asked = {**LONG, "max_new_tokens": 1000, "temperature": 0.0, "nsamples": 2}  # so it never ends
    with client.stream("POST", "/api/stream", json=asked) as response:
        events = events_of(response)  # without this name it would end, and leave, here
        next(events)
        assert metric(client, "gpt2_texts_writing") == 2
    wait_until(lambda: metric(client, "gpt2_texts_writing") == 0, 5)
    time.sleep(0.5)  # what was counted until then is told
    written = metric(client, "gpt2_tokens_total")
    time.sleep(0.5)
    assert metric(client, "gpt2_tokens_total") == written < 2000


def test_a_request_over_its_time(model: Session) -> None:
    server = Server(model, ServeConfig(port=0, workers=2, request_timeout=0.3, max_length=100_000))
    server.start()
    try:
        asked = {**LONG, "max_new_tokens": 90_000, "truncate": "\x00", "nsamples": 3}
        response = httpx.post(f"{server.url}api/generate", json=asked, timeout=60)
        assert response.status_code == 504
        assert "took longer than 0.3 s" in response.json()["error"]
        wait_until(lambda: server.writer.writing == 0, 5)
    finally:
        server.stop()


# --- Processes that are held up, or lost


def test_beyond_the_queue_one_is_told_when_to_come_back(
    client: httpx.Client, server: Server
) -> None:
    for pid in writers_of(server).pids:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(ask, client) for _ in range(10)]
        wait_until(lambda: metric(client, "gpt2_texts_waiting") == 6)
        assert metric(client, "gpt2_texts_writing") == 4
        refused = ask(client)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        for pid in writers_of(server).pids:
            os.kill(pid, signal.SIGCONT)
        assert {one.result().status_code for one in waiting} == {200}
    assert ask(client).status_code == 200


def test_a_process_that_was_killed_takes_its_texts_alone(
    client: httpx.Client, server: Server, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("gpt2_helpers.web.worker_pool.SHORT_LIFE", 0.0)
    before = writers_of(server).pids
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(ask, client) for _ in range(2)]
        wait_until(lambda: metric(client, "gpt2_texts_writing") == 2)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: any(one.done() for one in waiting))
        os.kill(before[1], signal.SIGCONT)
        answers = sorted((one.result() for one in waiting), key=lambda one: one.status_code)
    assert [one.status_code for one in answers] == [200, 500]
    assert "the model failed: ask again" in answers[1].json()["error"]
    wait_until(lambda: writers_of(server).pids != before)
    assert ask(client, nsamples=4).json()["texts"][0] == answers[0].json()["texts"][0]
    assert client.get("/readyz").status_code == 200
    assert "a process that writes has ended" in capfd.readouterr().err


def test_without_any_process_one_is_told(
    client: httpx.Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt2_helpers.web.worker_pool.SHORT_LIFE", 1000.0)  # none follows
    for pid in writers_of(server).pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: client.get("/readyz").status_code == 503)
    response = ask(client)
    assert response.status_code == 500
    assert "ask again" in response.json()["error"]


def test_a_process_that_cannot_begin_is_tried_again(
    client: httpx.Client, server: Server, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("gpt2_helpers.web.worker_pool.SHORT_LIFE", 0.5)
    written, ready = writers_of(server), worker_pool._Process.wait_until_ready
    tries: list[int] = []

    def fails_once(process: worker_pool._Process) -> None:
        ready(process)
        tries.append(process.pid)
        if len(tries) == 1:
            raise Gpt2Error("there is no room")

    monkeypatch.setattr(worker_pool._Process, "wait_until_ready", fails_once)
    lost = written.pids[0]
    os.kill(lost, signal.SIGKILL)
    wait_until(lambda: lost not in written.pids)
    assert written.pids[0] == tries[1]
    assert not is_alive(tries[0])
    assert "no other can take its place yet: there is no room" in capfd.readouterr().err
    assert ask(client, nsamples=4).status_code == 200


def test_they_end_with_a_server_that_was_killed(tmp_path: Path) -> None:
    with started(tmp_path, "--port", "0", "--workers", "2") as process:
        with httpx.Client(base_url=address_of(process), timeout=60) as client:
            assert ask(client).status_code == 200
        children = children_of(process.pid)
        assert len(children) == 2
        process.kill()
        wait_until(lambda: not any(map(is_alive, children)))


def test_ctrl_c_lets_texts_come_to_their_end(tmp_path: Path) -> None:
    """As a terminal sends it: to all processes at once."""
    with started(tmp_path, "--port", "0", "--workers", "2") as process:
        with httpx.Client(base_url=address_of(process), timeout=60) as client:
            children = children_of(process.pid)
            with client.stream("POST", "/api/stream", json=LONG) as response:
                events = events_of(response)
                next(events)
                for pid in [*children, process.pid]:
                    os.kill(pid, signal.SIGINT)
                names = [name for name, _ in events]
            assert names[-2:] == ["end", "done"]
        process.wait(20)
        assert "Traceback" not in process.communicate()[1]
        assert not any(map(is_alive, children))


def test_a_process_that_was_lost_while_the_server_ends_is_not_waited_for(model: Session) -> None:
    server = Server(model, ServeConfig(port=0, workers=2, batch_size=2, max_queue=6))
    server.start()
    both = writers_of(server)
    heard: list[object] = []
    for pid in both.pids:
        os.kill(pid, signal.SIGSTOP)
    for _ in range(2):
        both.submit("It was", SamplingConfig(length=30), heard.append)
    ending = threading.Thread(target=both.stop, args=[60.0])
    ending.start()
    for pid in both.pids:
        os.kill(pid, signal.SIGKILL)
    ending.join(20)
    assert not ending.is_alive()
    assert [type(word) for word in heard] == [EngineFailed, EngineFailed]
    server.stop()


def test_a_process_that_does_not_listen_holds_up_no_one(model: Session) -> None:
    many = writers(model, 2, max_queue=500)
    many.start()
    for pid in many.pids:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(100):  # more than a pipe takes
        job = many.submit("It was " * 300, SamplingConfig(length=1023), lambda word: None)
        many.cancel(job)
    assert time.monotonic() - began < 20
    many.stop()
    assert time.monotonic() - began < 40
    assert not any(map(is_alive, many.pids))


@pytest.mark.parametrize("line", ['{"pieces": [[0, "a"', '{"pieces": [[0]]}\n', "nonsense\n"])
def test_a_line_that_cannot_be_read_ends_its_process(model: Session, line: str) -> None:
    """As of a process that was killed while it wrote."""
    server = Server(model, ServeConfig(port=0, workers=2))
    both = writers_of(server)
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        stream.write(line)
    kept = both._processes[0].output
    both._processes[0].output = os.fdopen(read, encoding="utf-8")
    server.start()
    wait_until(lambda: not is_alive(both.pids[0]))
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert ask(client, nsamples=4).status_code == 200
    server.stop()
    kept.close()


def test_an_interrupt_at_the_beginning_leaves_nothing(
    model: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gpt2_helpers.web.worker_pool._Process.wait_until_ready", interrupted)
    before = set(children_of(os.getpid()))
    with pytest.raises(KeyboardInterrupt):
        Server(model, ServeConfig(port=0, workers=2))
    assert not [pid for pid in set(children_of(os.getpid())) - before if is_alive(pid)]


# --- How many, and of what


def test_a_small_model_has_one_for_each_core(
    model: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = model.inference_model
    monkeypatch.setattr(device, "cores", lambda: 4)
    assert processes_for(small, ServeConfig()) == 4
    assert processes_for(small, ServeConfig(batch_size=9)) == 2
    assert processes_for(small, ServeConfig(workers=1)) == 1
    assert processes_for(small, ServeConfig(workers=9, batch_size=8)) == 8
    assert processes_for(small, ServeConfig(batch_size=1)) == 1
    large = InferenceModel(SIZES["124M"], {}, "float32", "int8", Path("models/124M/model.ckpt"))
    assert large.config.n_parameters > SMALL
    assert processes_for(large, ServeConfig()) == 1
    assert processes_for(large, ServeConfig(workers=3)) == 3
    to_tensorflow = toy_model(replace(small.config, n_layer=1))
    assert processes_for(to_tensorflow, ServeConfig()) == 1
    with pytest.raises(OptionError, match="workers=2, each of which would write on a processor"):
        processes_for(to_tensorflow, ServeConfig(workers=2))


def test_one_process_is_a_thread_of_the_server(model: Session) -> None:
    server = Server(model, ServeConfig(port=0, workers=1))
    assert isinstance(server.writer, Scheduler)
    server.stop()


def test_rows_are_shared_out(model: Session) -> None:
    three = writers(model, 3, batch_size=16)
    assert sorted(process.rows for process in three._processes) == [5, 5, 6]
    three.stop()


def test_nothing_is_imported_from_the_folder_that_one_is_in(
    model: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "was read"
    (tmp_path / "signal.py").write_text(f"open({str(trace)!r}, 'w')\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    both = writers(model, 2)  # Gpt2Error where they had not begun
    assert all(map(is_alive, both.pids))
    both.stop()
    assert not trace.exists()


def test_what_they_cannot_load_is_told(model: Session, tmp_path: Path) -> None:
    assert isinstance(model.inference_model, InferenceModel)
    missing = InferenceModel(
        model.inference_model.config, {}, "float32", "int8", tmp_path / "gone" / "model-1"
    )
    with pytest.raises(Gpt2Error, match="gone") as raised:
        WorkerPool(missing, model.tokenizer, ServeConfig(), 2)
    assert not isinstance(raised.value, CheckpointError)  # it is told by its words
