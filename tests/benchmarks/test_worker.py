"""Workers: warm-up, measurements and errors, with a fake library."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import compare
from gpt2_helpers.bench.worker_process import WorkerError, WorkerProcess
from workloads import MOST_LIKELY

BENCHMARKS = Path(compare.__file__).parent
# The real worker with an additional, fake library.


FAKE_WORKER = f"""
import os, subprocess, sys, time, types
sys.path.insert(0, {str(BENCHMARKS)!r})
import worker

def prepare(workload, folder, behavior):
    print("library output")
    if behavior == "not installed":
        import no_such_package
    if behavior == "ends":
        sys.exit(5)
    runs = []
    def run():
        print("more library output")
        runs.append(behavior)
        if behavior == "fails" and len(runs) > 1:
            raise ValueError("no such shape\\na hint for all")
        if behavior == "crashes" and len(runs) > 1:
            os.abort()
        if behavior == "hangs" and len(runs) > 1:
            child = subprocess.Popen(["sleep", "1000"])
            open(folder / "child", "w").write(str(child.pid))
            time.sleep(1000)
        if behavior == "generates":
            return "generated text"
        if behavior.startswith("lengths"):
            return [int(length) for length in behavior.split()[1:]]
        return (3, 0.5) if behavior == "has a clock" else len(runs)
    return run

sys.modules["fake"] = types.ModuleType("fake")
sys.modules["fake"].prepare = prepare
worker.VARIANTS["fake"] = ("fake", sys.argv.pop())
worker.main()
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., WorkerProcess]:
    """Starts a worker with the fake library, which behaves as requested."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE_WORKER, encoding="utf-8")

    def start(behavior: str, timeout: float = 300, workload: str = "generate-1") -> WorkerProcess:
        command = [sys.executable, str(script), "fake", workload, str(tmp_path), behavior]
        return WorkerProcess(command, tmp_path / "log", timeout)

    return start


def test_a_worker_warms_up_before_it_is_ready(
    start: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    process = start("works")
    assert process.seconds_to_ready > 0
    first, second = process.run(), process.run()
    process.close()
    assert (first["units"], second["units"]) == (2, 3)  # the first run warmed up
    assert first["seconds"] >= 0
    assert 0 < first["peak_gb"] < 1
    assert "library output" in (tmp_path / "log").read_text(encoding="utf-8")


def test_no_warm_up_for_cold_workloads(start: Callable[..., WorkerProcess]) -> None:
    process = start("works", workload="tokenize")
    assert process.run()["units"] == 1
    process.close()


def test_a_library_may_measure_its_own_time(start: Callable[..., WorkerProcess]) -> None:
    process = start("has a clock")
    answer = process.run()
    process.close()
    assert (answer["units"], answer["seconds"]) == (3, 0.5)


def test_lengths_become_the_mean_length(start: Callable[..., WorkerProcess]) -> None:
    process = start("lengths 3 40 17", workload="texts")
    answer = process.run()
    process.close()
    assert (answer["units"], answer["tokens_per_text"]) == (3, 20.0)


def test_generated_text_is_returned_without_a_warm_up(start: Callable[..., WorkerProcess]) -> None:
    process = start("generates", workload=MOST_LIKELY.name)
    answer = process.run()
    process.close()
    assert (answer["units"], answer["text"]) == (1, "generated text")


@pytest.mark.parametrize("lengths", ["0 0 0", "1 2 3", "100 100 100"])
def test_an_implausible_mean_length_is_an_error(
    start: Callable[..., WorkerProcess], lengths: str
) -> None:
    process = start(f"lengths {lengths}", workload="texts")
    with pytest.raises(WorkerError, match=r"tokens on average instead of 20$"):
        process.run()
    process.close()


@pytest.mark.parametrize(
    ("behavior", "message"),
    [
        ("not installed", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("ends", "SystemExit: 5"),
    ],
)
def test_an_error_while_loading_is_reported(
    start: Callable[..., WorkerProcess], behavior: str, message: str
) -> None:
    with pytest.raises(WorkerError, match=message):
        start(behavior)


@pytest.mark.parametrize(
    ("behavior", "message"),
    [("fails", "^ValueError: no such shape$"), ("crashes", "^ended by SIGABRT$")],
)
def test_an_error_in_a_round_is_reported(
    start: Callable[..., WorkerProcess], behavior: str, message: str
) -> None:
    process = start(behavior)
    with pytest.raises(WorkerError, match=message):
        process.run()
    with pytest.raises(WorkerError):
        process.run()
    process.close()


def test_a_hanging_worker_is_killed_with_its_children(
    start: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    process = start("hangs")
    process.timeout = 5.0
    with pytest.raises(WorkerError, match="^took over 5 s$"):
        process.run()
    child = int((tmp_path / "child").read_text())
    os.kill(child, 0)  # it is there
    process.close()
    for _ in range(12_000):  # until the system has buried it
        if not _is_running(child):
            break
        time.sleep(0.01)
    assert not _is_running(child)


def _is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
