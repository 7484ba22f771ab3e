"""Compares `windows="stream"` and `windows="documents"` when finetuning `tiny` on tables.

Both see the same number of tokens. The loss is that of held-out rows, each predicted alone from its
start marker, as texts are generated:

    python benchmarks/document_windows.py
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from gpt2_helpers.cli.demo import FINETUNE, TITLES
from gpt2_helpers.config import FinetuneConfig, RunConfig
from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.documents import wrap_row
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.run import FinetuneRun
from gpt2_helpers.training.windows import make_windows, n_targets
from machine_info import machine

STORIES = TITLES.with_name("stories.txt")
SEEDS = (1, 2, 3)
STEPS = (75, 150, 300)
HELD_OUT = 0.1  # of the rows


def rows_of(path: Path) -> list[str]:
    """The rows of a table, or the paragraphs of a text."""
    if path.suffix == ".csv":
        return list(read_column(path, ReadReport()))
    return [part for part in path.read_text("utf-8").split("\n\n") if part.strip()]


def held_out_loss(model: GPT2, tokenizer: Tokenizer, rows: list[str]) -> float:
    """Nats per token of rows, each alone."""
    tokens = np.array(tokenizer.encode("".join(map(wrap_row, rows)), True))
    source = make_windows("documents", tokens, tokenizer, model.config.n_ctx, True)
    windows = source.validation(10**6)
    evaluate = tf.function(lambda window: model.loss(window, differentiable=False), autograph=False)
    losses = [float(evaluate(tf.constant(window[None]))) for window in windows]
    return float(np.average(losses, weights=[n_targets(window) for window in windows]))


def finetune(
    rows: list[str], held_out: list[str], windows: str, seed: int, folder: Path
) -> list[float]:
    """The held-out loss after each of `STEPS`."""
    table = folder / "rows.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["title"], *([row] for row in rows)])
    losses = []
    for done, steps in zip((0, *STEPS), STEPS, strict=False):
        options = FinetuneConfig(
            steps=steps - done,
            batch_size=FINETUNE.batch_size,
            accumulate_gradients=1,
            learning_rate=FINETUNE.learning_rate,
            seed=seed,
            windows=windows,
        )
        run = FinetuneRun(
            str(table),
            options,
            RunConfig(
                model_name="tiny",
                run_name=f"{windows}-{seed}",
                checkpoint_dir=str(folder),
                sample_every=0,
            ),
        )
        for _ in run:
            pass
        losses.append(held_out_loss(run.model, run.tokenizer, held_out))
    return losses


def main() -> None:
    print(machine())
    for path in (TITLES, STORIES):
        rows = rows_of(path)
        cut = round(len(rows) * (1 - HELD_OUT))
        print(
            f"\n{path.name}: {cut:,} rows, {len(rows) - cut:,} held out; mean of {len(SEEDS)} seeds"
        )
        print("\n| windows | " + " | ".join(f"{steps} steps" for steps in STEPS) + " |")
        print("|---|" + "---|" * len(STEPS))
        for windows in ("stream", "documents"):
            with tempfile.TemporaryDirectory() as folder:
                losses = [
                    finetune(rows[:cut], rows[cut:], windows, seed, Path(folder)) for seed in SEEDS
                ]
            means = np.mean(losses, axis=0)
            print(f"| {windows} | " + " | ".join(f"{loss:.3f}" for loss in means) + " |")


if __name__ == "__main__":
    main()
