"""Exceptions of the package, and helpers for their messages.

Each message is one line: what is wrong, the value received, what to do. Only the command line turns
exceptions into exit codes.
"""

from __future__ import annotations

import difflib
import importlib
import math
import re
from collections.abc import Iterable
from types import ModuleType

# Control characters, line and paragraph separators, changes of direction, lone surrogates.
_NOT_PRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Gpt2Error(Exception):
    """Base class of all errors that this package raises on purpose.

    Messages may quote files and servers, so control characters in them are escaped.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(printable(a) if isinstance(a, str) else a for a in arguments))


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


def printable(text: str) -> str:
    r"""Escape the characters that a terminal or a page obeys instead of showing them.

    >>> print(printable("a\x1b[2J\nb"))
    a\x1b[2J\nb
    """
    return _NOT_PRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def brief(text: object, limit: int = 200) -> str:
    r"""A third-party error or file content as one printable line of at most `limit` characters.

    >>> brief("no\n  room")
    'no room'
    """
    if isinstance(text, OSError) and text.strerror:
        text = text.strerror
    line = " ".join(str(text)[: 10 * limit].split())
    return printable(line if len(line) <= limit else f"{line[:limit]} ...")


def brief_repr(value: object) -> str:
    """Like `brief(repr(value))`, also for integers of thousands of digits, which have no `repr`.

    >>> brief_repr("ten"), brief_repr(10**5000)
    ("'ten'", 'a number of about 5,001 digits')
    """
    if isinstance(value, int) and abs(value) >= 10**100:
        digits = int(value.bit_length() * math.log10(2)) + 1
        return f"a number of about {digits:,} digits"
    try:
        return brief(repr(value))
    except Exception:  # of an object's own method, or of a number in a list
        return f"a {type(value).__name__}"


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
