"""Measures the workloads of this machine, in turn with transformers if it is installed."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpt2_helpers.bench.config import BenchConfig
from gpt2_helpers.bench.weights import bench_folder
from gpt2_helpers.bench.worker import LIBRARIES
from gpt2_helpers.bench.worker_process import WorkerError, WorkerProcess
from gpt2_helpers.bench.workload import Workload, machine_workloads
from gpt2_helpers.config import ModelConfig, RunConfig

OURS = "gpt2-helpers"
NO_TIME = "no time left"


@dataclass
class LibraryResult:
    """The rounds of one library.

    Attributes:
        rounds: What the process reported of each.
        first_seconds: Seconds of the first, uncounted round, which compiles.
        error: Why the workload has not been measured, or "".
    """

    rounds: list[dict[str, Any]] = field(default_factory=list)
    first_seconds: float = 0.0
    error: str = ""

    def value(self, workload: Workload) -> float | None:
        """The median in the workload's unit; None without one."""
        if not self.rounds or not workload.unit:
            return None
        if workload.is_training:
            return statistics.median(each["seconds"] / each["units"] for each in self.rounds)
        if workload.lower_is_better:
            return statistics.median(each["seconds"] for each in self.rounds)
        return statistics.median(each["units"] / each["seconds"] for each in self.rounds)

    def peak(self, name: str) -> float | None:
        """The highest of `peak_gb` or `peak_gpu_gb`; None if it is not known."""
        return max((each[name] for each in self.rounds if each.get(name)), default=None)


@dataclass
class WorkloadResult:
    """What was measured for one workload, by library."""

    workload: Workload
    libraries: dict[str, LibraryResult]


Start = Callable[[str, Workload, float], WorkerProcess]


def bench(config: BenchConfig, run: RunConfig) -> Iterator[Workload | WorkloadResult]:
    """Measure this machine.

    Every library has a process for each workload, and they take turns: one round of each, then
    again. The time is divided among the workloads that are left; each gets one round at least.

    Args:
        config: Whether to be quick.
        run: The options `model_name` and `model_dir`. Speed does not depend on the weights, so a
            model that has not been downloaded is replaced by random weights of its shape.

    Yields:
        Each workload before it is measured, and its result.

    Raises:
        OptionError: The model is unknown.
        OSError: The weights cannot be written into the temporary folder.
    """
    libraries = [name for name in LIBRARIES if name == OURS or _is_installed(name)]
    with tempfile.TemporaryDirectory(prefix="gpt2-helpers-bench-") as temporary:
        folder = bench_folder(run, Path(temporary), "transformers" in libraries)

        def start(library: str, workload: Workload, timeout: float) -> WorkerProcess:
            module = "gpt2_helpers.bench.worker"
            command = [sys.executable, "-m", module, library, workload.name, str(folder)]
            return WorkerProcess(command, Path(temporary) / "log", timeout)

        deadline = time.monotonic() + config.seconds
        works = machine_workloads(ModelConfig.load(folder), config.quick)
        for number, workload in enumerate(works):
            yield workload
            left = deadline - time.monotonic()
            shown = [OURS] if workload.kind == "agreement" else libraries
            until = time.monotonic() + left / (len(works) - number)
            yield WorkloadResult(workload, take_turns(workload, shown, start, until, deadline))


def take_turns(
    workload: Workload, libraries: list[str], start: Start, until: float, deadline: float
) -> dict[str, LibraryResult]:
    """Measure one workload: a round of each library, then again.

    Args:
        workload: What is measured.
        libraries: Their names.
        start: Starts the process of a library, with a limit in seconds for each of its answers.
        until: Time of the monotonic clock after which no other round begins.
        deadline: When everything must be finished.
    """
    results = {name: LibraryResult() for name in libraries}
    with ExitStack() as stack:
        running: dict[str, WorkerProcess] = {}
        for number in range(workload.rounds):
            if number and time.monotonic() > until:
                break
            for name, result in results.items():
                if result.error:
                    continue
                left = deadline - time.monotonic()
                if left <= 0:
                    result.error = result.error or ("" if result.rounds else NO_TIME)
                    continue
                try:
                    if name not in running:
                        running[name] = start(name, workload, left)
                        stack.callback(running[name].close)
                        result.first_seconds = running[name].first_seconds
                    running[name].timeout = left
                    result.rounds.append(running[name].run())
                except WorkerError as error:
                    result.error = NO_TIME if deadline <= time.monotonic() else str(error)
    return results


def _is_installed(library: str) -> bool:
    """Whether transformers can be measured: it needs PyTorch and safetensors, too."""
    needed = (library, "torch", "safetensors")
    return all(importlib.util.find_spec(name) is not None for name in needed)
