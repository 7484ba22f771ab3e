"""gpt2-helpers, through its public functions; the option is the precision."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.bench.workload import COMPARED, OUR_TEXTS, Workload
from gpt2_helpers.tokenizer import Tokenizer


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    """Load the model for a workload; returns a function that runs one round of it.

    Args:
        workload: What is measured.
        folder: The model, in OpenAI's layout, and for "tokenize" and "prompt" a file text.txt.
        option: The precision, or "auto".
    """
    if workload.kind == "agreement":
        return _agreement(folder, option)
    if workload.kind == "tokenize":
        tokenizer = Tokenizer.load(folder)
        text = (folder / "text.txt").read_text(encoding="utf-8")
        return lambda: len(tokenizer.encode(text))
    if workload.is_training:
        return _training(workload, folder, option)

    from gpt2_helpers.config import SamplingConfig
    from gpt2_helpers.session import Session

    session = Session()
    session.load_pretrained(folder.name, folder.parent, option)
    texts = workload.kind == "texts"
    prompts = prompts_of(workload, folder)
    config = SamplingConfig(
        nsamples=OUR_TEXTS if texts else workload.batch,
        batch_size=workload.batch,
        temperature=1.0 if texts else 0.7,
        top_k=workload.top_k,
        top_p=workload.top_p,
    )

    def run() -> int | list[int] | str:
        written: list[Any] = []
        for _ in range(workload.keystrokes):
            prompt = next(prompts)
            length = len(prompt) + workload.length
            text = session.tokenizer.decode(prompt)
            written += session.generate(text, replace(config, length=length))
        if workload.kind == "most likely":
            return str(written[0])
        lengths = [text.n_tokens for text in written]
        return lengths if texts else sum(lengths)

    return run


def prompts_of(workload: Workload, folder: Path) -> Iterator[list[int]]:
    """The prompts of all rounds, as long as the workload says.

    The first tokens of each round differ, so that its prompts do not begin like earlier ones, which
    a decoder may still have in its cache.
    """
    if not workload.prompt:
        yield from itertools.repeat([])
    text = (folder / "text.txt").read_text(encoding="utf-8")[: 20 * workload.prompt]
    tokenizer = Tokenizer.load(folder)
    for number in itertools.count(1):
        prompt = tokenizer.encode(f"{number}. {text}")[: workload.prompt]
        yield prompt
        typed = len(tokenizer.decode(prompt))
        for end in range(typed + 1, typed + workload.keystrokes):
            yield tokenizer.encode(f"{number}. {text}"[:end])


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
        start = time.perf_counter()
        next(steps)
        return 1, time.perf_counter() - start

    return run


def _agreement(folder: Path, option: str) -> Any:
    """Compare logits of the precision that this device generates in with those of fp32 on the
    processor, at positions of a text."""
    from gpt2_helpers.checkpoint.model_files import load_model
    from gpt2_helpers.loaded_model import load_pretrained

    def run() -> dict[str, Any]:
        import tensorflow as tf

        loaded = load_pretrained(folder.name, folder.parent, option)
        precision = loaded.model.decoding_precision
        length = min(2 * COMPARED, loaded.model.config.n_ctx)
        text = (folder / "text.txt").read_text(encoding="utf-8")
        ids = np.array(loaded.tokenizer.encode(text[: 20 * length])[:length], np.int32)
        start = max(0, len(ids) - COMPARED)
        decoder = loaded.decoders.get(1, length, precision)
        decoder.prefill(0, ids[:start].tolist())
        steps = (
            decoder.logits(ids[at : at + 1], np.array([at], np.int32))[0].copy()
            for at in range(start, len(ids))
        )
        found = np.stack(list(steps))  # (position, n_vocab)
        with tf.device("CPU:0"):
            model = load_model(folder, "float32")
            exact = model.logits(ids[None]).numpy()[0, start:]
        return {
            "precision": precision,
            "max_difference": float(np.abs(found - exact).max()),
            "deviation": float(exact.std()),
            "same_most_likely": float(np.mean(found.argmax(1) == exact.argmax(1))),
        }

    return run
