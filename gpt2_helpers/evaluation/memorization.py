"""Memorization check: how much of the generated text is copied from the training text."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2_helpers.checkpoint.run_record import dataset_paths
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.dataset import describe_epochs
from gpt2_helpers.data.find_files import check_column, check_extent, find_files
from gpt2_helpers.data.formats import has_records, is_token_file
from gpt2_helpers.data.records import read_records
from gpt2_helpers.data.remote_files import LocalCopies, is_url
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.evaluation.similarity import (
    COPY,
    MAX_SHORT_TEXT,
    NEAR_COPY,
    NOVEL,
    LongTextIndex,
    Match,
    ShortTextIndex,
    normalize,
)
from gpt2_helpers.evaluation.training_advice import training_advice
from gpt2_helpers.evaluation.word_overlap import WordIndex, WordOverlap
from gpt2_helpers.system.files import drain
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT
from gpt2_helpers.types import DatasetPath

if TYPE_CHECKING:
    from gpt2_helpers.checkpoint.run_folder import RunFolder
    from gpt2_helpers.checkpoint.run_record import RunRecord

MAX_ENTRIES = 20_000  # files and folders that are searched for a run's recorded dataset
MAX_CHARACTERS = 50_000_000  # of training text that are compared
ADVICE_SHARE = 0.05  # smallest share of copies or duplicates for which advice is given
MANY_EPOCHS = 20

TextMatch = tuple[str, Match]
_KINDS = (COPY, NEAR_COPY, NOVEL)


@dataclass(frozen=True)
class OverlapReport:
    """Counts of generated texts by how much they overlap with the training text.

    Attributes:
        copies: Texts that occur in the training text.
        near_copies: Texts that differ from the training text in a few words.
        novel: All other texts.
        duplicates: Texts that repeat an earlier generated text.
        matches: Each text with its closest match, in the order of the texts.
        words: How many words of all texts occur in the training text, if they were counted.
    """

    copies: int
    near_copies: int
    novel: int
    duplicates: int = 0
    matches: tuple[TextMatch, ...] = ()
    words: WordOverlap | None = None

    @classmethod
    def from_matches(cls, matches: Iterable[TextMatch]) -> OverlapReport:
        """Count texts that have already been compared.

        >>> OverlapReport.from_matches([("Why?", Match("copy", "Why?", 1.0))]).copies
        1
        """
        matches = tuple(matches)
        kinds = [match.kind for _, match in matches]
        distinct = {normalize(text) for text, _ in matches}
        copies, near_copies, novel = (kinds.count(kind) for kind in _KINDS)
        duplicates = len(matches) - len(distinct)
        counted = [match.words for _, match in matches if match.words is not None]
        words = functools.reduce(operator.add, counted) if counted else None
        return cls(copies, near_copies, novel, duplicates, matches, words)

    @property
    def total(self) -> int:
        """Number of texts that were compared."""
        return self.copies + self.near_copies + self.novel

    def closest_examples(self, count: int = 5) -> list[TextMatch]:
        """Return up to `count` texts that are not novel: near copies first, most similar first."""
        found = [pair for pair in self.matches if pair[1].kind != NOVEL]
        found.sort(key=lambda pair: (pair[1].kind == COPY, -pair[1].similarity))
        return found[:count]

    def __str__(self) -> str:
        """Return the counts as one sentence.

        >>> print(OverlapReport(copies=12, near_copies=5, novel=83, duplicates=1))
        Of 100 texts, 12 are copies of the training text, 5 are near copies and 83 are novel.
        """
        copies = "is a copy" if self.copies == 1 else "are copies"
        near = "is a near copy" if self.near_copies == 1 else "are near copies"
        text = (
            f"Of {self.total:,} texts, {self.copies:,} {copies} of the training text, "
            f"{self.near_copies:,} {near} and {self.novel:,} {'is' if self.novel == 1 else 'are'} "
            "novel."
        )
        return f"{text} {self.words}" if self.words and self.words.is_significant else text


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
        short, long = [*short], [*long]
        self._short, self._long = ShortTextIndex(short), LongTextIndex(long)
        self._words = WordIndex(itertools.chain(short, long))

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
        remaining = MAX_CHARACTERS
        with LocalCopies() as copies:
            for path, column in datasets:
                config = DatasetConfig(column=column, encoding=encoding)
                files = _text_files(drain(copies.resolve(path)), config, notes)
                for text, is_row in _documents(files, config):
                    texts = short if is_row and len(text) <= MAX_SHORT_TEXT else long
                    texts.append(text[:remaining])
                    remaining -= len(text)
                    if remaining < 0:
                        notes.append(f"compared with the first {MAX_CHARACTERS:,} characters only")
                        return cls(short, long, notes)
        return cls(short, long, notes)

    def compare(self, text: str) -> Match:
        """Return the closest match of a generated text in the training text.

        A copy equals a short text except for case, whitespace and punctuation at both ends, or
        occurs in a long text. A near copy has a similarity of at least 0.8 to a short text, or
        shares at least half of its eight-word sequences with long texts. The module `similarity`
        defines both measures.
        """
        matches = self._short.compare(text), self._long.compare(text)
        match = max(matches, key=lambda match: (-_KINDS.index(match.kind), match.similarity))
        return dataclasses.replace(match, words=self._words.compare(text))

    def report(self, texts: Iterable[str]) -> OverlapReport:
        """Compare many texts and count the results."""
        return OverlapReport.from_matches((text, self.compare(text)) for text in texts)


def _text_files(path: DatasetPath, config: DatasetConfig, notes: list[str]) -> list[Path]:
    """The files of a dataset that contain text; adds a note on the others."""
    files = find_files(path, ReadReport(), config)
    text_files = [file for file in files if not is_token_file(file)]
    if not text_files:
        raise DatasetError(
            f"{path} contains token ids and no text to compare with: pass the text that it was "
            "encoded from"
        )
    check_column(text_files, config.column)
    if len(text_files) < len(files):
        skipped = len(files) - len(text_files)
        notes.append(f"skipped {skipped} of {len(files)} files, which contain token ids")
    return text_files


def _documents(files: list[Path], config: DatasetConfig) -> Iterator[tuple[str, bool]]:
    """Yield each training text, and whether it is a row of a table or a marked short text."""
    for file in files:
        if has_records(file):
            for fields in read_records(file, ReadReport(), config):
                yield fields[-1], True
            continue
        blocks, size = [], 0
        for block in read_text(file, ReadReport(), config.encoding):
            blocks.append(block)
            size += len(block)
            if size > MAX_CHARACTERS:
                break
        is_rows = any(START_OF_TEXT in block for block in blocks[:1])
        for text in "".join(blocks).split(END_OF_TEXT):
            text = text.replace(START_OF_TEXT, "") if is_rows else text
            if text.strip():
                yield text, is_rows


def load_training_text(folder: RunFolder) -> TrainingTextIndex:
    """Index all text that a run was trained on, as recorded in its run.json.

    Raises:
        DatasetError: If the dataset is not recorded, no longer exists, contains no text, or has so
            many files that it must be passed instead: the run may be from somebody else.
    """
    record = folder.read().record
    if not record.dataset:
        raise DatasetError(
            f"the run {folder.name} does not record its dataset (gpt-2-simple did not store it): "
            "pass the file to compare with"
        )
    datasets = {(record.dataset, record.parameters.get("column")): True}
    datasets |= {(path, column): False for path, column, _ in record.earlier_datasets if path}
    found: list[tuple[DatasetPath, str | None]] = []
    notes = []
    for (dataset, column), is_current in datasets.items():
        paths = _existing_paths(folder, dataset)
        if paths is not None:
            found.append((paths, column))
        elif is_current:
            raise DatasetError(
                f"cannot find {dataset}, the dataset of the run {folder.name}: restore it, or pass "
                "the file to compare with"
            )
        else:
            notes.append(f"copies of {dataset}, an earlier dataset, are not found: it is missing")
    return TrainingTextIndex.from_datasets(found, notes, record.parameters.get("encoding"))


def _existing_paths(folder: RunFolder, dataset: str) -> list[str] | None:
    # A run from somebody else must not make this machine send requests.
    if any(map(is_url, dataset_paths(dataset))):
        return None
    # The recorded path is relative to the folder in which training was started.
    for place in (Path(), folder.checkpoint_dir.parent):
        paths = [str(place / name) for name in dataset_paths(dataset)]
        for path in paths:
            check_extent(path, MAX_ENTRIES)
        try:
            find_files(paths)
        except DatasetError:
            continue
        return paths
    return None


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
