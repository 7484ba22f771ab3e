"""Worker processes: answers, errors, and their end. tests/data/test_tokenize.py has more."""

from __future__ import annotations

import io
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from child_processes import children, needs_proc
from gpt2_helpers.system.worker_processes import WorkerError, WorkerProcesses, serve
from paths import ROOT

MODULE = """
import time
from gpt2_helpers.system.worker_processes import serve

def start(setup):
    def answer(message):
        print("this does not get into the answers")
        if message == b"wait":
            time.sleep(600)
        if message == b"soon":
            time.sleep(1)
            return b"x" * 1_000_000
        if message == b"fail":
            raise SystemExit(7)
        return setup + message
    return answer

def run_worker():
    serve(start)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module for worker processes, all of which must have ended after the test."""
    before = children()
    (tmp_path / "repeating_worker.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "repeating_worker"
    assert children() <= before


@needs_proc
def test_each_message_gets_its_answer(module: str) -> None:
    processes = WorkerProcesses(module, b"<", count=2)
    messages = [b"", b"a" * 3_000_000, *(str(number).encode() for number in range(40))]
    with ThreadPoolExecutor(5) as threads:
        assert [*threads.map(processes.ask, messages)] == [b"<" + message for message in messages]
    processes.close()


@needs_proc
@pytest.mark.parametrize("end", ["exit", "kill"])
def test_a_process_that_ends_is_an_error(module: str, end: str) -> None:
    before = children()
    processes = WorkerProcesses(module, b"", count=1)
    assert processes.ask(b"x") == b"x"
    message = b"fail"
    if end == "kill":
        message = b"x"
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)
    reason = "7), see its error above" if end == "exit" else "-9), possibly because memory ran out"
    for _ in range(2):  # a later message does not wait either
        with pytest.raises(WorkerError, match=rf"^ended early \(exit code {re.escape(reason)}$"):
            processes.ask(message)
    processes.close()


@needs_proc
def test_closing_ends_a_process_that_is_working(module: str) -> None:
    processes = WorkerProcesses(module, b"", count=1)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(processes.ask, b"wait")
        while processes._idle.qsize() and not answer.done():
            time.sleep(0.01)
        processes.close()
        with pytest.raises(WorkerError):
            answer.result(timeout=60)


def test_a_python_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(WorkerError, match="cannot start another process: No such file"):
        WorkerProcesses("repeating_worker", b"", count=2)


@needs_proc
def test_files_of_the_current_folder_are_not_imported_instead_of_python_s(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("json", "signal", "struct"):
        (folder / f"{name}.py").write_text("raise SystemExit('a file of the user')\n")
    monkeypatch.chdir(folder)
    processes = WorkerProcesses(module, b"<", count=1)
    assert processes.ask(b"x") == b"<x"
    processes.close()


@needs_proc
@pytest.mark.parametrize("when", ["starting", "working"])
def test_processes_end_quietly_if_the_one_that_asks_is_killed(
    module: str, when: str, tmp_path: Path
) -> None:
    script = """
import sys, threading, time
from gpt2_helpers.system.worker_processes import WorkerProcesses
processes = WorkerProcesses("repeating_worker", b"<", count=2)
if sys.argv[1] == "working":
    processes.ask(b"x")
    threading.Thread(target=processes.ask, args=[b"soon"], daemon=True).start()
    time.sleep(0.2)
print(*(worker._process.pid for worker in [processes._idle.get()]), flush=True)
time.sleep(600)
"""
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with subprocess.Popen(
        [sys.executable, "-c", script, when],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        process.kill()
        _, errors = process.communicate(timeout=60)  # until all of its processes have ended
    assert errors.replace("this does not get into the answers\n", "") == ""


def frame(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


@pytest.mark.parametrize("rest", [b"", b"\x05\0\0", struct.pack("<Q", 5) + b"four"])
def test_a_worker_ends_at_the_end_of_its_input(
    rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = io.BytesIO()
    stdout = io.TextIOWrapper(sink)  # closes `sink` when it is deleted
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(frame(b"<") + frame(b"one") + rest))
    )
    monkeypatch.setattr(sys, "stdout", stdout)
    serve(lambda setup: lambda message: setup + message)
    assert sys.stdout is sys.stderr
    assert sink.getvalue() == frame(b"<one")
