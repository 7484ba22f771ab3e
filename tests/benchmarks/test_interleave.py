"""Interleaved rounds of scripted processes."""

from __future__ import annotations

import pytest

import interleave
import table
from benchmark_fakes import SPEED, ScriptedProcess, measure_scripted
from gpt2_helpers.bench.worker_process import WorkerError, WorkerProcess
from gpt2_helpers.bench.workload import Workload
from workloads import OURS, TRANSFORMERS


def test_variants_alternate() -> None:
    found, events = measure_scripted(SPEED, 3, ours=[1.0] * 3, fp32=[2.0] * 3)
    assert [line for line in events if not line.endswith(("started", "closed"))] == [
        *[OURS, "transformers fp32"] * 3
    ]
    assert events[-2:] == [f"{OURS} closed", "transformers fp32 closed"]
    assert found["transformers fp32"]["paired"] == found[OURS]["rounds"]
    assert len(found[OURS]["rounds"]) == 3


def test_the_others_continue_after_a_failure() -> None:
    found, events = measure_scripted(
        SPEED, 3, ours=[1.0] * 3, fp32=[2.0, WorkerError("no more")], bf16=[2.0] * 3
    )
    assert found["transformers fp32"]["error"] == "no more"
    counts = {name: len(values["rounds"]) for name, values in found.items()}
    assert counts == {OURS: 3, "transformers fp32": 1, "transformers bf16": 3}
    turns = {name: len(values["paired"]) for name, values in found.items() if name != OURS}
    assert turns == {"transformers fp32": 1, "transformers bf16": 3}
    assert events.count("transformers fp32 closed") == 1


def test_a_variant_over_twice_as_slow_runs_once() -> None:
    found, _ = measure_scripted(SPEED, 3, ours=[1.0] * 3, fp32=[3.0] * 3, bf16=[6.5] * 3)
    assert len(found["transformers bf16"]["rounds"]) == 1
    assert found["transformers bf16"]["stopped"] == (
        "over 2 times as slow as transformers fp32: one round only"
    )
    found, _ = measure_scripted(SPEED, 3, ours=[1.0] * 3, fp32=[3.0] * 3, bf16=[5.5] * 3)
    assert len(found["transformers bf16"]["rounds"]) == 3


def test_a_variant_slower_than_a_later_one_runs_once() -> None:
    found, events = measure_scripted(SPEED, 3, ours=[1.0] * 3, fp32=[6.5] * 3, bf16=[3.0] * 3)
    assert len(found["transformers fp32"]["rounds"]) == 1
    assert len(found["transformers bf16"]["rounds"]) == 3
    assert events.count("transformers fp32 closed") == 1


def test_large_processes_alternate_in_pairs() -> None:
    workload = Workload("train", "train", "finetune", "s a step", {TRANSFORMERS: 2.0})
    seconds: list[float | BaseException] = [1.0, 2.0]
    found, events = measure_scripted(workload, 2, ours=seconds, fp32=seconds, bf16=seconds)
    assert events.index("transformers fp32 closed") < events.index("transformers bf16 started")
    assert len(found[OURS]["rounds"]) == 4
    assert all(len(found[name]["paired"]) == 2 for name in found if name != OURS)


@pytest.mark.parametrize("kind", ["cold start", "first step"])
def test_each_cold_start_is_a_new_process(kind: str) -> None:
    workload = Workload("cold", "cold", kind, "s", {TRANSFORMERS: 2.0})
    found, events = measure_scripted(workload, 2, ours=[], fp32=[])
    assert events == [
        *[
            f"{OURS} started",
            f"{OURS} closed",
            "transformers fp32 started",
            "transformers fp32 closed",
        ]
        * 2
    ]
    assert [result["seconds"] for result in found[OURS]["rounds"]] == [7.0, 7.0]


def test_different_token_ids_are_noted() -> None:
    workload = Workload("cut", "cut", "tokenize", "s", {TRANSFORMERS: 2.0})

    def start(name: str) -> WorkerProcess:
        process = ScriptedProcess(name, [1.0], [])
        process.units = 9 if name.endswith("bf16") else 10
        return process

    found = interleave.measure(workload, [OURS, "transformers fp32", "transformers bf16"], 1, start)
    assert all(len(each["rounds"]) == 1 for each in found.values())
    remarks = {name: each["note"] for name, each in found.items() if "note" in each}
    assert remarks == {"transformers bf16": "produces 9 ids instead of 10"}
    assert table.variant_lines(workload, found)[-1].endswith(", produces 9 ids instead of 10")


def test_ctrl_c_closes_every_process() -> None:
    events: list[str] = []
    scripts: dict[str, list[float | BaseException]] = {
        OURS: [1.0, 1.0],
        "transformers fp32": [2.0, KeyboardInterrupt()],
    }
    with pytest.raises(KeyboardInterrupt):
        interleave.measure(
            SPEED, list(scripts), 2, lambda name: ScriptedProcess(name, scripts[name], events)
        )
    assert {f"{name} closed" for name in scripts} <= set(events)
