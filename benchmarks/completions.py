"""Compares training on completions alone with training on prompts and completions alike.

Both finetune `tiny` on data/dishes.jsonl, with the same sequences and number of steps. The loss is
that of the completions of held-out records:

    nice -n 19 python benchmarks/completions.py [--steps 50 100 200] [--seeds 1 2]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import BUNDLED_FOLDER, FinetuneConfig
from gpt2_helpers.data.batches import WindowSource
from gpt2_helpers.data.dataset import load_dataset, train_validation_split
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.trainer import Trainer
from gpt2_helpers.training.windows import DOCUMENTS, make_windows
from machine_info import machine

DISHES = Path(__file__).parents[1] / "data" / "dishes.jsonl"
HELD_OUT = 0.1  # of the records


def windows(tokenizer: Tokenizer, n_ctx: int, is_masked: bool) -> tuple[WindowSource, WindowSource]:
    """The training windows, and validation windows in which only completions are predicted."""
    train, held_out = train_validation_split(load_dataset(DISHES, tokenizer), HELD_OUT)
    return (
        make_windows(DOCUMENTS, train.tokens, tokenizer, n_ctx, True, is_masked),
        make_windows(DOCUMENTS, held_out.tokens, tokenizer, n_ctx, True, True),
    )


def losses(is_masked: bool, steps: list[int], seed: int) -> list[float]:
    """The held-out loss of the completions after each number of steps, in nats per token."""
    model, tokenizer = load_model(BUNDLED_FOLDER), Tokenizer.load(BUNDLED_FOLDER)
    train, held_out = windows(tokenizer, model.config.n_ctx, is_masked)
    config = FinetuneConfig(
        steps=max(steps),
        batch_size=4,
        accumulate_gradients=1,
        learning_rate=0.001,
        seed=seed,
        eval_every=10**9,
    )
    trainer = Trainer(model, train, config, held_out)
    found = []
    for progress in trainer:
        if progress.step in steps:
            found.append(trainer.validation_loss())
    return found


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    print(machine())
    print("| loss of | " + " | ".join(f"{steps} steps" for steps in options.steps) + " |")
    print("|---|" + "---|" * len(options.steps))
    for is_masked, name in ((True, "completions"), (False, "the whole text")):
        runs = [losses(is_masked, options.steps, seed) for seed in options.seeds]
        means = np.mean(runs, axis=0)
        print(f"| {name} | " + " | ".join(f"{loss:.3f}" for loss in means) + " |", flush=True)


if __name__ == "__main__":
    main()
