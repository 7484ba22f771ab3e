"""gpt2-helpers runs every workload of the benchmarks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from baselines import ours
from gpt2_helpers import bench
from gpt2_helpers.bench.workload import Workload
from workloads import MOST_LIKELY, WORKLOADS

TEXTS = 60  # instead of OUR_TEXTS; enough for a mean length
LENGTH = 60  # longest generated text


@pytest.mark.parametrize("workload", [*WORKLOADS, MOST_LIKELY], ids=lambda each: each.name)
def test_every_workload_runs(
    workload: Workload, weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench.ours, "OUR_TEXTS", TEXTS)
    workload = dataclasses.replace(workload, length=min(workload.length, LENGTH))
    folder = weights / ("124M-ends" if workload.kind == "texts" else "124M")
    result = ours.prepare(workload, folder, "float32")()
    if isinstance(result, tuple):
        steps, seconds = result
        assert steps == 1
        assert seconds > 0
    elif workload.kind == "texts":
        assert len(result) == TEXTS
        assert 10 < sum(result) / len(result) < 40
    elif workload.kind == "most likely":
        assert isinstance(result, str)
    elif workload.kind == "tokenize":
        text = (folder / "text.txt").read_text(encoding="utf-8")
        assert 0 < result <= len(text)
    else:
        assert 0 < result <= workload.batch * workload.length * max(1, workload.keystrokes)
