"""Checks and cleans paths and file names that a user or a server gave; `~` is the home folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gpt2_helpers.errors import OptionError

MAX_NAME_BYTES = 255  # the limit of Linux, macOS and Windows for a file's or folder's name
# A run's name is part of the names of its archive, its earlier version and temporary files.
_MAX_RUN_NAME_BYTES = 200
_MAX_SAFE_NAME = 100  # characters


def user_path(path: str | os.PathLike[str], name: str) -> Path:
    """A path that a user gave, with `~` expanded.

    Args:
        path: The path.
        name: Name of the option or argument, for error messages.

    Returns:
        The path. A relative one stays relative.

    Raises:
        OptionError: It is not a path, contains a NUL character, or has a name that is too long.

    Example:
        user_path("~/texts/a.txt", "dataset")  # Path("/home/me/texts/a.txt")
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise OptionError(f"{name} must be a path, got {path!r}")
    expanded = os.path.expanduser(os.fspath(path))
    if "\0" in expanded:
        raise OptionError(f"{name} contains a NUL character: {str(path)[:80]!r}")
    for part in Path(expanded).parts:
        if _size(part) > MAX_NAME_BYTES:
            raise _too_long(name, part, MAX_NAME_BYTES)
    return Path(expanded)


def check_run_name(run_name: object) -> str:
    """Return a run's name; raises OptionError if it cannot be the name of a folder."""
    if not isinstance(run_name, str):
        raise OptionError(f"run_name must be a string, got {run_name!r}")
    user_path(run_name, "run_name")
    if _size(run_name) > _MAX_RUN_NAME_BYTES:
        raise _too_long("run_name", run_name, _MAX_RUN_NAME_BYTES)
    return run_name


def _size(name: str) -> int:
    return len(name.encode("utf-8", "surrogateescape"))


def _too_long(name: str, value: str, limit: int) -> OptionError:
    return OptionError(
        f"{name} is too long for a file name: {_size(value)} bytes, at most {limit} are possible "
        f"({value[:40]!r} ...)"
    )


def safe_name(name: str) -> str:
    """Return a file name without folders and without characters that some file systems reject.

    >>> safe_name("../../my poems (2).TXT"), safe_name("C:\\\\texts\\\\a*b.csv"), safe_name(".txt")
    ('my poems (2).TXT', 'a_b.csv', 'txt.txt')
    """
    last = re.split(r"[\\/]", name)[-1]
    cleaned = re.sub(r"[^\w .()-]", "_", last).strip(" .") or "text"
    stem, dot, suffix = cleaned.rpartition(".")
    if not dot:
        return f"{cleaned[:_MAX_SAFE_NAME]}.txt"
    return f"{stem[: _MAX_SAFE_NAME - len(suffix)]}.{suffix[:_MAX_SAFE_NAME]}"
