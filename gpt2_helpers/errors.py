"""The package's exceptions. Knows nothing of the rest of the package.

Each message is one line: what was wrong, what was received, what to do next.
Only the command line turns them into exit codes.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class Gpt2Error(Exception):
    """Anything that this package refuses to do, or could not do."""


class OptionError(Gpt2Error, ValueError):
    """An option or argument that is out of range, misspelt or of the wrong type."""


class DatasetError(Gpt2Error):
    """A text, CSV, archive or folder that cannot be trained on."""


class CheckpointError(Gpt2Error):
    """A model or run folder that is missing, incomplete or inconsistent."""


class DownloadError(Gpt2Error):
    """A download that did not arrive whole."""


class BigQueryError(Gpt2Error):
    """A query or export that BigQuery refused, or that did not come to its end."""


class DriveError(Gpt2Error):
    """Google Drive that is not there, is full, or does not hold what was asked for."""


class OutOfMemoryError(Gpt2Error, MemoryError):
    """The GPU, or this machine, had no memory left for what was asked."""


class MissingPackageError(Gpt2Error, ImportError):
    """An optional package that is needed for what was asked."""


def import_optional(module: str, needed_for: str, package: str | None = None) -> ModuleType:
    """Import `module`, or raise MissingPackageError with the line that installs it.

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


def brief(words: object) -> str:
    """What another one's error says, or a stranger's file, in one line that is not too long.

    >>> brief("no\\n  room")
    'no room'
    """
    line = " ".join(str(words).split())
    return line if len(line) <= 200 else f"{line[:200]} ..."


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether the GPU, or this machine, had no memory left."""
    # TensorFlow's own kind, told by its name: many a command needs no TensorFlow.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint ` (did you mean 'x'?)` where a known name resembles `word`, else nothing.

    >>> nearest("124m", ["124M", "tiny"])
    " (did you mean '124M'?)"
    """
    by_lower = {name.lower(): name for name in known}
    match = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[match[0]]!r}?)" if match else ""
