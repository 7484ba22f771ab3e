"""Files of generated texts: delimited text as gpt-2-simple writes it, tables, JSON and Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.find_files import check_column, find_files
from gpt2_helpers.data.formats import has_records, is_token_file
from gpt2_helpers.data.records import read_records
from gpt2_helpers.data.text_files import ReadReport, limit_size, read_text
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.generation.output_file import SAMPLE_DELIM
from gpt2_helpers.types import DatasetPath


def read_generated(
    path: DatasetPath,
    column: str | None = None,
    delimiter: str = SAMPLE_DELIM,
    option: str = "generated_column",
) -> list[str]:
    r"""Read generated texts.

    Args:
        path: A file, a folder, a glob pattern, or a list of these. The texts of a text file are
            followed by the delimiter; without one, the file is one text.
        column: Where the texts of records are. Default: `text`, or the only column.
        delimiter: What is after each text of a text file.
        option: Name of the option of `column`, for error messages.

    Returns:
        The texts, without those that are blank.

    Raises:
        DatasetError: The files cannot be read, or contain no texts.
        OptionError: `column` is given but no file has records.

    Example:
        texts = read_generated("gpt2_gentext_20261124_181500.txt")
    """
    files = find_files(path)
    for file in files:
        if is_token_file(file):
            raise DatasetError(f"{file} contains token ids: pass generated texts")
    check_column(files, column, option)
    found = (text for file in files for text in _read(file, column, delimiter) if text.strip())
    texts = list(limit_size(found, path))
    if not texts:
        paths = [path] if isinstance(path, str | os.PathLike) else path
        shown, verb = ", ".join(map(str, paths)), "contains" if len(paths) == 1 else "contain"
        raise DatasetError(f"{shown} {verb} no texts: pass a file of generated texts")
    return texts


def _read(file: Path, column: str | None, delimiter: str) -> Iterator[str]:
    if has_records(file):
        config = DatasetConfig(column=column)
        yield from (fields[-1] for fields in read_records(file, ReadReport(), config))
        return
    text = "".join(limit_size(read_text(file, ReadReport()), file))
    yield from (part.removesuffix("\n") for part in text.split(delimiter))
