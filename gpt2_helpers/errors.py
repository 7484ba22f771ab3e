"""Exceptions of the package, and helpers for their messages.

Each message is one line: what is wrong, the value received, what to do. Only the command line turns
exceptions into exit codes.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class Gpt2Error(Exception):
    """Base class of all errors that this package raises on purpose."""


class OptionError(Gpt2Error, ValueError):
    """An option or argument is out of range, misspelled or of the wrong type."""


class DatasetError(Gpt2Error):
    """A text, CSV, archive or folder cannot be used for training."""


class CheckpointError(Gpt2Error):
    """A model or run folder is missing, incomplete, inconsistent or in use."""


class DownloadError(Gpt2Error):
    """A download failed or is incomplete."""


class BigQueryError(Gpt2Error):
    """BigQuery rejected a query, or an export failed."""


class DriveError(Gpt2Error):
    """Google Drive is not mounted, is full, or lacks a file."""


class OutOfMemoryError(Gpt2Error, MemoryError):
    """The GPU or the machine ran out of memory."""


class MissingPackageError(Gpt2Error, ImportError):
    """An optional package is not installed, or fails to import."""


def import_optional(module: str, needed_for: str, package: str | None = None) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: Name of the module.
        needed_for: What needs it, as the subject of the error message.
        package: Name to install; default: the module's top-level name.

    Raises:
        MissingPackageError: It cannot be imported; the message has the command to install it.

    >>> import_optional("json", "reading settings").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.split(".")[0]
        install = package or top
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == top:
            fault, line = "is not installed", f"pip install {install}"
        else:
            reason = " ".join(str(error).split())
            fault, line = f"fails to import ({reason})", f"pip install --upgrade {install}"
        raise MissingPackageError(
            f"{needed_for} needs the package {install}, which {fault}: run `{line}` and try again"
        ) from error


def brief(text: object) -> str:
    """A third-party error message or file content as one line of at most 200 characters.

    >>> brief("no\\n  room")
    'no room'
    """
    line = " ".join(str(text).split())
    return line if len(line) <= 200 else f"{line[:200]} ..."


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error means that the GPU or the machine ran out of memory."""
    # TensorFlow's error is recognized by name, since many commands do not load TensorFlow.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint ` (did you mean 'x'?)` if a known name is similar to `word`, else an empty string.

    >>> nearest("124m", ["124M", "tiny"])
    " (did you mean '124M'?)"
    """
    by_lower = {name.lower(): name for name in known}
    match = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[match[0]]!r}?)" if match else ""
