"""Reads the text that a model was trained on, for the memorization check.

A record, such as a row of a table, is a short text, and so is a document of a text file that starts
with `<|startoftext|>`; all others are long. Long texts are read in pieces, so that memory does not
grow with the training text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import dataset_paths
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.documents import split_documents
from gpt2_helpers.data.find_files import check_column, check_extent, find_files
from gpt2_helpers.data.formats import has_records, is_token_file
from gpt2_helpers.data.records import read_records
from gpt2_helpers.data.remote_files import is_url
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError, brief
from gpt2_helpers.evaluation.similarity import MAX_SHORT_TEXT
from gpt2_helpers.evaluation.words import last_gap
from gpt2_helpers.tokenizer import START_OF_TEXT
from gpt2_helpers.types import DatasetPath

MAX_ENTRIES = 20_000  # files and folders that are searched for a run's recorded dataset
_PIECE = 1 << 20  # characters of a long text


@dataclass(frozen=True)
class Piece:
    """A training text, or a part of a long one.

    Attributes:
        text: The text. A part ends between two words.
        is_short: Whether it is compared as a whole.
        is_end: Whether the text ends with it.
    """

    text: str
    is_short: bool
    is_end: bool = True


@dataclass(frozen=True)
class TrainingData:
    """The datasets that texts are compared with.

    Attributes:
        datasets: Pairs of a dataset and the column of its records, or None.
        encoding: Name of the encoding of text files. Default: detected.
        notes: Sentences about training text that is left out.
        describes_reading: Whether a report says how the files were read. Default: True.
    """

    datasets: Sequence[tuple[DatasetPath, str | None]]
    encoding: str | None = None
    notes: Sequence[str] = field(default=())
    describes_reading: bool = True

    @classmethod
    def of_run(cls, folder: RunFolder) -> TrainingData:
        """All datasets that a run was trained on, as recorded in its run.json.

        How they were read was said in training.

        Raises:
            DatasetError: If the dataset is not recorded, no longer exists, contains no text, or has
                so many files that it must be passed instead: the run may be from somebody else.
        """
        record = folder.read().record
        if not record.dataset:
            raise DatasetError(
                f"the run {folder.name} does not record its dataset (gpt-2-simple did not store "
                "it): pass the file to compare with"
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
                    f"cannot find {brief(dataset)}, the dataset of the run {folder.name}: restore "
                    "it, or pass the file to compare with"
                )
            else:
                notes.append(
                    f"copies of {brief(dataset)}, an earlier dataset, are not found: it is missing"
                )
        encoding = record.parameters.get("encoding")
        return cls(found, encoding, notes, describes_reading=False)


def text_files(path: DatasetPath, config: DatasetConfig, notes: list[str]) -> list[Path]:
    """The files of a dataset that contain text; adds a note on the others.

    Raises:
        DatasetError: If there are none.
        OptionError: If a column is given but no file has records.
    """
    files = find_files(path, ReadReport(), config)
    found = [file for file in files if not is_token_file(file)]
    if not found:
        raise DatasetError(
            f"{path} contains token ids and no text to compare with: pass the text that it was "
            "encoded from"
        )
    check_column(found, config.column)
    if len(found) < len(files):
        skipped = len(files) - len(found)
        notes.append(f"skipped {skipped} of {len(files)} files, which contain token ids")
    return found


def read_pieces(file: Path, config: DatasetConfig, report: ReadReport) -> Iterator[Piece]:
    """Read the texts of a file, long ones in pieces of about a million characters.

    Raises:
        DatasetError: If the file cannot be read.
    """
    if has_records(file):
        for fields in read_records(file, report, config):
            yield Piece(fields[-1], len(fields[-1]) <= MAX_SHORT_TEXT)
        return
    chunks = read_text(file, report, config.encoding)
    first = next(chunks, "")
    has_rows = START_OF_TEXT in first
    pending: list[str] = []
    size = 0
    is_start = True
    pieces = split_documents(itertools.chain([first], chunks))
    for chunk, is_end in itertools.chain(pieces, [("", True)]):
        pending.append(chunk)
        size += len(chunk)
        if not is_end and size < _PIECE:
            continue
        text = "".join(pending)
        if has_rows:
            text = text.replace(START_OF_TEXT, "")
        cut = len(text) if is_end else last_gap(text)
        if not is_start or text[:cut].strip():
            is_short = has_rows and is_start and is_end and len(text) <= MAX_SHORT_TEXT
            yield Piece(text[:cut], is_short, is_end)
            is_start = is_end
        pending, size = [text[cut:]], len(text) - cut


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
