"""Preview of training data: size, first lines, and how the file is read.

Reads files and returns plain text.
"""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gpt2_helpers.data.csv_files import column_lengths, read_column
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.formats import is_table, is_token_file
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.system.sizes import file_size

MAX_BYTES_READ = 1 << 26  # larger files are not counted, which would be slow on Google Drive
_HEAD_BYTES = 1 << 16
_MAX_LINES, _MAX_CHARACTERS = 8, 700  # of the excerpt


@dataclass(frozen=True)
class DataPreview:
    """What the form shows about training data.

    Attributes:
        size: The amount of text in words.
        excerpt: The first lines.
        notes: How the file was read, such as its encoding.
        characters: Number of characters, or None if they were not counted.
        columns: The columns of a table, with their total lengths.
    """

    size: str
    excerpt: str = ""
    notes: tuple[str, ...] = ()
    characters: int | None = None
    columns: dict[str, int] = field(default_factory=dict)


def preview(
    path: str | Path, column: str | None = None, encoding: str | None = None
) -> DataPreview:
    """Preview a file. A folder or a glob pattern is only described.

    Raises DatasetError if the file does not exist or contains no text.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        # find_files would be slow while a user types a path that starts with "/".
        return DataPreview(f"a folder: all files in {place} and its subfolders")
    if glob.has_magic(str(place)) and not place.is_file():
        return DataPreview(f"all files that match {path}")
    (file,) = find_files(place)
    size = file.stat().st_size
    if is_token_file(file):
        return DataPreview(f"a file of encoded text, {file_size(size)}")
    if size > MAX_BYTES_READ:
        head = file.open("rb").read(_HEAD_BYTES).decode(encoding or "utf-8", errors="replace")
        columns = column_lengths(file, encoding) if is_table(file) else {}
        return DataPreview(f"a file of {file_size(size)}", _excerpt(iter([head])), columns=columns)
    if is_table(file):
        return _preview_table(file, column, encoding)
    return _preview_text(file, encoding)


def _preview_text(file: Path, encoding: str | None) -> DataPreview:
    report = ReadReport()
    blocks = list(read_text(file, report, encoding))
    characters = sum(map(len, blocks))
    if not "".join(blocks).strip():
        raise DatasetError(f"{file} is empty: choose another file")
    newlines = sum(block.count("\n") for block in blocks)
    lines = newlines + (not blocks[-1].endswith("\n"))
    size = f"{characters:,} characters in {lines:,} lines"
    return DataPreview(size, _excerpt(iter(blocks)), report.notes(), characters)


def _preview_table(file: Path, column: str | None, encoding: str | None) -> DataPreview:
    columns = column_lengths(file, encoding)
    if not columns:
        raise DatasetError(f"{file} has no rows: choose another file")
    report = ReadReport()
    if column is None and len(columns) > 1:
        column = guess_text_column(columns)
    rows = list(read_column(file, report, column, encoding=encoding))
    characters = sum(map(len, rows))
    excerpt = _excerpt(f"{row}\n" for row in itertools.islice(rows, _MAX_LINES))
    size = f"{len(rows):,} texts, {characters:,} characters"
    return DataPreview(size, excerpt, report.notes(), characters, columns)


def guess_text_column(columns: dict[str, int]) -> str:
    """Return the column that most likely contains the texts: the longest one.

    >>> guess_text_column({"score": 40, "title": 900})
    'title'
    """
    return max(columns, key=lambda name: columns[name])


def _excerpt(blocks: Iterator[str]) -> str:
    """Return the first lines, truncated if they are long."""
    head = ""
    for block in blocks:
        head += block
        if len(head) > _MAX_CHARACTERS:
            break
    shown = "\n".join(head.lstrip().split("\n")[:_MAX_LINES])[:_MAX_CHARACTERS].rstrip()
    return shown if shown == head.strip() else f"{shown} …"
