"""Dataset paths: finds the files of a file, a folder, a glob pattern, or a list of them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from gpt2_helpers.data.formats import (
    Format,
    detect_format,
    is_json,
    is_system_file,
    is_system_folder,
    is_table,
    read_head,
)
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, OptionError, nearest
from gpt2_helpers.types import DatasetPath


def find_files(path: DatasetPath, report: ReadReport | None = None) -> list[Path]:
    """Find the files of a dataset.

    Args:
        path: A file; a folder, searched with its subfolders; a glob pattern; or a list of these.
            `~` is expanded.
        report: Receives the files that are skipped because their format cannot be trained on.

    Returns:
        The files, each once; those of a folder or pattern are sorted. Files of the system and
        hidden files are left out, unless they are given by their own path.

    Raises:
        DatasetError: There is no such file; the message suggests a similar name. Or a file that is
            given by its own path is JSON.

    Example:
        >>> find_files("no-such-folder/*.txt")
        Traceback (most recent call last):
            ...
        gpt2_helpers.errors.DatasetError: no-such-folder/*.txt matches no files: ...
    """
    if not isinstance(path, str | os.PathLike):
        if isinstance(path, bytes) or not isinstance(path, Iterable) or not (parts := list(path)):
            raise _type_error(path)
        if not all(isinstance(part, str | os.PathLike) for part in parts):
            raise _type_error(path)
        found = [file for part in parts for file in find_files(part, report)]
        return list(dict.fromkeys(found))
    name = os.fspath(path)
    name = os.path.expanduser(os.fsdecode(name))
    file = Path(name)
    if not name or "\0" in name:
        raise _type_error(str(path))
    try:
        if file.is_file():
            if detect_format(file) is Format.JSON:
                raise DatasetError(_json_message(file))
            return [file]
        if file.is_dir():
            return _trainable(_files_in(file), f"the folder {file}", report)
        if file.exists():
            raise DatasetError(f"{file} is not a regular file or folder: use another path")
    except OSError as error:
        raise DatasetError(
            f"{name[:80]!r} cannot be read as a file or folder: {error.strerror or error}"
        ) from None
    if not glob.has_magic(name):
        raise DatasetError(_missing_message(file))
    matches = map(Path, glob.glob(name, recursive=True))
    files = sorted(match for match in matches if match.is_file() and not is_system_file(match))
    if not files:
        raise DatasetError(
            f"{name} matches no files: check the folder and the suffix (** includes subfolders)"
        )
    return _trainable(files, name, report)


def _type_error(path: object) -> DatasetError:
    return DatasetError(
        f"the dataset must be a file, a folder or a glob, or a list of these, got {path!r}"
    )


def _files_in(folder: Path) -> list[Path]:
    found = []
    # os.walk rather than rglob: it does not follow links to folders, which can form a cycle.
    for parent, folders, names in os.walk(folder, onerror=_raise_unreadable):
        folders[:] = [
            name for name in folders if not name.startswith(".") and not is_system_folder(name)
        ]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    files = sorted(file for file in found if file.is_file() and not is_system_file(file))
    if not files:
        raise DatasetError(f"the folder {folder} contains no files: put the training texts there")
    return files


def _trainable(files: list[Path], place: str, report: ReadReport | None) -> list[Path]:
    """Leave out the files whose format cannot be trained on, and report them."""
    kept = []
    for file in files:
        if detect_format(file) is not Format.JSON:
            kept.append(file)
        elif report is not None:
            report.add(file, "skipped, because it is JSON, which is not read yet")
    if not kept:
        raise DatasetError(f"{place} contains only JSON files: {_json_message(files[0])}")
    return kept


def _json_message(file: Path) -> str:
    if not is_json(read_head(file)):
        return (
            f"{file} is named like JSON, which is not read yet, but is not JSON: rename it to .txt "
            "to train on it as plain text"
        )
    lines = "" if file.suffix.lower() == ".json" else ", lines=True"
    return (
        f"{file} is JSON, which is not read yet: write its texts to a CSV, for example with "
        f"pandas.read_json({file.name!r}{lines}).to_csv('texts.csv', index=False), and name the "
        "column to train on"
    )


def find_training_files(
    path: DatasetPath, validation: DatasetPath | None, report: ReadReport
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
    files = find_files(path, report)
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


def check_column(files: Iterable[Path], column: str | None) -> None:
    """Raise OptionError if a column is given but none of the files is a table."""
    if column is not None and not any(map(is_table, files)):
        raise OptionError(
            f"column={column!r} was given, but the dataset has no .csv or .tsv file: omit column"
        )
