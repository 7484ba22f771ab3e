"""The table of the measurements, and their JSON."""

from __future__ import annotations

import json
from typing import Any

from gpt2_helpers.bench.measure import LibraryResult, WorkloadResult
from gpt2_helpers.bench.report import as_json, as_lines
from gpt2_helpers.bench.workload import Workload

GENERATE = Workload("generate-1", "generate", "generate", "tokens/s")
FINETUNE = Workload("finetune", "step", "finetune", "s/step")
AGREEMENT = Workload("agreement", "logits", "agreement", "")


def result(seconds: float, **other: Any) -> LibraryResult:
    return LibraryResult([{"units": 100, "seconds": seconds, "peak_gb": 2.5, **other}], 9.0)


def test_one_library() -> None:
    lines = as_lines([WorkloadResult(GENERATE, {"gpt2-helpers": result(0.5)})])
    assert lines == ["          gpt2-helpers", "generate           200  tokens/s"]


def test_two_libraries_with_their_ratio() -> None:
    libraries = {"gpt2-helpers": result(200.0), "transformers": result(500.0)}
    lines = as_lines([WorkloadResult(FINETUNE, libraries)])
    cells = [line.split() for line in lines]
    assert cells[1] == ["step", "2", "5", "2.50", "s/step"]
    assert cells[2][-4:] == ["9", "9", "1.00", "s"]
    assert cells[3][-4:] == ["2.5", "2.5", "1.00", "GB"]


def test_a_failed_library_has_its_reason_beside() -> None:
    failed = LibraryResult(error="out of memory")
    libraries = {"gpt2-helpers": result(1.0), "transformers": failed}
    (_, row) = as_lines([WorkloadResult(GENERATE, libraries)])
    assert row.endswith("100             -      -  tokens/s; transformers: out of memory")


def test_the_agreement_is_a_sentence() -> None:
    values = {
        "precision": "int8",
        "max_difference": 0.123,
        "deviation": 3.0,
        "same_most_likely": 0.98,
    }
    lines = as_lines([WorkloadResult(AGREEMENT, {"gpt2-helpers": result(1.0, **values)})])
    assert "int8, largest difference 0.12" in lines[-1]
    assert "98% of the positions" in lines[-1]


def test_json_has_every_round() -> None:
    (found,) = json.loads(json.dumps(as_json([WorkloadResult(GENERATE, {"a": result(0.5)})])))
    assert found["libraries"]["a"]["median"] == 200.0
    assert found["libraries"]["a"]["rounds"][0]["peak_gb"] == 2.5
    assert found["libraries"]["a"]["error"] is None
