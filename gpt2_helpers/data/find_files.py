"""Dataset paths: finds the files of a file, a folder, a glob pattern, or a list of them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.formats import (
    TEXT_INDEX_SUFFIX,
    Format,
    detect_format,
    has_records,
    is_system_file,
    is_system_folder,
)
from gpt2_helpers.data.records import reason_to_skip
from gpt2_helpers.data.remote_files import is_url
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.token_shards import is_index, shard_paths
from gpt2_helpers.errors import DatasetError, OptionError, nearest
from gpt2_helpers.types import DatasetPath

_DEFAULTS = DatasetConfig()
_SAMPLES = re.compile(r"samples-\d+")  # the files in which training writes its samples


def find_files(
    path: DatasetPath, report: ReadReport | None = None, config: DatasetConfig = _DEFAULTS
) -> list[Path]:
    """Find the files of a dataset.

    Args:
        path: A file; a folder, searched with its subfolders; a glob pattern; or a list of these.
            `~` is expanded.
        report: Receives what is skipped: runs and samples, and JSON files of folders and patterns
            that contain no texts. Default: JSON files are not read and not skipped.
        config: The column and the encoding, to read them.

    Returns:
        The files, each once; those of a folder or pattern are sorted. System files and
        hidden files are left out, unless they are given by their own path. Models, runs and samples
        of runs in subfolders of a folder are left out too.

    Raises:
        DatasetError: The file does not exist; the message suggests a similar name.

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
        found = [file for part in parts for file in find_files(part, report, config)]
        return list(dict.fromkeys(found))
    name = os.fspath(path)
    name = os.path.expanduser(os.fsdecode(name))
    file = Path(name)
    if not name or "\0" in name:
        raise _type_error(str(path))
    if is_url(name):
        raise DatasetError(f"{name} is a URL, which is not supported here: download the file first")
    try:
        if file.is_file():
            return [file]
        if file.is_dir():
            found = _files_in(file, report)
            return _without_settings(found, f"the folder {file}", report, config)
        if file.exists():
            raise DatasetError(f"{file} is not a regular file or folder: use another path")
    except OSError as error:
        raise DatasetError(
            f"{name[:80]!r} cannot be read as a file or folder: {error.strerror or error}"
        ) from None
    if not glob.has_magic(name):
        raise DatasetError(_missing_message(file))
    matches = map(Path, _matches(name))
    files = sorted(match for match in matches if match.is_file() and not is_system_file(match))
    if not files:
        raise DatasetError(
            f"{name} matches no files: check the folder and the suffix (** includes subfolders)"
        )
    return _without_settings(files, name, report, config)


def _matches(pattern: str) -> set[str]:
    """The paths that a glob pattern matches.

    `**` does not follow links to folders, unlike that of `glob`: they can form cycles.
    """
    groups: list[list[str]] = [[]]
    for part in Path(pattern).parts:
        if part != "**":
            groups[-1].append(part)
        elif len(groups) == 1 or groups[-1]:  # `**/**` is the same as `**`
            groups.append([])
    first, *others = groups
    found = set(glob.glob(str(Path(*first)))) if first else {os.curdir}
    for parts in others:
        folders: set[str] = set()
        files: set[str] = set()
        for place in found:
            for parent, inner, names in os.walk(place):
                inner[:] = [name for name in inner if not name.startswith(".")]
                folders.add(parent)
                files |= {str(Path(parent, name)) for name in names if not name.startswith(".")}
        if not parts:
            return files
        patterns = (str(Path(glob.escape(folder), *parts)) for folder in folders)
        found = {match for each in patterns for match in glob.glob(each)}
    return found


def _type_error(path: object) -> DatasetError:
    return DatasetError(
        f"the dataset must be a file, a folder or a glob, or a list of these, got {path!r}"
    )


def _files_in(folder: Path, report: ReadReport | None) -> list[Path]:
    found = []
    # os.walk rather than rglob: it does not follow links to folders, which can form a cycle.
    for parent, folders, names in os.walk(folder, onerror=_raise_unreadable):
        if Path(parent) != folder and (kind := _own_output(names)):
            folders.clear()
            if report is not None:
                report.add(Path(parent), f"skipped, because it contains {kind}")
            continue
        folders[:] = [
            name for name in folders if not name.startswith(".") and not is_system_folder(name)
        ]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    files = sorted(file for file in found if file.is_file() and not is_system_file(file))
    if not files:
        raise DatasetError(f"the folder {folder} contains no files: put the training texts there")
    return files


def _own_output(names: Sequence[str]) -> str | None:
    """What training has written into a folder with these files, if they are not texts of the user:
    `finetune .` must not be trained on the runs and samples of an earlier one."""
    if {"hparams.json", "encoder.json"} <= set(names):
        return "a run or a model"
    if names and all(_SAMPLES.fullmatch(name) for name in names):
        return "samples of a run"
    return None


def _without_settings(
    files: list[Path], place: str, report: ReadReport | None, config: DatasetConfig
) -> list[Path]:
    """Leave out the JSON files that contain no texts, such as settings, and report them. Token
    files that an index lists are read with the index; indexes of texts are left out."""
    listed = {shard for file in files if is_index(file) for shard in shard_paths(file)}
    files = [file for file in files if file not in listed]
    files = [file for file in files if not file.name.endswith(TEXT_INDEX_SUFFIX)] or files
    if report is None:
        return files
    kept, reasons = [], []
    for file in files:
        is_json = detect_format(file) is Format.JSON
        if is_json and (reason := reason_to_skip(file, config)):
            reasons.append(f"{file}: {reason}")
            report.add(file, f"skipped, because it is JSON without texts to train on ({reason})")
        else:
            kept.append(file)
    if not kept:
        raise DatasetError(f"{place} contains only JSON files without texts ({reasons[0]})")
    return kept


def check_extent(path: str, limit: int) -> None:
    """Raise DatasetError if `find_files` would look at more than `limit` files and folders.

    For a path that the user has not chosen, such as one in somebody else's run: a folder or pattern
    could cover the whole disk.

    Args:
        path: A file, a folder or a glob pattern. `~` is expanded.
        limit: Number of entries.

    Example:
        check_extent("books", 10_000)
    """
    place = Path(os.path.expanduser(path))
    depth = None
    if glob.has_magic(path) and not os.path.exists(place):
        parts = place.parts
        fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
        if "**" not in parts:
            depth = len(parts) - fixed
        place = Path(*parts[:fixed])
    left = limit
    for parent, folders, names in os.walk(place) if os.path.exists(place) else ():
        folders[:] = [name for name in folders if not name.startswith(".")]
        left -= len(folders) + len(names)
        if left < 0:
            raise DatasetError(
                f"{path} is not searched, since {place} has more than {limit:,} files and folders: "
                "pass the files to read"
            )
        if depth is not None and len(Path(parent).relative_to(place).parts) + 1 >= depth:
            folders.clear()


def find_training_files(
    path: DatasetPath,
    validation: DatasetPath | None,
    report: ReadReport,
    config: DatasetConfig = _DEFAULTS,
) -> list[Path]:
    """Find the files to train on: those of a dataset without those of the validation data.

    Args:
        path: The dataset, as for `find_files`.
        validation: The validation data, if it is a file, folder or glob of its own. Its files are
            left out, even if they have another name in the dataset (links).
        report: Receives the files that were left out.
        config: See `find_files`.

    Returns:
        The files, sorted.

    Raises:
        DatasetError: Files are missing, or all files of the dataset are validation data.

    Example:
        find_training_files("books", "books/held-out.txt", ReadReport())
    """
    files = find_files(path, report, config)
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
    """The device and inode number of a file, which are the same for all links to it."""
    status = file.stat()
    return status.st_dev, status.st_ino


def _raise_unreadable(error: OSError) -> None:
    raise DatasetError(f"the folder {error.filename} cannot be read: {error.strerror or error}")


def _missing_message(path: Path) -> str:
    """An error message with the first part of `path` that does not exist, and a similar name."""
    first = path
    while not first.parent.exists():
        first = first.parent
    if first.is_symlink():
        return f"{path} does not exist: {first} is a link to {os.readlink(first)}, which is missing"
    try:
        hint = nearest(first.name, (entry.name for entry in first.parent.iterdir()))
    except OSError:
        hint = ""
    return f"{path} does not exist: there is no {first.name} in {first.parent.absolute()}{hint}"


def check_column(files: Iterable[Path], column: str | None, name: str = "column") -> None:
    """Raise OptionError if a column is given but none of the files has records.

    `name` is that of the option.
    """
    if column is not None and not any(map(has_records, files)):
        raise OptionError(
            f"{name}={column!r} was given, but the dataset has no table (.csv, .tsv), JSON or "
            f"Parquet file: omit {name}"
        )
