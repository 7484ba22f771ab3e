"""What the benchmarks share: fresh processes taking turns, medians, and what the machine is.

Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """That of a process that takes this checkout's package before an installed one."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end."""
    result = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stderr.strip()}")
    return result


def in_turns(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each command prints, as JSON, in every round: A B A B, so that both meet the same noise.

    A round before the first fills the caches of files, and is not counted.
    """
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            printed = json.loads(run(command).stdout.splitlines()[-1])
            if turn:
                results[name].append(printed)
    return results


def median(results: Sequence[Mapping[str, Any]], name: str) -> float:
    """The median of one of the numbers that a command printed."""
    return statistics.median(result[name] for result in results)


def most_held() -> int:
    """Bytes of main memory that this process held at its most."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("/proc/self/status tells no VmHWM: run this on Linux")


def machine() -> str:
    """One line on where the numbers come from, with how busy it was.

    The load is the mean number of processes that wanted a core in the last minute.
    """
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} cores{load}, {platform.system()}"
