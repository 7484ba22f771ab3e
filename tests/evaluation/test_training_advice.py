"""Advice on how long to train."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.evaluation.training_advice import training_advice


def noisy(first: float, last: float, steps: int) -> list[tuple[int, float]]:
    """Losses with the noise of small batches."""
    noise = np.random.default_rng(1).normal(0, 0.15, steps)
    losses = np.linspace(first, last, steps) + noise
    return [(step, float(loss)) for step, loss in enumerate(losses, 1)]


def test_less_than_one_epoch_recommends_more_steps() -> None:
    record = RunRecord(losses=noisy(4, 4, 40), dataset_tokens=100_000, tokens_per_step=1000)
    assert training_advice(record, record.epochs(40)) == [
        "Training has gone through only 40% of the text: train for more steps (one epoch is "
        "100 steps)."
    ]
    record.validation_losses = [(20, 4.0), (40, 4.001)]
    (line,) = training_advice(record, record.epochs(40))
    assert line.startswith("Training has gone through only 40% of the text")


def test_a_falling_training_loss_recommends_more_steps() -> None:
    (line,) = training_advice(RunRecord(losses=noisy(5, 3, 100)), epochs=3)
    assert line.startswith("The training loss was still falling at step 100 (3.73 to 3.22")


@pytest.mark.parametrize("losses", [noisy(3, 3, 100), noisy(3, 2.98, 100), noisy(5, 3, 10), []])
def test_no_trend_gives_no_advice(losses: list[tuple[int, float]]) -> None:
    assert training_advice(RunRecord(losses=losses), epochs=3) == []


def test_steps_that_were_not_kept_do_not_count() -> None:
    falling = noisy(5, 3, 100)
    flat = [(step + 100, loss) for step, loss in noisy(3, 3, 100)]
    record = RunRecord(losses=falling + flat, checkpoints=[100])
    assert training_advice(record, epochs=3)
    record.checkpoints = [200]
    assert not training_advice(record, epochs=3)


def test_a_very_low_training_loss_is_memorization() -> None:
    falling = RunRecord(losses=[(step, loss / 10) for step, loss in noisy(5, 3, 100)])
    (line,) = training_advice(falling, epochs=12)
    assert line == (
        "The training loss is only 0.32 after 12 epochs: unless the text is very regular, the "
        "model has memorized parts of it. validation_split=0.05 would show when that starts."
    )
    (line,) = training_advice(falling, epochs=2)
    assert "still falling" in line, "each text was seen only twice"
    assert training_advice(RunRecord(losses=noisy(0.6, 0.6, 100)), epochs=12) == []


def test_losses_on_an_earlier_dataset_do_not_count() -> None:
    record = RunRecord(losses=noisy(3, 3, 100) + [(s + 100, v) for s, v in noisy(5, 3, 100)])
    assert training_advice(record, epochs=3)
    record.earlier_datasets = [("old.txt", None, 190)]
    assert not training_advice(record, epochs=3)


def test_a_memorizing_run_is_not_trained_longer() -> None:
    assert training_advice(RunRecord(losses=noisy(5, 3, 100)), 0.5, is_memorizing=True) == []


@pytest.mark.parametrize(("dropout", "remedy"), [(0.0, "text or dropout=0.1."), (0.1, "text.")])
def test_dropout_is_recommended_to_runs_without_it(dropout: float, remedy: str) -> None:
    record = RunRecord(
        losses=noisy(1, 1, 40),
        validation_losses=[(20, 2.0), (40, 2.0)],
        parameters={"dropout": dropout},
    )
    (line,) = training_advice(record, epochs=3)
    assert line.endswith(f"more steps would only increase memorization; use more {remedy}")
