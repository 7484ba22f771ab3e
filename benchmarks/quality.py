"""The cost of lower precision: perplexity when decoding, and validation loss after finetuning.

    python benchmarks/quality.py

Uses the bundled model: texts that it generated in 32 bits, which nothing predicts better;
data/stories.txt, which it was not trained on; and the demo's finetuning. The limits are in
tests/benchmarks/test_quality.py.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.cli.demo import FINETUNE, RUN, TITLES
from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig, SamplingConfig
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.run import FinetuneRun
from machine_info import machine

STORIES = TITLES.with_name("stories.txt")
ROWS = 16  # batch size
DECODING = ("float32", "bfloat16", "float16", "int8")
TRAINING = ("float32", "bfloat16")


def held_out_ids(rows: int = ROWS) -> NDArray[np.int32]:
    """Ids (rows, n_ctx) of passages spread evenly over the stories."""
    tokenizer, n_ctx = Tokenizer.load(BUNDLED_FOLDER), ModelConfig.load(BUNDLED_FOLDER).n_ctx
    ids = np.array(tokenizer.encode(STORIES.read_text(encoding="utf-8")), np.int32)
    starts = np.linspace(0, len(ids) - n_ctx, rows).astype(int)
    return np.stack([ids[start : start + n_ctx] for start in starts])


def own_ids(model: GPT2, rows: int = ROWS, length: int = 200) -> NDArray[np.int32]:
    """Ids (rows, length) of texts that the model generates in 32 bits at temperature 1."""
    tokenizer, before = Tokenizer.load(BUNDLED_FOLDER), model.decoding_precision
    model.decoding_precision = "float32"
    config = SamplingConfig(
        length=model.config.n_ctx, temperature=1.0, nsamples=2 * rows, batch_size=rows, seed=1
    )
    results = in_order(generate(DecoderPool(model), tokenizer, "", config))
    ids = [tokenizer.encode(result.text) for result in results]
    model.decoding_precision = before
    return np.array([row[:length] for row in ids if len(row) >= length][:rows], np.int32)


def perplexity(model: GPT2, ids: NDArray[np.int32], precision: str) -> float:
    """Perplexity of `ids` (rows, time) without the first column, with teacher forcing."""
    rows, time = ids.shape
    decoder = DecoderPool(model).get(rows, time, precision)
    losses = []
    for position in range(time - 1):
        logits = decoder.logits(ids[:, position], np.full(rows, position, np.int32))
        logits = logits.astype(np.float64)  # (rows, n_vocab)
        logits -= logits.max(axis=-1, keepdims=True)
        target_logits = logits[np.arange(rows), ids[:, position + 1]]
        losses.append(np.log(np.exp(logits).sum(axis=-1)) - target_logits)
    return math.exp(np.mean(losses))


def finetuned_loss(
    precision: str,
    folder: Path,
    steps: int = FINETUNE.steps,
    batch_size: int = FINETUNE.batch_size,
) -> float:
    """The validation loss after `steps` steps of the demo's finetuning, in nats per token."""
    finetune = dataclasses.replace(
        FINETUNE,
        precision=precision,
        batch_size=batch_size,
        steps=steps,
        warmup_steps=FINETUNE.warmup_steps * steps // FINETUNE.steps,
        eval_every=steps,
    )
    run = dataclasses.replace(RUN, run_name=precision, checkpoint_dir=str(folder))
    *_, last = FinetuneRun(TITLES, finetune, run)
    assert last.validation_loss is not None
    return last.validation_loss


def change(value: float, before: float) -> float:
    """Relative change from `before` to `value`.

    >>> round(change(101.0, 100.0), 6)
    0.01
    """
    return value / before - 1


def main() -> None:
    print(machine())
    model = load_model(BUNDLED_FOLDER)
    for name, ids in (("its own texts", own_ids(model)), (STORIES.name, held_out_ids())):
        print(f"\nDecoding {ids.size - len(ids):,} tokens of {name}\n")
        print("| precision | perplexity | change |\n|---|---|---|")
        found = {precision: perplexity(model, ids, precision) for precision in DECODING}
        for precision, value in found.items():
            print(f"| {precision} | {value:.2f} | {change(value, found['float32']):+.2%} |")
    print(f"\nFinetuning, {FINETUNE.steps} steps on {TITLES.name}\n")
    print("| precision | validation loss | change |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        found = {precision: finetuned_loss(precision, Path(folder)) for precision in TRAINING}
    for precision, value in found.items():
        print(f"| {precision} | {value:.4f} | {change(value, found['float32']):+.2%} |")


if __name__ == "__main__":
    main()
