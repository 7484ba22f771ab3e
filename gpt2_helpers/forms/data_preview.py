"""A short look at data before it is trained on: how much there is, how it begins, how it is read.

Reads files and gives plain text: knows no widgets.
"""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gpt2_helpers.data.csv_files import column_lengths, read_column
from gpt2_helpers.data.documents import find_files, is_table
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError

MAX_BYTES_READ = 1 << 26  # bytes: what is larger is not counted, that would take long on a Drive
_HEAD = 1 << 16
_LINES, _CHARACTERS = 8, 700  # shown of the beginning
_ARCHIVES = (".npz", ".npy")


@dataclass(frozen=True)
class DataPreview:
    """What there is to say of the data. `characters` is None where it was not counted."""

    amounts: str
    beginning: str = ""
    notes: tuple[str, ...] = ()
    characters: int | None = None
    columns: dict[str, int] = field(default_factory=dict)


def preview(path: str | Path, column: str | None = None) -> DataPreview:
    """A look at a file, a folder or a glob. Of several files only names and sizes are looked at.

    Raises DatasetError for what is not there or no text.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        # Not find_files: a person who types "/" on the way to a path must not wait for all of it.
        return DataPreview(f"a folder: all files in {place} and its subfolders")
    if glob.has_magic(str(place)) and not place.is_file():
        return DataPreview(f"all files that match {path}")
    (file,) = find_files(place)
    size = file.stat().st_size
    if file.suffix.lower() in _ARCHIVES:
        return DataPreview(f"an archive of encoded text, {format_size(size)}")
    if size > MAX_BYTES_READ:
        head = file.open("rb").read(_HEAD).decode("utf-8", errors="replace")
        names = column_lengths(file) if is_table(file) else {}
        return DataPreview(
            f"a file of {format_size(size)}", _beginning(iter([head])), columns=names
        )
    return _preview_table(file, column) if is_table(file) else _preview_text(file)


def _preview_text(file: Path) -> DataPreview:
    report = ReadReport()
    blocks = list(read_text(file, report))
    characters = sum(map(len, blocks))
    if not "".join(blocks).strip():
        raise DatasetError(f"{file} is empty: choose another file")
    lines = sum(block.count("\n") for block in blocks)
    return DataPreview(
        f"{characters:,} characters in {lines + (not blocks[-1].endswith(chr(10))):,} lines",
        _beginning(iter(blocks)),
        report.notes(),
        characters,
    )


def _preview_table(file: Path, column: str | None) -> DataPreview:
    names = column_lengths(file)
    if not names:
        raise DatasetError(f"{file} holds no rows: choose another file")
    report = ReadReport()
    if column is None and len(names) > 1:
        column = guess_text_column(names)
    rows = list(read_column(file, report, column))
    characters = sum(map(len, rows))
    beginning = _beginning(f"{row}\n" for row in itertools.islice(rows, _LINES))
    amounts = f"{len(rows):,} texts, {characters:,} characters"
    return DataPreview(amounts, beginning, report.notes(), characters, names)


def guess_text_column(columns: dict[str, int]) -> str:
    """The column that most likely holds the texts: the longest.

    >>> guess_text_column({"score": 40, "title": 900})
    'title'
    """
    return max(columns, key=lambda name: columns[name])


def _beginning(blocks: Iterator[str]) -> str:
    """The first lines, and no more of a long one than can be taken in."""
    head = ""
    for block in blocks:
        head += block
        if len(head) > _CHARACTERS:
            break
    shown = "\n".join(head.lstrip().split("\n")[:_LINES])[:_CHARACTERS].rstrip()
    return shown if shown == head.strip() else f"{shown} …"


def format_size(count: int) -> str:
    """Bytes in words.

    >>> format_size(42), format_size(63_000), format_size(1_250_000_000)
    ('1 KB', '63 KB', '1,250.0 MB')
    """
    return f"{max(1, round(count / 1e3)):,} KB" if count < 1e6 else f"{count / 1e6:,.1f} MB"
