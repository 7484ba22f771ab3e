"""Shared helpers of the benchmarks: subprocesses, interleaved rounds, peak memory, the machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpt2_helpers.bench import worker
from gpt2_helpers.bench.worker_process import environment

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `command` and capture its output. Raises SystemExit if it fails."""
    result = subprocess.run(
        command, env=environment(HERE), cwd=ROOT, capture_output=True, text=True
    )
    if result.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stderr.strip()}")
    return result


def run_interleaved(
    commands: Mapping[str, Sequence[str]], rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """The JSON that each command prints in every round.

    The commands alternate (A B A B), so that other load on the machine affects all of them. A
    first, uncounted round fills the file caches.
    """
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            printed = json.loads(run(command).stdout.splitlines()[-1])
            if number:
                results[name].append(printed)
    return results


def median(results: Sequence[Mapping[str, Any]], name: str) -> float:
    """The median of one of the values that a command printed."""
    return statistics.median(result[name] for result in results)


def peak_memory() -> int:
    """This process's peak resident memory in bytes. Raises SystemExit where it is not known."""
    if not (found := worker.peak_memory()):
        raise SystemExit("peak memory is not known here: run this on Linux or macOS")
    return found


def machine() -> str:
    """One line about the processor and the load, the mean number of runnable processes in the last
    minute."""
    model = platform.processor() or platform.machine()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.is_file():
        for line in cpu_info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    hidden = " (AVX-512 hidden)" if "hide_avx512" in os.environ.get("LD_PRELOAD", "") else ""
    return f"{model}{hidden}, {os.cpu_count()} cores{load}, {platform.system()}"
