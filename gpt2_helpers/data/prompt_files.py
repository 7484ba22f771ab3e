"""The prompts of a call: given as strings, or in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.formats import has_records
from gpt2_helpers.data.json_files import PAIR_KEYS
from gpt2_helpers.data.records import read_records, text_columns
from gpt2_helpers.data.text_files import ReadReport, limit_size, read_text
from gpt2_helpers.errors import DatasetError, OptionError


def read_prompts(path: str | Path, column: str | None = None) -> list[str]:
    """Read the prompts of a file.

    Args:
        path: A text file with a prompt per line, or a table, JSON or Parquet file with prompts in
            a column.
        column: The column or key of the prompts. Defaults to `prompt`, or the only one.

    Returns:
        The prompts, without those that are blank.

    Raises:
        DatasetError: The file cannot be read or contains no prompts.
        OptionError: `column` is set, and the file has no columns.

    Example:
        read_prompts("questions.txt")
    """
    files = find_files(path)
    if len(files) != 1:
        raise DatasetError(f"{path} is {len(files)} files: use one file of prompts")
    (file,) = files
    if has_records(file):
        prompt = PAIR_KEYS[0]
        if column is None and prompt in text_columns(file):
            column = prompt
        records = read_records(file, ReadReport(), DatasetConfig(column=column))
        prompts = list(limit_size((fields[0] for fields in records), path))
    elif column is not None:
        raise OptionError(
            f"prompts_column={column!r}: {path} has no columns; leave it out, or use a table or "
            "JSON Lines"
        )
    else:
        prompts = "".join(limit_size(read_text(file, ReadReport()), path)).split("\n")
    prompts = [prompt.strip() for prompt in prompts if prompt.strip()]
    if not prompts:
        raise DatasetError(f"{path} contains no prompts: write one per line")
    return prompts


def given_prompts(
    prefix: str | Sequence[str] | None,
    file: str | Path | None = None,
    option: str = "prefix",
    column: str | None = None,
) -> list[str]:
    """The prompts that a function was given: one, several, or a file of them.

    Args:
        prefix: A prompt or a list of prompts.
        file: A file of prompts, see `read_prompts`.
        option: Name of the parameter of `prefix`, for error messages.
        column: The column of the file, see `read_prompts`.

    Raises:
        OptionError: Both are given, or `prefix` is not a string or list.
        DatasetError: See `read_prompts`.

    >>> given_prompts(None), given_prompts(["a", "b"])
    ([''], ['a', 'b'])
    """
    if file is not None:
        if prefix is not None:
            raise OptionError(f"set prefix or prompts, not both: got {prefix!r} and {str(file)!r}")
        return read_prompts(file, column)
    if column is not None:
        raise OptionError(f"prompts_column={column!r} needs prompts, a file with that column")
    if prefix is None or isinstance(prefix, str):
        return [prefix or ""]
    if not isinstance(prefix, Iterable) or not (prompts := list(prefix)):
        raise OptionError(f"{option} must be a string or a list of strings, got {prefix!r}")
    return prompts
