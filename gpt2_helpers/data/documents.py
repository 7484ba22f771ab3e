"""Dataset paths: finds the files and reads them as one text stream.

Every document in the stream ends with `<|endoftext|>`, as in GPT-2's training data: it is inserted
between two text files, and each row of a table becomes `<|startoftext|>` + text + `<|endoftext|>` +
newline.
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

_TAIL = 64  # characters kept to see whether the stream ends with an end of text


def find_files(path: str | Path) -> list[Path]:
    """Find the files of a dataset.

    Args:
        path: A file; a folder, searched with its subfolders; or a glob pattern. `~` is expanded.

    Returns:
        The files, sorted, without hidden ones (a hidden file can be given by its own path).

    Raises:
        DatasetError: There is no such file; the message suggests a similar name.

    Example:
        >>> find_files("no-such-folder/*.txt")
        Traceback (most recent call last):
            ...
        gpt2_helpers.errors.DatasetError: no-such-folder/*.txt matches no files: ...
    """
    name = os.path.expanduser(path)
    file = Path(name)
    if not name or "\0" in name:
        raise DatasetError(f"the dataset must be a file, a folder or a glob, got {str(path)!r}")
    try:
        if file.is_file():
            return [file]
        if file.is_dir():
            return _files_in(file)
        if file.exists():
            raise DatasetError(f"{file} is not a regular file or folder: use another path")
    except OSError as error:
        raise DatasetError(
            f"{name[:80]!r} cannot be read as a file or folder: {error.strerror or error}"
        ) from None
    if not glob.has_magic(name):
        raise DatasetError(_missing_message(file))
    matches = map(Path, glob.glob(name, recursive=True))
    files = sorted(match for match in matches if match.is_file())
    if not files:
        raise DatasetError(
            f"{name} matches no files: check the folder and the suffix (** includes subfolders)"
        )
    return files


def find_training_files(
    path: str | Path, validation: str | Path | None, report: ReadReport
) -> list[Path]:
    """Find the files to train on: those of a dataset without those of the validation data.

    Args:
        path: The dataset, as for `find_files`.
        validation: The validation data, if it is a file, folder or glob of its own. Its files are
            left out, also if they have another name in the dataset (links).
        report: Receives the files that were left out.

    Returns:
        The files, sorted.

    Raises:
        DatasetError: Files are missing, or all files of the dataset are validation data.

    Example:
        find_training_files("books", "books/held-out.txt", ReadReport())
    """
    files = find_files(path)
    if validation is None:
        return files
    held_out = {_identity(file) for file in find_files(validation)}
    training = []
    for file in files:
        if _identity(file) in held_out:
            report.add(file, "validation data, so not used for training")
        else:
            training.append(file)
    if not training:
        raise DatasetError(
            f"all files of the dataset {path} are validation data (validation_data={validation}): "
            "use another file for validation, or validation_split"
        )
    return training


def _identity(file: Path) -> tuple[int, int]:
    """What the names of one file have in common: its device and inode number."""
    facts = file.stat()
    return facts.st_dev, facts.st_ino


def _files_in(folder: Path) -> list[Path]:
    found = []
    # os.walk rather than rglob: it does not follow links to folders, which can form a cycle.
    for parent, folders, names in os.walk(folder, onerror=_raise_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    files = sorted(file for file in found if file.is_file())
    if not files:
        raise DatasetError(f"the folder {folder} contains no files: put the training texts there")
    return files


def _raise_unreadable(error: OSError) -> None:
    raise DatasetError(f"the folder {error.filename} cannot be read: {error.strerror or error}")


def _missing_message(path: Path) -> str:
    """An error message with the first part of `path` that does not exist, and a similar name."""
    first = path
    while not first.parent.exists():
        first = first.parent
    try:
        hint = nearest(first.name, (entry.name for entry in first.parent.iterdir()))
    except OSError:
        hint = ""
    return f"{path} does not exist: there is no {first.name} in {first.parent.absolute()}{hint}"


def is_table(file: Path) -> bool:
    """Whether a file is read as CSV or TSV, judging by its suffix."""
    return file.suffix.lower() in DELIMITERS


def check_column(files: Iterable[Path], column: str | None) -> None:
    """Raise OptionError if a column is given but none of the files is a table."""
    if column is not None and not any(is_table(file) for file in files):
        raise OptionError(
            f"column={column!r} was given, but the dataset has no .csv or .tsv file: omit column"
        )


def wrap_row(row: str, start: str = START_OF_TEXT, end: str = END_OF_TEXT) -> str:
    """Format one row of a table as a document.

    >>> wrap_row("Why is the sky blue?")
    '<|startoftext|>Why is the sky blue?<|endoftext|>\\n'
    """
    return f"{start}{row}{end}\n"


def iter_text(
    files: Iterable[Path], report: ReadReport, column: str | None = None
) -> Iterator[str]:
    """Read all files as one stream of text.

    Args:
        files: Text files and tables, in order.
        report: Receives what was detected.
        column: Name or number of the column to read from tables; see `read_column`.

    Yields:
        The text in chunks of any length.

    Raises:
        DatasetError: A file is not text, or a table lacks the column or needs one to be named.
    """
    tail = ""
    for file in files:
        chunks: Iterator[str]
        if is_table(file):
            chunks = (wrap_row(row) for row in read_column(file, report, column))
        else:
            chunks = read_text(file, report)
        empty = True
        for chunk in chunks:
            if empty and tail and not tail.rstrip("\n").endswith(END_OF_TEXT):
                yield END_OF_TEXT
            empty = False
            tail = (tail + chunk)[-_TAIL:]
            yield chunk
        if empty and not is_table(file):  # read_column reports empty tables
            report.add(file, "empty")
