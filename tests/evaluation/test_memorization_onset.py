"""When a model begins to memorize: diverging losses and copied words."""

from __future__ import annotations

import pytest

from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.evaluation.memorization_onset import (
    copied_shares,
    diverging_losses,
    is_copying,
)

FALLING = [(step, 5.0 - 0.1 * step) for step in range(1, 31)]


def record(*validation: float, losses: list[tuple[int, float]] = FALLING) -> RunRecord:
    measured = [(10 * number, loss) for number, loss in enumerate(validation, 1)]
    return RunRecord(losses=losses, validation_losses=measured)


@pytest.mark.parametrize("validation", [(3.0,), (3.0, 2.0, 1.9), (3.0, 2.0, 2.01), ()])
def test_losses_that_fall_or_stay_do_not_diverge(validation: tuple[float, ...]) -> None:
    assert diverging_losses(record(*validation)) is None


def test_a_rising_validation_loss_and_a_falling_training_loss_diverge() -> None:
    trend = diverging_losses(record(3.0, 2.0, 2.1))
    assert trend is not None
    assert (trend.best_step, trend.best_loss, trend.step, trend.loss) == (20, 2.0, 30, 2.1)
    assert (trend.training_at_best, trend.training_loss) == pytest.approx((3.45, 2.45))


def test_a_rising_training_loss_is_no_memorization() -> None:
    rising = [(step, 1.0 + 0.1 * step) for step in range(1, 31)]
    assert diverging_losses(record(3.0, 2.0, 2.1, losses=rising)) is None


def test_only_losses_on_the_last_dataset_count() -> None:
    found = record(1.0, 2.0, 2.1)
    assert diverging_losses(found) is not None
    found.earlier_datasets = [("other.txt", None, 10)]
    trend = diverging_losses(found)
    assert trend is not None
    assert trend.best_step == 20
    found.earlier_datasets = [("other.txt", None, 20)]
    assert diverging_losses(found) is None


def test_the_share_of_copied_words_is_that_of_the_longest_runs() -> None:
    training = ["The cat sat on the mat. It was a ", "very cold night.", " Nobody came."]
    groups = [
        ["the cat sat on a chair", "it was a very cold day"],  # 4 of 6 and 5 of 6 words
        ["<|startoftext|>nobody was there"],
        [],
    ]
    assert copied_shares(groups, training) == [9 / 12, 0.0, 0.0]
    assert copied_shares(groups, []) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("samples", "validation"), [(0.1, 0.0), (0.5, 0.35), (1.0, 0.9)])
def test_samples_are_copied_if_they_exceed_the_validation_text(
    samples: float, validation: float
) -> None:
    assert is_copying(samples, validation)
    assert not is_copying(samples - 0.06, validation)
