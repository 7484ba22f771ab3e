"""The process that runs a round of one workload on each request; see `WorkerProcess`.

    python -m gpt2_helpers.bench.worker LIBRARY WORKLOAD FOLDER

It loads and warms up, prints a line of JSON, then runs once for each line that it reads and prints
the measurement. The output of the libraries goes to stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpt2_helpers.bench.workload import END_PROBABILITY, Workload, machine_workloads

# A run returns its units (tokens, texts, steps), or those and its own seconds; for texts of varying
# length the number of tokens of each; a generated text; or other values to report.
Run = Callable[[], Any]

# The libraries that `gpt2-helpers bench` compares, and their modules.
LIBRARIES = {
    "gpt2-helpers": "gpt2_helpers.bench.ours",
    "transformers": "gpt2_helpers.bench.transformers_baseline",
}


def serve(workload: Workload, prepare: Callable[[], Run]) -> None:
    """Prepare a workload and run a round for each line of stdin, with answers on stdout.

    Args:
        workload: What is measured.
        prepare: Loads the library and the model; returns the function that runs one round.
    """
    protocol = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not mix with the protocol

    def send(values: dict[str, Any]) -> None:
        protocol.write(json.dumps(values) + "\n")

    try:
        run = prepare()
        start = time.perf_counter()
        if workload.warms_up:
            run()
        send({"ready": True, "first_seconds": time.perf_counter() - start})
        for _ in sys.stdin:
            send(_measured(run))
    except BaseException as error:
        import traceback

        traceback.print_exc()
        first_line, *_ = str(error).strip().splitlines() or [""]  # the last is often a general hint
        send({"error": f"{type(error).__name__}: {first_line[:160]}"})


def _measured(run: Run) -> dict[str, Any]:
    """Run one round."""
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    if isinstance(result, tuple):
        result, seconds = result
    answer: dict[str, Any] = {"seconds": seconds, "peak_gb": peak_memory() / 2**30}
    if (gpu_bytes := peak_gpu_memory()) is not None:
        answer["peak_gpu_gb"] = gpu_bytes / 2**30
    if isinstance(result, dict):
        return {"units": 1, **answer, **result}
    if isinstance(result, list):
        answer["tokens_per_text"], result = mean_length(result), len(result)
    if isinstance(result, str):
        answer["text"], result = result, 1
    return {"units": result, **answer}


def mean_length(lengths: list[int]) -> float:
    """The mean number of tokens per text.

    Raises:
        ValueError: It is far from what END_PROBABILITY implies: a library that ends every text at
            once would seem fast.

    >>> mean_length([10, 30])
    20.0
    """
    expected, mean = 1 / END_PROBABILITY, sum(lengths) / len(lengths)
    if not expected / 2 <= mean <= expected * 2:
        raise ValueError(f"texts have {mean:.1f} tokens on average instead of {expected:.0f}")
    return mean


def peak_memory() -> int:
    """This process's peak resident memory in bytes; 0 where it is not known."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return 0


def peak_gpu_memory() -> int | None:
    """Peak memory on the first GPU in bytes; None without a GPU."""
    if (tf := sys.modules.get("tensorflow")) and tf.config.list_physical_devices("GPU"):
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return None


def main(arguments: list[str]) -> None:
    """Run a workload of `gpt2-helpers bench`."""
    from gpt2_helpers.config import ModelConfig

    library, name, path = arguments
    folder = Path(path)
    works = machine_workloads(ModelConfig.load(folder), quick=False)
    workload = next(work for work in works if work.name == name)
    module = importlib.import_module(LIBRARIES[library])
    serve(workload, lambda: module.prepare(workload, folder, "auto"))


if __name__ == "__main__":
    main(sys.argv[1:])
