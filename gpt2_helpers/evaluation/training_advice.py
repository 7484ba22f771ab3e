"""Advice on how long to train, from the losses in a run's record."""

from __future__ import annotations

import math

from gpt2_helpers.checkpoint.run_record import RunRecord

Losses = list[tuple[int, float]]

LOSS_TOLERANCE = 0.01  # relative difference below which two losses count as equal
OVERFITTING_GAP = 0.2  # nats per token between training and validation loss
MIN_TREND_STEPS = 40  # without validation, fewer steps show no trend
# Without validation, a loss below this after so many epochs means memorization, unless the text is
# as regular as a filled-in form. English that the model has not seen has 1 to 4 nats per token.
MEMORIZING_LOSS, MEMORIZING_EPOCHS = 0.5, 3
_STANDARD_ERRORS = 3.0  # by which the training loss must fall to count as falling


def training_advice(
    record: RunRecord, epochs: float | None = None, is_memorizing: bool = False
) -> list[str]:
    """Recommend more or fewer steps, based on a run's losses.

    Args:
        record: The run's record.
        epochs: How many times training went through the dataset.
        is_memorizing: Whether many generated texts are copies, so that more steps would not help.

    Returns:
        Sentences; an empty list if there is nothing to recommend.
    """
    first = record.earlier_datasets[-1][2] if record.earlier_datasets else 0
    last = record.checkpoints[-1] if record.checkpoints else math.inf
    losses = [pair for pair in record.losses if first < pair[0] <= last]
    validation = [pair for pair in record.validation_losses if first < pair[0] <= last]
    if len(validation) >= 2:
        is_last = len(validation) == len(record.validation_losses)
        has_dropout = bool(record.parameters.get("dropout"))
        return _validation_advice(losses, validation, is_last, epochs, has_dropout)
    if is_memorizing:
        return []
    if epochs is not None and epochs < 1:
        return [_first_epoch(epochs, record)]
    return _memorizing_advice(losses, epochs) or _training_loss_advice(losses)


def _first_epoch(epochs: float, record: RunRecord | None = None) -> str:
    text = f"Training has gone through only {epochs:.0%} of the text: train for more steps"
    if record is not None and record.tokens_per_step:
        steps = math.ceil(record.dataset_tokens / record.tokens_per_step)
        text += f" (one epoch is {steps:,} steps)"
    return f"{text}."


def _memorizing_advice(losses: Losses, epochs: float | None) -> list[str]:
    """Warn if the loss of the last quarter of the steps is too low for a text that is new."""
    last = [loss for _, loss in losses[-max(1, len(losses) // 4) :]]
    if epochs is None or epochs < MEMORIZING_EPOCHS or not last or mean(last) >= MEMORIZING_LOSS:
        return []
    return [
        f"The training loss is only {mean(last):.2f} after {epochs:,.0f} epochs: unless the text "
        "is very regular, the model has memorized parts of it. validation_split=0.05 would show "
        "when that starts."
    ]


def _training_loss_advice(losses: Losses) -> list[str]:
    """Recommend more steps if the loss fell from the third to the last quarter of the steps."""
    quarter = len(losses) // 4
    if len(losses) < MIN_TREND_STEPS:
        return []
    before = [loss for _, loss in losses[-2 * quarter : -quarter]]
    last = [loss for _, loss in losses[-quarter:]]
    drop = mean(before) - mean(last)
    error = math.sqrt((_variance(before) + _variance(last)) / quarter)
    if drop <= max(LOSS_TOLERANCE * mean(before), _STANDARD_ERRORS * error):
        return []
    return [
        f"The training loss was still falling at step {losses[-1][0]:,} ({mean(before):.2f} to "
        f"{mean(last):.2f} on average): train for more steps."
    ]


def _validation_advice(
    losses: Losses,
    validation: Losses,
    is_last: bool,
    epochs: float | None,
    has_dropout: bool,
) -> list[str]:
    """Return what the validation losses recommend. `is_last`: no later one was recorded."""
    last_step, last_loss = validation[-1]
    best_step, best_loss = min(validation, key=lambda pair: pair[1])
    previous_step, previous_loss = validation[-2]
    recent = [loss for step, loss in losses if previous_step < step <= last_step]
    gap = last_loss - sum(recent) / len(recent) if recent else 0.0
    gap_text = f"the training loss is {gap:.2f} below the validation loss"
    has_gap = gap >= OVERFITTING_GAP
    if last_loss > best_loss * (1 + LOSS_TOLERANCE):
        rise_text = (
            f"the validation loss was best at step {best_step:,} of {last_step:,} "
            f"({best_loss:.2f}, now {last_loss:.2f})"
        )
        reason = f"{gap_text}, and {rise_text}" if has_gap else rise_text
        return [
            f"{_capitalize(reason)}: train for about {best_step:,} steps, or set "
            "early_stopping_patience=3 to keep the best checkpoint."
        ]
    if last_loss < previous_loss * (1 - LOSS_TOLERANCE):
        still_falling = (
            f"The validation loss was still falling at step {last_step:,} ({previous_loss:.2f} to "
            f"{last_loss:.2f}): train for more steps."
        )
        return [still_falling] if is_last else []
    if has_gap:
        remedy = "use more text" if has_dropout else "use more text or dropout=0.1"
        return [
            f"{_capitalize(gap_text)}, which has stopped falling: more steps would only increase "
            f"memorization; {remedy}."
        ]
    return [_first_epoch(epochs)] if epochs is not None and epochs < 1 else []


def mean(values: list[float]) -> float:
    """The arithmetic mean of at least one number."""
    return sum(values) / len(values)


def _variance(values: list[float]) -> float:
    average = mean(values)
    return sum((value - average) ** 2 for value in values) / max(1, len(values) - 1)


def _capitalize(text: str) -> str:
    return text[0].upper() + text[1:]
