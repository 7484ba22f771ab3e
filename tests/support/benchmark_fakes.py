"""Stand-ins for the worker processes and results of the benchmarks."""

from __future__ import annotations

from typing import Any

import interleave
from gpt2_helpers.bench.worker_process import WorkerProcess
from gpt2_helpers.bench.workload import Workload
from workloads import KERAS_HUB, OURS, TRANSFORMERS, WORKLOADS

SPEED = Workload("speed", "generate", "generate", "tokens/s", {TRANSFORMERS: 2.0, KERAS_HUB: 3.0})


class ScriptedProcess(WorkerProcess):
    """A process that reports the given seconds, one per round, and records what happens."""

    def __init__(self, name: str, seconds: list[float | BaseException], events: list[str]) -> None:
        self.name, self.seconds, self.events = name, iter(seconds), events
        self.units, self.seconds_to_ready = 10, 7.0
        events.append(f"{name} started")

    def run(self) -> dict[str, Any]:
        self.events.append(self.name)
        seconds = next(self.seconds)
        if isinstance(seconds, BaseException):
            raise seconds
        return {"units": self.units, "seconds": seconds, "peak_gb": 1.0}

    def close(self) -> None:
        self.events.append(f"{self.name} closed")


def measure_scripted(
    workload: Workload, rounds: int, **seconds: list[float | BaseException]
) -> tuple[dict[str, Any], list[str]]:
    """The results of `interleave.measure` for variants with these seconds, and the events."""
    events: list[str] = []
    names = {"ours": OURS, "fp32": "transformers fp32", "bf16": "transformers bf16"}
    scripts = {names[name]: values for name, values in seconds.items()}
    found = interleave.measure(
        workload, list(scripts), rounds, lambda name: ScriptedProcess(name, scripts[name], events)
    )
    return found, events


def rounds(*seconds: float, units: float = 100, peak_gb: float = 1.0) -> list[dict[str, float]]:
    return [{"units": units, "seconds": value, "peak_gb": peak_gb} for value in seconds]


def paired(theirs: list[dict[str, float]], ours: list[dict[str, float]]) -> dict[str, Any]:
    about = {"machine": "a machine", "date": "2026-11-27", "versions": {"torch": "2.13.0"}}
    return {"rounds": theirs, "paired": ours, **about}


def sample_results() -> dict[str, Any]:
    """Results of three workloads: targets met and missed, and failed baselines."""
    fast, slow = rounds(1.0, 2.0, 1.25), rounds(5.0, 4.0, 8.0)
    failed = {**paired([], fast), "error": "ended by SIGKILL"}
    return {
        "workloads": {
            "generate-1": {
                OURS: paired(fast, []),
                "gpt-2-simple": paired(slow, fast),
                "transformers fp32": paired(rounds(10.0), fast),
                "transformers bf16": paired(rounds(2.0, 2.0, 2.0), fast),
                "KerasHub fp32": failed,
            },
            "memory": {
                OURS: paired(rounds(1, peak_gb=2.0), []),
                "gpt-2-simple": paired(rounds(1, peak_gb=4.5), rounds(1, peak_gb=2.0)),
            },
            "cold-start": {
                OURS: {**paired([], []), "error": "ended with exit code 1"},
                "gpt-2-simple": paired(rounds(9.0), []),
            },
        },
    }


def cells_of(text: str, workload: str) -> list[str]:
    """The cells of a workload's row of a table."""
    title = next(each.title for each in WORKLOADS if each.name == workload)
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {title}")]
    return [cell.strip() for cell in line.strip("|").split("|")]
