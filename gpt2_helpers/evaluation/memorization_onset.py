"""When a model begins to memorize its training text: the definition, in losses and copied words.

docs/training.md has it in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.evaluation.generated_index import GeneratedIndex
from gpt2_helpers.evaluation.memorization_check import group_pieces
from gpt2_helpers.evaluation.similarity import without_markers
from gpt2_helpers.evaluation.training_advice import LOSS_TOLERANCE, mean
from gpt2_helpers.evaluation.training_text import Piece
from gpt2_helpers.evaluation.words import split_words

COPIED_MARGIN = 0.1  # by which the share of copied words must exceed that of the validation text


@dataclass(frozen=True)
class LossTrend:
    """The validation loss rises although the training loss falls.

    Attributes:
        best_step, best_loss: The lowest validation loss.
        step, loss: The last validation loss.
        training_at_best, training_loss: The mean training loss of the steps between the best
            evaluation and the one before it, and of those since the last but one evaluation.
    """

    best_step: int
    best_loss: float
    step: int
    loss: float
    training_at_best: float
    training_loss: float


def diverging_losses(record: RunRecord) -> LossTrend | None:
    """Return how the losses of a run diverge; None if they do not.

    They do if the last validation loss is more than 1 % above the lowest one, and the training loss
    is lower than at the lowest one.

    >>> losses = [(step, 3.0 - 0.1 * step) for step in range(1, 13)]
    >>> trend = diverging_losses(
    ...     RunRecord(losses=losses, validation_losses=[(4, 2.9), (8, 2.8), (12, 3.0)])
    ... )
    >>> trend.best_step, round(trend.training_at_best, 2), round(trend.training_loss, 2)
    (8, 2.35, 1.95)
    """
    first = record.earlier_datasets[-1][2] if record.earlier_datasets else 0
    validation = [pair for pair in record.validation_losses if pair[0] > first]
    if len(validation) < 2:
        return None
    steps = [first, *(step for step, _ in validation)]
    best = min(range(len(validation)), key=lambda order: validation[order][1])

    def training_loss(order: int) -> float | None:
        losses = [loss for step, loss in record.losses if steps[order] < step <= steps[order + 1]]
        return mean(losses) if losses else None

    (best_step, best_loss), (step, loss) = validation[best], validation[-1]
    before, now = training_loss(best), training_loss(len(validation) - 1)
    if before is None or now is None or now >= before or loss <= best_loss * (1 + LOSS_TOLERANCE):
        return None
    return LossTrend(best_step, best_loss, step, loss, before, now)


def copied_shares(groups: Sequence[Sequence[str]], training_text: Iterable[str]) -> list[float]:
    """How much of some texts is copied: the words of the longest run that each text has in common
    with the training text, divided by the words of all texts.

    Args:
        groups: Groups of texts.
        training_text: The training text, in parts that follow each other.

    Returns:
        The share for each group, from 0 to 1.

    >>> groups = [["the cat sat on it"], ["it was a cat"]]
    >>> copied_shares(groups, ["Here the cat sat on", " the mat."])
    [0.8, 0.0]
    """
    index = GeneratedIndex([text for texts in groups for text in texts])
    pieces = (Piece(text, is_short=False, is_end=False) for text in training_text)
    for block in group_pieces(pieces, index.longest_text):
        index.add(index.find_long_runs(block.texts))
    runs = iter([match.run for match in index.matches()])
    shares = []
    for texts in groups:
        copied = sum(next(runs) for _ in texts)
        words = sum(len(split_words(without_markers(text))) for text in texts)
        shares.append(copied / max(1, words))
    return shares


def is_copying(samples: float, validation: float) -> bool:
    """Whether samples are copied from the training text more than new text of the same kind is.

    Args:
        samples: The share of copied words in samples of the model, see `copied_shares`.
        validation: That in the validation text, which the model has not seen.
    """
    return samples >= validation + COPIED_MARGIN
