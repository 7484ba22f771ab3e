"""Which variants are compared, and what a run keeps and reports."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import compare
import table
from benchmark_fakes import rounds
from gpt2_helpers.bench.workload import Workload
from workloads import BASELINES, KERAS_HUB, OURS, OURS_FP32, WORKLOADS


def test_variants_depend_on_the_workload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "cpu_has_bfloat16", lambda: True)
    by_name = {workload.name: workload for workload in WORKLOADS}
    everyone = compare.variants_for(by_name["generate-1"])
    assert everyone[:2] == [OURS, OURS_FP32]
    assert {"transformers bf16", "KerasHub bf16", "CTranslate2 int8"} <= set(everyone)
    assert sum(name.endswith("compiled") for name in everyone) == 1
    assert compare.variants_for(by_name["generate-1"], [KERAS_HUB])[2:] == [
        "KerasHub fp32",
        "KerasHub bf16",
    ]
    cold = compare.variants_for(by_name["cold-start"])
    assert not [name for name in cold if name.endswith("compiled")]
    assert "transformers bf16 compiled" in compare.variants_for(by_name["memory"])
    assert compare.variants_for(by_name["tokenize"]).count("transformers fp32") == 1
    assert not [name for name in compare.variants_for(by_name["tokenize"]) if "bf16" in name]


@pytest.mark.parametrize(("has_bfloat16", "wanted"), [(True, "bf16"), (False, "fp32")])
def test_baselines_train_in_the_native_type(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, wanted: str
) -> None:
    monkeypatch.setattr(compare, "cpu_has_bfloat16", lambda: has_bfloat16)
    (workload,) = [workload for workload in WORKLOADS if workload.name == "finetune-1"]
    assert compare.variants_for(workload) == [
        OURS,
        "gpt-2-simple",
        f"transformers {wanted}",
        f"transformers {wanted} compiled",
        f"KerasHub {wanted}",
    ]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_every_baseline_has_a_variant(workload: Workload) -> None:
    variants = compare.variants_for(workload)
    assert variants[0] == OURS
    for baseline in workload.targets:
        assert baseline in BASELINES
        assert any(table.belongs_to(variant, baseline) for variant in variants)


@pytest.fixture
def run_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs compare.py with a fake `measure`; returns its exit code and the workloads' results."""
    monkeypatch.setattr(compare, "prepare", lambda _: None)
    monkeypatch.setattr(compare, "versions", lambda *_: {"Python": "3"})
    monkeypatch.setattr(compare, "find_other_weights", lambda *_: {})
    # The test process keeps its own signal handlers.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    out = tmp_path / "out" / "results.json"

    def run(measure: Callable[..., Any], *arguments: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(compare, "measure", measure)
        options = [
            "--baselines-python",
            sys.executable,
            "--folder",
            str(tmp_path),
            "--out",
            str(out),
        ]
        monkeypatch.setattr(sys, "argv", ["compare.py", *options, *arguments])
        code = compare.main()
        return code, json.loads(out.read_text(encoding="utf-8"))["workloads"]

    return run


def quick_measure(
    workload: Workload, variants: list[str], count: int, start: Any
) -> dict[str, Any]:
    ours = rounds(*[1.0] * count)
    return {name: {"rounds": ours, "paired": [] if name == OURS else ours} for name in variants}


def test_earlier_results_are_kept(
    run_compare: Callable[..., tuple[int, dict[str, Any]]], tmp_path: Path
) -> None:
    code, first = run_compare(quick_measure, "--workloads", "generate-1", "--rounds", "2")
    assert code == 0
    assert len(first["generate-1"][OURS]["rounds"]) == 2
    _, both = run_compare(quick_measure, "--workloads", "top-p-1", "--baselines", "transformers")
    assert both["generate-1"] == first["generate-1"]
    assert len(both["top-p-1"][OURS]["rounds"]) == 5
    page = (tmp_path / "out" / "results.md").read_text(encoding="utf-8")
    assert "## generate-1" in page
    assert "## top-p-1" in page


def test_ctrl_c_keeps_finished_workloads(
    run_compare: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    def interrupted(workload: Workload, *others: Any) -> dict[str, Any]:
        if workload.name == "generate-20":
            raise KeyboardInterrupt
        return quick_measure(workload, *others)

    code, workloads = run_compare(interrupted)
    assert code == 130
    assert list(workloads) == ["generate-1"]


def test_a_quick_run_measures_only_quick_workloads(
    run_compare: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    _, workloads = run_compare(quick_measure, "--quick")
    assert list(workloads) == [workload.name for workload in WORKLOADS if workload.quick]
    assert all(len(found[OURS]["rounds"]) == 2 for found in workloads.values())


def test_an_excluded_library_has_failed(
    run_compare: Callable[..., tuple[int, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "find_other_weights", lambda *_: {KERAS_HUB: "other weights"})
    _, workloads = run_compare(quick_measure, "--workloads", "generate-1")
    assert workloads["generate-1"]["KerasHub fp32"]["error"] == "other weights"
    assert workloads["generate-1"]["KerasHub fp32"]["rounds"] == []
    assert workloads["generate-1"]["transformers fp32"]["rounds"]


def test_a_broken_python_is_reported(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    with pytest.raises(SystemExit, match=r"python does not run:\nno such library"):
        compare.versions(str(broken), [])


def test_missing_baselines_are_reported(
    run_compare: Callable[..., tuple[int, dict[str, Any]]],
) -> None:
    with pytest.raises(SystemExit, match=r"nowhere/python is missing: `make bench` installs"):
        run_compare(quick_measure, "--baselines-python", "nowhere/python")
