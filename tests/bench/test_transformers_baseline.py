"""transformers runs every workload of the machine; in the environment of `make test-exchange`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from gpt2_helpers.bench.weights import bench_folder
from gpt2_helpers.bench.worker_process import environment
from gpt2_helpers.bench.workload import machine_workloads
from gpt2_helpers.config import ModelConfig, RunConfig

PYTHON = os.environ.get("EXCHANGE_PYTHON")
NAMES = [each.name for each in machine_workloads(ModelConfig(), quick=False)][:-1]


@pytest.mark.skipif(not PYTHON, reason="make test-exchange runs these")
@pytest.mark.parametrize("name", NAMES)
def test_every_workload_runs(name: str, tmp_path: Path) -> None:
    folder = bench_folder(RunConfig(model_name="tiny"), tmp_path, for_transformers=True)
    command = [PYTHON or "", "-m", "gpt2_helpers.bench.worker", "transformers", name, str(folder)]
    done = subprocess.run(
        command, input="run\n", env=environment(), capture_output=True, text=True, check=False
    )
    _, measured = map(json.loads, done.stdout.splitlines())
    assert measured["seconds"] > 0
    assert measured["units"] >= 1
