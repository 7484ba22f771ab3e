"""The processes that this one has started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc and ps")


def children() -> set[int]:
    """Their process ids."""
    found = subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(os.getpid())], text=True)
    return {int(pid) for pid in found.split() if (Path("/proc") / pid).exists()}
