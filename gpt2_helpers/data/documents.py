"""A dataset path -> its files -> one stream of text. Knows nothing of ids.

In the stream each document ends with `<|endoftext|>`, as GPT-2 was trained: one stands between two
files, and each row of a CSV becomes `<|startoftext|>` + text + `<|endoftext|>` + newline.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from gpt2_helpers.data.csv_files import DELIMITERS, read_column
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError, OptionError, nearest
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

_TAIL = 64  # last characters of the stream that are looked at for an end of text


def find_files(path: str | Path) -> list[Path]:
    """The files of a dataset: a file itself, those in a folder and its subfolders, or of a glob.

    Sorted, so that the same data always has the same order; hidden files are left out. Raises
    DatasetError where there are none, with the nearest name there is.

    >>> find_files("no-such-folder/*.txt")
    Traceback (most recent call last):
        ...
    gpt2_helpers.errors.DatasetError: no-such-folder/*.txt matches no file: ...
    """
    given = os.path.expanduser(path)
    place = Path(given)
    if not given or "\0" in given:
        raise DatasetError(f"the dataset must be a file, a folder or a glob, got {str(path)!r}")
    try:
        if place.is_file():
            return [place]
        if place.is_dir():
            return _files_in(place)
        if place.exists():
            raise DatasetError(f"{place} is neither a file nor a folder: give the path of one")
    except OSError as error:
        raise DatasetError(
            f"{given[:80]!r} cannot be read as a file or folder: {error.strerror or error}"
        ) from None
    if not glob.has_magic(given):
        raise DatasetError(_missing(place))
    files = sorted(
        match for match in map(Path, glob.glob(given, recursive=True)) if match.is_file()
    )
    if not files:
        raise DatasetError(
            f"{given} matches no file: check the folder and the ending (** also looks into "
            "subfolders)"
        )
    return files


def _files_in(folder: Path) -> list[Path]:
    found = []
    # os.walk and not rglob: it passes over links to folders, which may lead in a circle.
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    files = sorted(file for file in found if file.is_file())
    if not files:
        raise DatasetError(f"the folder {folder} holds no files: put the texts to train on there")
    return files


def _refuse(error: OSError) -> None:
    raise DatasetError(f"the folder {error.filename} cannot be read: {error.strerror or error}")


def _missing(place: Path) -> str:
    """That a path does not exist, with how far it does, and what stands there of a similar name."""
    first = place
    while not first.parent.exists():
        first = first.parent
    try:
        hint = nearest(first.name, (entry.name for entry in first.parent.iterdir()))
    except OSError:
        hint = ""
    return f"{place} does not exist: there is no {first.name} in {first.parent.absolute()}{hint}"


def is_table(file: Path) -> bool:
    """Whether a file is read as CSV or TSV: by the ending of its name."""
    return file.suffix.lower() in DELIMITERS


def check_column(files: Iterable[Path], column: str | None) -> None:
    """OptionError where a column is named and no file has any."""
    if column is not None and not any(is_table(file) for file in files):
        raise OptionError(
            f"column={column!r} was given, but the dataset holds no .csv or .tsv file: leave it out"
        )


def wrap_row(row: str, start: str = START_OF_TEXT, end: str = END_OF_TEXT) -> str:
    """One row of a table as a document.

    >>> wrap_row("Why is the sky blue?")
    '<|startoftext|>Why is the sky blue?<|endoftext|>\\n'
    """
    return f"{start}{row}{end}\n"


def iter_text(
    files: Iterable[Path], report: ReadReport, column: str | None = None
) -> Iterator[str]:
    """The text of all files, in blocks that end anywhere; what was detected goes into `report`.

    Raises DatasetError for what is no text, and for tables with no or several fitting columns.
    """
    tail = ""
    for file in files:
        blocks: Iterator[str]
        if is_table(file):
            blocks = (wrap_row(row) for row in read_column(file, report, column))
        else:
            blocks = read_text(file, report)
        empty = True
        for block in blocks:
            if empty and tail and not tail.rstrip("\n").endswith(END_OF_TEXT):
                yield END_OF_TEXT
            empty = False
            tail = (tail + block)[-_TAIL:]
            yield block
        if empty and not is_table(file):  # of a table, the report says more
            report.add(file, "it is empty")
