"""Preview of training data: size, first lines, and how the file is read.

Reads files and returns plain text.
"""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.compression import open_data
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.formats import has_records, is_token_file
from gpt2_helpers.data.json_files import PAIR_KEYS, TEXT_KEY
from gpt2_helpers.data.records import read_records, text_columns
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
        records: Number of texts that are trained on with marks; 0 for plain text.
        columns: The columns or keys of texts, with their lengths in a sample.
    """

    size: str
    excerpt: str = ""
    notes: tuple[str, ...] = ()
    characters: int | None = None
    records: int = 0
    columns: dict[str, int] = field(default_factory=dict)


def preview(
    path: str | Path,
    column: str | None = None,
    encoding: str | None = None,
    prompt_column: str | None = None,
    keywords_from: str | None = None,
) -> DataPreview:
    """Preview a file. A folder or a glob pattern is only described.

    The arguments after `path` are those of `DatasetConfig`.

    Raises DatasetError if the file does not exist or contains no text.
    """
    place = Path(os.path.expanduser(path))
    if place.is_dir():
        # find_files would be slow while a user types a path that starts with "/".
        return DataPreview(f"a folder: all files in {place} and its subfolders")
    if glob.has_magic(str(place)) and not place.is_file():
        return DataPreview(f"all files that match {path}")
    (file,) = find_files(place)
    size = file.stat().st_size
    if is_token_file(file):
        return DataPreview(f"a file of encoded text, {file_size(size)}")
    is_text = not has_records(file)
    if size > MAX_BYTES_READ and is_text:
        with open_data(file) as opened:
            head = opened.read(_HEAD_BYTES).decode(encoding or "utf-8", errors="replace")
        return DataPreview(f"a file of {file_size(size)}", _excerpt(iter([head])))
    if is_text:
        return _preview_text(file, encoding)
    return _preview_records(
        file,
        DatasetConfig(
            column=column,
            encoding=encoding,
            prompt_column=prompt_column,
            keywords_from=keywords_from,
        ),
    )


def _preview_text(file: Path, encoding: str | None) -> DataPreview:
    report = ReadReport()
    blocks, is_whole = _limited(read_text(file, report, encoding))
    if not "".join(blocks).strip():
        raise DatasetError(f"{file} is empty: choose another file")
    if not is_whole:
        return DataPreview(_large(file), _excerpt(iter(blocks)))
    characters = sum(map(len, blocks))
    newlines = sum(block.count("\n") for block in blocks)
    lines = newlines + (not blocks[-1].endswith("\n"))
    size = f"{characters:,} characters in {lines:,} lines"
    return DataPreview(size, _excerpt(iter(blocks)), report.notes(), characters)


def _preview_records(file: Path, config: DatasetConfig) -> DataPreview:
    columns = text_columns(file, config.encoding)
    report = ReadReport()
    if config.column is None and len(columns) > 1:
        config = replace(config, column=guess_text_column(columns))
    records: Iterator[str] = map(" → ".join, read_records(file, report, config))
    if file.stat().st_size > MAX_BYTES_READ:
        records = itertools.islice(records, _MAX_LINES)
    rows, is_whole = _limited(records)
    if not rows:
        raise DatasetError(f"{file} has no rows: choose another file")
    excerpt = _excerpt(f"{row}\n" for row in itertools.islice(rows, _MAX_LINES))
    if not is_whole or file.stat().st_size > MAX_BYTES_READ:
        return DataPreview(_large(file), excerpt, columns=columns)
    characters = sum(map(len, rows))
    size = f"{len(rows):,} texts, {characters:,} characters"
    return DataPreview(size, excerpt, report.notes(), characters, len(rows), columns)


def _limited(texts: Iterator[str]) -> tuple[list[str], bool]:
    """The first texts, and whether they are all: a compressed file may be larger than it seems."""
    found, characters = [], 0
    for text in texts:
        found.append(text)
        characters += len(text)
        if characters > MAX_BYTES_READ:
            return found, False
    return found, True


def _large(file: Path) -> str:
    return f"a file of {file_size(file.stat().st_size)}"


def guess_text_column(columns: dict[str, int]) -> str:
    """Return the column that most likely contains the texts: `text`, `completion`, or the longest.

    >>> guess_text_column({"score": 40, "title": 900})
    'title'
    """
    for name in (TEXT_KEY, PAIR_KEYS[1]):
        if name in columns:
            return name
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
