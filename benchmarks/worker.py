"""One peer at one work, in a process of its own: `compare.py` starts it and says when to run.

    python worker.py VARIANT WORK FOLDER

Loads and warms up, prints a line of JSON, then runs once for each line that it reads and prints
what that took. What libraries print goes to stderr.
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

from rounds import most_held
from works import END_ODDS, LIKELIEST, WORKS, Work

# A run returns its units (tokens, texts, steps), or those and its own seconds; of texts that end by
# themselves how many tokens each has; and at LIKELIEST what was written.
Run = Callable[[], Any]
Variant = tuple[str, str]  # a module of peers/ and what it is told

VARIANTS: dict[str, Variant] = {
    "gpt2-helpers": ("ours", "auto"),
    "gpt2-helpers fp32": ("ours", "float32"),
    "gpt-2-simple": ("gpt_2_simple_peer", ""),
    "transformers fp32": ("transformers_peer", "fp32"),
    "transformers fp32 compiled": ("transformers_peer", "fp32 compiled"),
    "transformers bf16": ("transformers_peer", "bf16"),
    "transformers bf16 compiled": ("transformers_peer", "bf16 compiled"),
    "KerasHub fp32": ("keras_hub_peer", "float32"),
    "KerasHub bf16": ("keras_hub_peer", "mixed_bfloat16"),
    "CTranslate2 fp32": ("ctranslate2_peer", "float32"),
    "CTranslate2 int8": ("ctranslate2_peer", "int8"),
}


def mean_length(lengths: list[int]) -> float:
    """The mean of so many tokens each. Raises ValueError where it is not what `END_ODDS` makes it:
    who ends every text at once would seem fast."""
    usual, mean = 1 / END_ODDS, sum(lengths) / len(lengths)
    if not usual / 2 <= mean <= usual * 2:
        raise ValueError(f"texts have {mean:.1f} tokens in the mean, where {usual:.0f} are right")
    return mean


def main() -> None:
    variant, name, folder = sys.argv[1:4]
    protocol = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else is printed

    def tell(values: dict[str, Any]) -> None:
        protocol.write(json.dumps(values) + "\n")

    module, told = VARIANTS[variant]
    work: Work = next(work for work in (*WORKS, LIKELIEST) if work.name == name)
    try:
        peer = importlib.import_module(f"peers.{module}")
        run: Run = peer.prepare(work, Path(folder), told)
        if work.kind not in ("tokenize", "memory", "likeliest"):
            run()
        tell({"ready": True})
        for _ in sys.stdin:
            start = time.perf_counter()
            result = run()
            seconds = time.perf_counter() - start
            if isinstance(result, tuple):
                result, seconds = result
            answer: dict[str, Any] = {"seconds": seconds, "peak": most_held() / 2**30}
            if isinstance(result, list):
                answer["tokens a text"], result = mean_length(result), len(result)
            if isinstance(result, str):
                answer["text"], result = result, 1
            tell({"units": result, **answer})
    except BaseException as error:
        import traceback

        traceback.print_exc()
        first, *_ = str(error).strip().splitlines() or [""]  # the last is often a hint for all
        tell({"error": f"{type(error).__name__}: {first[:160]}"})


if __name__ == "__main__":
    main()
