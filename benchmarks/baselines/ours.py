"""gpt2-helpers, through its public functions; the option is the precision."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from workloads import OUR_TEXTS, Workload


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    if workload.kind == "cold start":
        return _command(workload, folder, option)
    from gpt2_helpers.tokenizer import Tokenizer

    if workload.kind == "tokenize":
        tokenizer = Tokenizer.load(folder)
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(tokenizer.encode(text))
    if workload.kind in ("finetune", "memory"):
        return _training(workload, folder, option)

    from gpt2_helpers.config import SamplingConfig
    from gpt2_helpers.session import Session

    session = Session()
    session.load_pretrained(folder.name, folder.parent, option)
    texts = workload.kind == "texts"
    config = SamplingConfig(
        length=workload.length,
        nsamples=OUR_TEXTS if texts else workload.batch,
        batch_size=workload.batch,
        temperature=1.0 if texts else 0.7,
        top_k=workload.top_k,
        top_p=workload.top_p,
    )

    def run() -> int | list[int] | str:
        written = list(session.generate("", config))
        if workload.kind == "most likely":
            return str(written[0])
        lengths = [text.n_tokens for text in written]
        return lengths if texts else sum(lengths)

    return run


def _command(workload: Workload, folder: Path, option: str) -> Any:
    """Run the command line as a user would."""
    from gpt2_helpers.cli.app import main

    options = {
        "--model-name": folder.name,
        "--model-dir": folder.parent,
        "--length": workload.length,
        "--top-k": workload.top_k,
        "--precision": option,
    }

    def run() -> int:
        code = main(["generate", *(str(word) for pair in options.items() for word in pair)])
        if code:
            raise RuntimeError(f"gpt2-helpers generate ended with {code}")
        return workload.length

    return run


def _training(workload: Workload, folder: Path, option: str) -> Any:
    from gpt2_helpers.checkpoint.model_files import load_model
    from gpt2_helpers.config import FinetuneConfig
    from gpt2_helpers.system.device import choose_precision
    from gpt2_helpers.training.trainer import Trainer

    config = FinetuneConfig(
        steps=-1,
        batch_size=workload.batch,
        accumulate_gradients=workload.accumulate,
        precision=option,
        use_memory_saving_gradients=workload.kind == "memory",
    )
    model = load_model(folder, choose_precision(option))
    tokens = np.random.default_rng(0).integers(0, model.config.n_vocab, 50_000)
    steps = iter(Trainer(model, tokens, config))

    def run() -> tuple[int, float]:
        count = 2 if workload.kind == "memory" else 1
        start = time.perf_counter()
        for _ in range(count):
            next(steps)
        return count, time.perf_counter() - start

    return run
