"""Timeouts and exit reasons of a worker process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gpt2_helpers.bench.worker_process import WorkerError, WorkerProcess


def test_a_worker_that_is_never_ready_times_out(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"^took over 0\.2 s$"):
        WorkerProcess([sys.executable, "-c", "input()"], tmp_path / "log", timeout=0.2)


def test_a_killed_worker_suggests_out_of_memory(tmp_path: Path) -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(WorkerError, match="^ended by SIGKILL, probably out of memory$"):
        WorkerProcess([sys.executable, "-c", script], tmp_path / "log", timeout=300)
