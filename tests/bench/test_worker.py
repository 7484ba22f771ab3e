"""The process that measures: values that it reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gpt2_helpers.bench.weights import bench_folder
from gpt2_helpers.bench.worker import peak_gpu_memory, peak_memory
from gpt2_helpers.bench.worker_process import environment
from gpt2_helpers.config import RunConfig


def test_peak_memory_is_that_of_this_process() -> None:
    assert 10 * 2**20 < peak_memory() < 100 * 2**30


def test_without_a_gpu_there_is_no_memory_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert peak_gpu_memory() is None


def test_the_command_runs_a_round_for_each_line(tmp_path: Path) -> None:
    folder = bench_folder(RunConfig(model_name="tiny"), tmp_path, for_transformers=False)
    command = [sys.executable, "-m", "gpt2_helpers.bench.worker", "gpt2-helpers", "prompt"]
    done = subprocess.run(
        [*command, str(folder)],
        input="run\nrun\n",
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    ready, *rounds = map(json.loads, done.stdout.splitlines())
    assert ready["ready"]
    assert ready["first_seconds"] > 0
    assert len(rounds) == 2
    assert all(each["units"] > 0 and each["seconds"] > 0 for each in rounds)
