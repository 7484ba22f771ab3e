"""CTranslate2, which only generates; told a compute type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from works import THEIR_TEXTS, Work


def prepare(work: Work, folder: Path, told: str) -> Any:
    import ctranslate2

    generator = ctranslate2.Generator(
        str(folder.with_name(f"{folder.name}-ctranslate2")),
        compute_type=told,
        intra_threads=device.cores(),
    )
    texts = work.kind == "texts"
    options: dict[str, Any] = {
        "max_length": work.length,
        "sampling_topk": work.top_k,
        "sampling_topp": work.top_p or 1.0,
        "sampling_temperature": 1.0 if texts else 0.7,
        "include_prompt_in_result": False,
    }
    if texts:
        options["end_token"] = "<|endoftext|>"
        options["max_batch_size"] = work.batch
    else:
        options["end_token"] = []
        options["min_length"] = work.length

    def run() -> int | list[int] | str:
        count = THEIR_TEXTS if texts else work.batch
        results = generator.generate_batch([["<|endoftext|>"]] * count, **options)
        if work.kind == "likeliest":
            return Tokenizer.load(folder).decode(results[0].sequences_ids[0])
        lengths = [len(result.sequences_ids[0]) for result in results]
        return lengths if texts else sum(lengths)

    return run
