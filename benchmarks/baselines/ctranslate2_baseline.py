"""CTranslate2, which only generates; the option is its compute type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpt2_helpers.bench.ours import prompts_of
from gpt2_helpers.bench.workload import BASELINE_TEXTS, Workload
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    import ctranslate2

    generator = ctranslate2.Generator(
        str(folder.with_name(f"{folder.name}-ctranslate2")),
        compute_type=option,
        intra_threads=device.cores(),
    )
    texts = workload.kind == "texts"
    options: dict[str, Any] = {
        "max_length": workload.length,
        "sampling_topk": workload.top_k,
        "sampling_topp": workload.top_p or 1.0,
        "sampling_temperature": 1.0 if texts else 0.7,
        "include_prompt_in_result": False,
    }
    if texts:
        options["end_token"] = "<|endoftext|>"
        options["max_batch_size"] = workload.batch
    else:
        options["end_token"] = []
        options["min_length"] = workload.length

    vocabulary = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    pieces = {number: piece for piece, number in vocabulary.items()}
    prompts = prompts_of(workload, folder)

    def run() -> int | list[int] | str:
        count = BASELINE_TEXTS if texts else workload.batch
        results = []
        for _ in range(workload.keystrokes):
            prompt = [pieces[number] for number in next(prompts)] or ["<|endoftext|>"]
            results += generator.generate_batch([prompt] * count, **options)
        if workload.kind == "most likely":
            return Tokenizer.load(folder).decode(results[0].sequences_ids[0])
        lengths = [len(result.sequences_ids[0]) for result in results]
        return lengths if texts else sum(lengths)

    return run
