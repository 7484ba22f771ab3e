"""Runs one variant of a library on one workload; `compare.py` starts it and says when to run.

    python worker.py VARIANT WORKLOAD FOLDER

Loads and warms up, prints a line of JSON, then runs once for each line that it reads and prints
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

from machine_info import peak_memory
from workloads import END_PROBABILITY, MOST_LIKELY, WORKLOADS, Workload

# A run returns its units (tokens, texts, steps), or those and its own seconds; for texts of varying
# length the number of tokens of each; and for MOST_LIKELY the generated text.
Run = Callable[[], Any]
Variant = tuple[str, str]  # a module of baselines/ and its option

VARIANTS: dict[str, Variant] = {
    "gpt2-helpers": ("ours", "auto"),
    "gpt2-helpers fp32": ("ours", "float32"),
    "gpt-2-simple": ("gpt_2_simple_baseline", ""),
    "transformers fp32": ("transformers_baseline", "fp32"),
    "transformers fp32 compiled": ("transformers_baseline", "fp32 compiled"),
    "transformers bf16": ("transformers_baseline", "bf16"),
    "transformers bf16 compiled": ("transformers_baseline", "bf16 compiled"),
    "KerasHub fp32": ("keras_hub_baseline", "float32"),
    "KerasHub bf16": ("keras_hub_baseline", "mixed_bfloat16"),
    "CTranslate2 fp32": ("ctranslate2_baseline", "float32"),
    "CTranslate2 int8": ("ctranslate2_baseline", "int8"),
}


def mean_length(lengths: list[int]) -> float:
    """The mean number of tokens per text.

    Raises ValueError if it is far from what END_PROBABILITY implies: a library that ends every text
    at once would seem fast.
    """
    expected, mean = 1 / END_PROBABILITY, sum(lengths) / len(lengths)
    if not expected / 2 <= mean <= expected * 2:
        raise ValueError(f"texts have {mean:.1f} tokens on average instead of {expected:.0f}")
    return mean


def main() -> None:
    variant, name, folder = sys.argv[1:4]
    protocol = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not mix with the protocol

    def send(values: dict[str, Any]) -> None:
        protocol.write(json.dumps(values) + "\n")

    module, option = VARIANTS[variant]
    workload: Workload = next(each for each in (*WORKLOADS, MOST_LIKELY) if each.name == name)
    try:
        library = importlib.import_module(f"baselines.{module}")
        run: Run = library.prepare(workload, Path(folder), option)
        if workload.kind not in ("tokenize", "memory", "most likely"):
            run()
        send({"ready": True})
        for _ in sys.stdin:
            start = time.perf_counter()
            result = run()
            seconds = time.perf_counter() - start
            if isinstance(result, tuple):
                result, seconds = result
            answer: dict[str, Any] = {"seconds": seconds, "peak_gb": peak_memory() / 2**30}
            if isinstance(result, list):
                answer["tokens_per_text"], result = mean_length(result), len(result)
            if isinstance(result, str):
                answer["text"], result = result, 1
            send({"units": result, **answer})
    except BaseException as error:
        import traceback

        traceback.print_exc()
        first_line, *_ = str(error).strip().splitlines() or [""]  # the last is often a general hint
        send({"error": f"{type(error).__name__}: {first_line[:160]}"})


if __name__ == "__main__":
    main()
