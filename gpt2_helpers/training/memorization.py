"""Watches for the step at which a run begins to memorize its training text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.errors import OutOfMemoryError
from gpt2_helpers.evaluation.memorization_onset import (
    LossTrend,
    copied_shares,
    diverging_losses,
    is_copying,
)
from gpt2_helpers.tokenizer import COMPLETION_MARKER, END_OF_TEXT, Tokenizer
from gpt2_helpers.training.callbacks import SampleWriter
from gpt2_helpers.training.trainer import Progress

N_SAMPLES, SAMPLE_TOKENS = 32, 40
_BLOCK = 1 << 18  # tokens of training text that are decoded at a time
_DOCUMENT_TOKENS = 1000  # of the validation data, in which a document is looked for


class MemorizationMonitor:
    """Says when memorization begins, and keeps the step in the run's record.

    Texts are sampled only while the losses diverge, see `diverging_losses`.

    Args:
        record: The run's record, with the losses.
        samples: Generates texts with the model in training.
        tokenizer: That model's tokenizer.
        training: Token ids of the training data.
        validation: Token ids of the validation data.
        has_documents: Whether the data consists of documents that are as short as samples.
        prompt: What samples continue. Defaults to None: random prompts, see `SampleWriter`.
    """

    def __init__(
        self,
        record: RunRecord,
        samples: SampleWriter,
        tokenizer: Tokenizer,
        training: NDArray[np.integer],
        validation: NDArray[np.integer],
        has_documents: bool,
        prompt: str | None = None,
    ) -> None:
        self._record, self._samples, self._tokenizer = record, samples, tokenizer
        self._training, self._validation = training, validation
        self._has_documents, self._prompt = has_documents, prompt

    def update(self, progress: Progress) -> str | None:
        """Look at the losses after an evaluation, and at samples if the losses diverge.

        Args:
            progress: A step with a validation loss, which the record has already.

        Returns:
            A line for the user if memorization begins, or if it could not be examined.
        """
        if progress.is_best:
            self._record.memorized_from = 0
        trend = diverging_losses(self._record)
        if trend is None or self._record.memorized_from:
            return None
        try:
            size = (N_SAMPLES, SAMPLE_TOKENS)
            texts = self._samples.continuations(progress.step, *size, self._prompt)
        except OutOfMemoryError:
            return (
                f"step {progress.step:,}: the validation loss rises while the training loss falls, "
                "but there is too little memory for the samples that would show memorization"
            )
        copied, expected = copied_shares([texts, self._excerpts()], self._training_text())
        if not is_copying(copied, expected):
            return None
        self._record.memorized_from = progress.step
        return _onset_line(trend, copied, expected)

    @property
    def n_evaluations(self) -> int:
        """Number of evaluations since memorization began, with the one that found it."""
        start = self._record.memorized_from
        return sum(step >= start for step, _ in self._record.validation_losses) if start else 0

    def _training_text(self) -> Iterator[str]:
        for start in range(0, len(self._training), _BLOCK):
            yield self._tokenizer.decode(self._training[start : start + _BLOCK])

    def _excerpts(self) -> list[str]:
        """Texts of the validation data that are as long as the samples."""
        tokens, decode = self._validation, self._tokenizer.decode
        starts = np.arange(len(tokens))
        if self._has_documents:
            ends = np.flatnonzero(tokens == self._tokenizer.end_of_text) + 1
            starts = np.append(0, ends[ends < len(tokens)])
        chosen = starts[:: max(1, len(starts) // N_SAMPLES)][:N_SAMPLES].tolist()
        if not self._has_documents:
            parts = (decode(tokens[start : start + SAMPLE_TOKENS]) for start in chosen)
            # The first word may be cut.
            return [part.partition(" ")[2] or part for part in parts]
        excerpts = []
        for start in chosen:
            text = decode(tokens[start : start + _DOCUMENT_TOKENS]).partition(END_OF_TEXT)[0]
            text = text.partition(COMPLETION_MARKER)[2] or text
            excerpts.append(decode(self._tokenizer.encode(text, special=True)[:SAMPLE_TOKENS]))
        return excerpts


def _onset_line(trend: LossTrend, copied: float, expected: float) -> str:
    return (
        f"memorization begins at step {trend.step:,}: since step {trend.best_step:,} the "
        f"validation loss has risen from {trend.best_loss:.2f} to {trend.loss:.2f} and the "
        f"training loss has fallen from {trend.training_at_best:.2f} to {trend.training_loss:.2f}; "
        f"{copied:.0%} of the words of samples are in runs copied from the training text, "
        f"{expected:.0%} of those of the validation text"
    )
