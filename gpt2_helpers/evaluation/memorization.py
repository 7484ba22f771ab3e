"""Memorization check: how much of the generated text is copied from the training text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.dataset import describe_epochs
from gpt2_helpers.data.remote_files import LocalCopies
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.similarity import (
    MAX_COMPARED,
    NEAR_COPY_SIMILARITY,
    SHINGLE_WORDS,
    Evidence,
    Match,
    classify,
    count_shingles,
    distinct,
    normalize,
    without_markers,
)
from gpt2_helpers.evaluation.training_advice import training_advice
from gpt2_helpers.evaluation.training_text import TrainingData, read_pieces, text_files
from gpt2_helpers.evaluation.trigram_index import TrigramIndex
from gpt2_helpers.evaluation.word_overlap import WordIndex
from gpt2_helpers.evaluation.word_runs import RunIndex
from gpt2_helpers.evaluation.words import batches_of_words, split_words
from gpt2_helpers.system.files import drain
from gpt2_helpers.types import DatasetPath

if TYPE_CHECKING:
    from gpt2_helpers.checkpoint.run_folder import RunFolder
    from gpt2_helpers.checkpoint.run_record import RunRecord

MAX_CHARACTERS = 50_000_000  # of training text that are compared
ADVICE_SHARE = 0.05  # smallest share of copies or duplicates for which advice is given
MANY_EPOCHS = 20


class TrainingTextIndex:
    """An index of training text, to find copies and near copies in generated texts.

    >>> titles = TrainingTextIndex(["Why is the sky blue?", "What did you dream of last night?"])
    >>> titles.compare("why is the sky  blue").kind
    'copy'
    >>> titles.compare("Why are some people never tired?").kind
    'novel'
    """

    def __init__(
        self, short: Iterable[str] = (), long: Iterable[str] = (), notes: Sequence[str] = ()
    ) -> None:
        """Index the given texts.

        Args:
            short: Texts that are compared as a whole, such as titles.
            long: Texts in which passages are looked up, by sequences of eight words.
            notes: Sentences about training text that was left out.
        """
        self.notes = tuple(notes)
        self._short, long = [*short], [*long]
        numbers = distinct(self._short)
        numbers.pop("", None)
        self._numbers = np.fromiter(numbers.values(), np.int64, len(numbers))
        self._places = {text: place for place, text in enumerate(numbers)}
        self._trigrams = TrigramIndex([*numbers], NEAR_COPY_SIMILARITY)
        self._short_runs = RunIndex([*numbers])
        self._long_runs = RunIndex(
            [without_markers(text) for text in long], self._short_runs.vocabulary
        )
        self._words = WordIndex()
        for words in batches_of_words([*self._short, *long]):
            self._words.add(words)

    @classmethod
    def from_dataset(
        cls, path: DatasetPath, column: str | None = None, encoding: str | None = None
    ) -> TrainingTextIndex:
        """Index the files that a run was trained on.

        Each row of a table is a short text, each text file a long one. A text file whose documents
        start with `<|startoftext|>` is read like a table.

        Args:
            path: A file, a folder, a glob pattern, or a list of these.
            column: The column of a table that holds the texts.
            encoding: Name of the encoding of text files. Default: detected.

        Raises:
            DatasetError: If the files cannot be read or contain only token ids.
        """
        return cls.from_datasets([(path, column)], encoding=encoding)

    @classmethod
    def from_datasets(
        cls,
        datasets: Iterable[tuple[DatasetPath, str | None]],
        notes: Iterable[str] = (),
        encoding: str | None = None,
    ) -> TrainingTextIndex:
        """Index several datasets, given as pairs of a path and the column of a table, or None.

        Raises:
            DatasetError: If files cannot be read or contain only token ids.
        """
        notes = [*notes]
        short: list[str] = []
        long: list[str] = []
        parts: list[str] = []  # of a long text
        remaining = MAX_CHARACTERS
        with LocalCopies() as copies:
            for path, column in datasets:
                config = DatasetConfig(column=column, encoding=encoding)
                for file in text_files(drain(copies.resolve(path)), config, notes):
                    for piece in read_pieces(file, config, ReadReport()):
                        text = piece.text[:remaining]
                        remaining -= len(piece.text)
                        if piece.is_short:
                            short.append(text)
                        else:
                            parts.append(text)
                            if piece.is_end or remaining < 0:
                                long.append("".join(parts))
                                parts = []
                        if remaining < 0:
                            notes.append(
                                f"compared with the first {MAX_CHARACTERS:,} characters only"
                            )
                            return cls(short, long, notes)
        return cls(short, long, notes)

    def compare(self, text: str) -> Match:
        """Return the closest match of a generated text in the training text, see `classify`."""
        normalized = normalize(text)
        found = Evidence(words=self._words.compare(without_markers(text)))
        place = self._places.get(normalized)
        if place is not None:
            found.copied = self._short[self._numbers[place]]
        if len(normalized) <= MAX_COMPARED:
            pairs = self._trigrams.search([normalized])
            if len(pairs.indexed):
                best = int(pairs.similarity.argmax())
                found.similarity = float(pairs.similarity[best])
                found.similar = self._short[self._numbers[pairs.indexed[best]]]
        words = split_words(without_markers(text))
        ids = self._short_runs.vocabulary.find(words)
        runs = self._short_runs.in_indexed(ids)
        if len(runs.places):
            best = int(runs.lengths.argmax())
            source = self._short_runs.text_of(runs.others[best : best + 1])
            found.short_run, found.short_start = int(runs.lengths[best]), int(runs.places[best])
            found.short_source = self._short[self._numbers[source[0]]]
            found.short_similarity = float(self._trigrams.similarity([normalized], source)[0])
        runs = self._long_runs.in_indexed(ids)
        if len(runs.places):
            best = int(runs.lengths.argmax())
            found.long_run, found.long_start = int(runs.lengths[best]), int(runs.places[best])
            shingles = np.count_nonzero(runs.lengths >= SHINGLE_WORDS)
            found.share = shingles / max(1, count_shingles(len(words)))
        return classify(text, found)

    def report(self, texts: Iterable[str]) -> OverlapReport:
        """Compare many texts and count the results."""
        return OverlapReport.from_matches((text, self.compare(text)) for text in texts)


def load_training_text(folder: RunFolder) -> TrainingTextIndex:
    """Index all text that a run was trained on, as recorded in its run.json.

    Raises:
        DatasetError: See `TrainingData.of_run`.
    """
    data = TrainingData.of_run(folder)
    return TrainingTextIndex.from_datasets(data.datasets, data.notes, data.encoding)


def advice(
    record: RunRecord, report: OverlapReport | None = None, epochs: float | None = None
) -> list[str]:
    """Return recommendations, based on a run's losses and on texts that it generated.

    Args:
        record: The run's record.
        report: The memorization check of texts that the run generated.
        epochs: How many times training went through the dataset.

    Returns:
        Sentences; an empty list if there is nothing to recommend.
    """
    lines = []
    is_memorizing = bool(
        report
        and report.total
        and report.copies + report.near_copies >= ADVICE_SHARE * report.total
    )
    if is_memorizing:
        lines.append(str(report))
        if not record.validation_losses:
            lines.append(
                "The run has no validation data: validation_split=0.05 would show at which step "
                "the model starts to memorize."
            )
        if epochs and epochs >= MANY_EPOCHS:
            lines.append(
                f"In training {describe_epochs(epochs, 'the text')}: use fewer steps or more text "
                "to reduce memorization."
            )
    elif report and report.words and report.words.looks_like_noise:
        lines.append(
            f"{report.words} Read some: if they are noise, train for more steps or lower the "
            "temperature."
        )
    lines += training_advice(record, epochs, is_memorizing)
    if report and report.duplicates >= max(1, ADVICE_SHARE * report.total):
        lines.append(
            f"{report.duplicates:,} of {report.total:,} texts repeat another one: raise the "
            "temperature, or set top_k=0 and top_p=0, for more variety."
        )
    return lines
