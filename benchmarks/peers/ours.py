"""This project, through its public doors."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from works import OUR_TEXTS, Work


def prepare(work: Work, folder: Path, told: str) -> Any:
    """`told` is the precision."""
    if work.kind == "cold start":
        return _command(work, folder, told)
    from gpt2_helpers.tokenizer import Tokenizer

    if work.kind == "tokenize":
        tokenizer = Tokenizer.load(folder)
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(tokenizer.encode(text))
    if work.kind in ("finetune", "memory"):
        return _training(work, folder, told)

    from gpt2_helpers.config import SamplingConfig
    from gpt2_helpers.session import Session

    session = Session()
    session.load_pretrained(folder.name, folder.parent, told)
    texts = work.kind == "texts"
    config = SamplingConfig(
        length=work.length,
        nsamples=OUR_TEXTS if texts else work.batch,
        batch_size=work.batch,
        temperature=1.0 if texts else 0.7,
        top_k=work.top_k,
        top_p=work.top_p,
    )

    def run() -> int | list[int] | str:
        written = list(session.generate("", config))
        if work.kind == "likeliest":
            return str(written[0])
        lengths = [text.n_tokens for text in written]
        return lengths if texts else sum(lengths)

    return run


def _command(work: Work, folder: Path, told: str) -> Any:
    """The command as a user types it."""
    from gpt2_helpers.cli.app import main

    options = {
        "--model-name": folder.name,
        "--model-dir": folder.parent,
        "--length": work.length,
        "--top-k": work.top_k,
        "--precision": told,
    }

    def run() -> int:
        code = main(["generate", *(str(word) for pair in options.items() for word in pair)])
        if code:
            raise RuntimeError(f"gpt2-helpers generate ended with {code}")
        return work.length

    return run


def _training(work: Work, folder: Path, told: str) -> Any:
    from gpt2_helpers.checkpoint.model_files import load_model
    from gpt2_helpers.config import FinetuneConfig
    from gpt2_helpers.system.device import choose_precision
    from gpt2_helpers.training.trainer import Trainer

    config = FinetuneConfig(
        steps=-1,
        batch_size=work.batch,
        accumulate_gradients=work.accumulate,
        precision=told,
        use_memory_saving_gradients=work.kind == "memory",
    )
    model = load_model(folder, choose_precision(told))
    tokens = np.random.default_rng(0).integers(0, model.config.n_vocab, 50_000)
    steps = iter(Trainer(model, tokens, config))

    def run() -> tuple[int, float]:
        count = 2 if work.kind == "memory" else 1
        start = time.perf_counter()
        for _ in range(count):
            next(steps)
        return count, time.perf_counter() - start

    return run
