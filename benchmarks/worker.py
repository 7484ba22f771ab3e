"""Runs one variant of a library on one workload; `compare.py` starts it and says when to run.

    python worker.py VARIANT WORKLOAD FOLDER

See `gpt2_helpers.bench.worker` for what it prints.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from gpt2_helpers.bench.worker import serve
from gpt2_helpers.bench.workload import Workload
from workloads import MOST_LIKELY, WORKLOADS

Variant = tuple[str, str]  # a module and its option

VARIANTS: dict[str, Variant] = {
    "gpt2-helpers": ("baselines.ours", "auto"),
    "gpt2-helpers fp32": ("baselines.ours", "float32"),
    "gpt-2-simple": ("baselines.gpt_2_simple_baseline", ""),
    "transformers fp32": ("gpt2_helpers.bench.transformers_baseline", "fp32"),
    "transformers fp32 compiled": ("gpt2_helpers.bench.transformers_baseline", "fp32 compiled"),
    "transformers bf16": ("gpt2_helpers.bench.transformers_baseline", "bf16"),
    "transformers bf16 compiled": ("gpt2_helpers.bench.transformers_baseline", "bf16 compiled"),
    "KerasHub fp32": ("baselines.keras_hub_baseline", "float32"),
    "KerasHub bf16": ("baselines.keras_hub_baseline", "mixed_bfloat16"),
    "CTranslate2 fp32": ("baselines.ctranslate2_baseline", "float32"),
    "CTranslate2 int8": ("baselines.ctranslate2_baseline", "int8"),
    "onnxruntime fp32": ("baselines.onnxruntime_baseline", "fp32"),
    "onnxruntime int8": ("baselines.onnxruntime_baseline", "int8"),
}


def main() -> None:
    variant, name, folder = sys.argv[1:4]
    module, option = VARIANTS[variant]
    workload: Workload = next(each for each in (*WORKLOADS, MOST_LIKELY) if each.name == name)
    serve(workload, lambda: importlib.import_module(module).prepare(workload, Path(folder), option))


if __name__ == "__main__":
    main()
