"""Libraries take turns, within the time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.bench import measure
from gpt2_helpers.bench.config import BenchConfig
from gpt2_helpers.bench.measure import NO_TIME, LibraryResult, WorkloadResult, bench, take_turns
from gpt2_helpers.bench.worker_process import WorkerError
from gpt2_helpers.bench.workload import Workload
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError
from toy_runs import write_model

FOREVER = float("inf")
WORK = Workload("generate-1", "generate", "generate", "tokens/s", rounds=3)


class FakeProcess:
    """Records who ran, and fails in its `fails`-th round."""

    def __init__(self, name: str, log: list[str], fails: int = 0) -> None:
        self.name, self.log, self.fails = name, log, fails
        self.timeout, self.first_seconds = 0.0, 1.5

    def run(self) -> dict[str, Any]:
        self.log.append(self.name)
        if self.log.count(self.name) == self.fails:
            raise WorkerError("ended by SIGKILL")
        return {"units": 100, "seconds": 2.0, "peak_gb": 1.0}

    def close(self) -> None:
        self.log.append(f"close {self.name}")


def turns(libraries: list[str], until: float = FOREVER, **fails: int) -> tuple[Any, list[str]]:
    log: list[str] = []

    def start(name: str, workload: Workload, timeout: float) -> Any:
        if fails.get(name) == -1:
            raise WorkerError("ImportError: no module")
        return FakeProcess(name, log, fails.get(name, 0))

    return take_turns(WORK, libraries, start, until, FOREVER), log


def test_the_libraries_take_turns() -> None:
    results, log = turns(["ours", "theirs"])
    assert log[:6] == ["ours", "theirs"] * 3
    assert sorted(log[6:]) == ["close ours", "close theirs"]
    assert results["ours"].value(WORK) == 50.0
    assert results["ours"].first_seconds == 1.5
    assert results["ours"].peak("peak_gb") == 1.0
    assert results["ours"].peak("peak_gpu_gb") is None


def test_a_library_that_fails_does_not_stop_the_other() -> None:
    results, log = turns(["ours", "theirs", "third"], theirs=2, third=-1)
    assert log.count("ours") == 3
    assert results["theirs"].error == "ended by SIGKILL"
    assert results["theirs"].value(WORK) == 50.0, "of the round before"
    assert results["third"].error == "ImportError: no module"
    assert results["third"].value(WORK) is None


def test_no_other_round_begins_when_the_time_is_over() -> None:
    _, log = turns(["ours", "theirs"], until=time.monotonic())
    assert log[:2] == ["ours", "theirs"]
    assert log.count("ours") == 1


def test_nothing_starts_after_the_deadline() -> None:
    def start(name: str, workload: Workload, timeout: float) -> Any:
        raise AssertionError

    results = take_turns(WORK, ["ours"], start, FOREVER, time.monotonic())
    assert results["ours"].error == NO_TIME


def test_the_value_of_a_step_and_of_seconds() -> None:
    rounds = [{"units": 2, "seconds": each} for each in (8.0, 2.0, 4.0)]
    result = LibraryResult(rounds)
    assert result.value(Workload("", "", "memory", "s/step")) == 2.0
    assert result.value(Workload("", "", "prompt", "s")) == 4.0
    assert result.value(Workload("", "", "generate", "tokens/s")) == 0.5


def test_a_toy_is_measured_with_real_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    monkeypatch.setattr(measure, "_is_installed", lambda name: False)
    found = list(bench(BenchConfig(quick=True), RunConfig(model_name="toy")))
    names = ["generate-1", "generate-20", "prompt", "finetune", "agreement"]
    assert [each.name for each in found if isinstance(each, Workload)] == names
    results = [each for each in found if isinstance(each, WorkloadResult)]
    for result in results:
        ours = result.libraries["gpt2-helpers"]
        assert ours.error == ""
        assert ours.rounds[0]["seconds"] > 0
    agreement = results[-1].libraries["gpt2-helpers"].rounds[0]
    assert agreement["max_difference"] < 0.1 * max(1.0, agreement["deviation"])
    assert agreement["same_most_likely"] > 0.9


def test_an_unknown_model_is_an_error() -> None:
    with pytest.raises(CheckpointError, match="model 'no' not found"):
        next(bench(BenchConfig(), RunConfig(model_name="no")))
