"""Exceptions of the package, and helpers for their messages.

Each message is one line: what is wrong, the value received, what to do. Only the command line turns
exceptions into exit codes.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import itertools
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_MAX_COMPARED = 10_000  # names; the comparison takes about 1 s per 100,000

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Control characters, line and paragraph separators, changes of direction, lone surrogates.
_NOT_PRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# In other errors of TensorFlow, such as InternalError: a copy to a full GPU, CUDA's libraries and
# its driver, and programs of XLA.
_OUT_OF_GPU_MEMORY = re.compile(
    "Dst tensor is not initialized|CU[A-Z]+_STATUS_ALLOC_FAILED|CUDA_ERROR_OUT_OF_MEMORY"
    "|cudaErrorMemoryAllocation|RESOURCE_EXHAUSTED|out of memory|OOM when allocating"
    "|failed to (allocate|alloc) .*memory|failed to create cublas handle",
    re.IGNORECASE,
)


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


class WorkerLostError(Gpt2Error):
    """Another worker of a training on several machines ended or can't be reached."""


class GradientOverflowError(Gpt2Error):
    """Gradients overflow in fp16 at every loss scale."""


class OutOfMemoryError(Gpt2Error, MemoryError):
    """The GPU or the machine ran out of memory."""


class MissingPackageError(Gpt2Error, ImportError):
    """An optional package is not installed, or fails to import."""


def import_optional(module: str, needed_for: str, extra: str) -> ModuleType:
    """Import a module of an optional package, which is part of one of this package's extras.

    Args:
        module: Name of the module.
        needed_for: What needs it, as the subject of the error message.
        extra: The extra in pyproject.toml, such as hub.

    Raises:
        MissingPackageError: It cannot be imported; the message has the command to install it.

    >>> import_optional("json", "reading settings", "web").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.split(".")[0]
        # google.cloud exists as soon as any package of Google's cloud is installed.
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == top:
            raise MissingPackageError(
                f"{needed_for} needs {module}, which is not installed: run "
                f'`pip install "gpt2-helpers[{extra}]"` and try again'
            ) from error
        reason = " ".join(str(error).split())
        raise MissingPackageError(
            f"{needed_for} needs the package {top}, which fails to import ({reason}): run "
            f"`pip install --upgrade {top}` and try again"
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
    """Like `brief(repr(value))`, even for integers of thousands of digits, which have no `repr`.

    >>> brief_repr("ten"), brief_repr(10**5000)
    ("'ten'", 'a number of about 5,000 digits')
    """
    if isinstance(value, int) and abs(value) >= 10**100:
        digits = round(math.log10(abs(value)), -2)
        return f"a number of about {digits:,.0f} digits"
    try:
        return brief(repr(value))
    except Exception:  # of an object's own method, or of a number in a list
        return f"a {type(value).__name__}"


def listed(names: Iterable[str], limit: int = 20) -> str:
    """Names for a message, each on one line, at most `limit` of them.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    known = list(names)
    more = f" and {len(known) - limit:,} more" if len(known) > limit else ""
    return ", ".join(brief(name, 40) for name in known[:limit]) + more


def write_problem(path: str | Path, error: OSError, alternative: str) -> str:
    """Why a file or folder cannot be written and what to do, for the end of a message.

    Args:
        path: What cannot be written.
        error: The error.
        alternative: What to do instead, such as "use another folder".

    >>> full = OSError(errno.ENOSPC, "No space left on device")
    >>> write_problem("out.txt", full, "use another folder")
    'No space left on device: free some space, or use another folder'
    """
    if error.errno in DISK_FULL:
        return f"{error.strerror}: free some space, or {alternative}"
    parents = Path(os.path.abspath(path)).parents
    if error.errno == errno.ENOENT and not parents[0].exists():
        missing = next(folder for folder in reversed(parents) if not folder.exists())
        return f"the folder {missing} does not exist: create it, or {alternative}"
    return f"{error.strerror or error}: {alternative}"


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error means that the GPU or the machine ran out of memory."""
    # TensorFlow's errors are recognized by name, since many commands do not load TensorFlow.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    is_tensorflows = type(error).__module__.partition(".")[0] == "tensorflow"
    return is_tensorflows and bool(_OUT_OF_GPU_MEMORY.search(str(error)))


@contextmanager
def explain_out_of_memory(explanation: Callable[[], str]) -> Iterator[None]:
    """Raise errors of exhausted memory as OutOfMemoryError.

    Args:
        explanation: Called then: when it happened, and what to do, to follow "out of memory".

    Raises:
        OutOfMemoryError: Memory ran out. One that is raised inside is not changed.

    >>> with explain_out_of_memory(lambda: "while loading: use a smaller model"):
    ...     raise MemoryError
    Traceback (most recent call last):
    ...
    gpt2_helpers.errors.OutOfMemoryError: out of memory while loading: use a smaller model
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(f"out of memory {explanation()}") from error


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint ` (did you mean 'x'?)` if a known name is similar to `word`, else an empty string.

    >>> nearest("124m", ["124M", "tiny"])
    " (did you mean '124M'?)"
    """
    by_lower = {name.lower(): name for name in itertools.islice(known, _MAX_COMPARED)}
    match = difflib.get_close_matches(str(word)[:100].lower(), by_lower, n=1)
    return f" (did you mean {by_lower[match[0]]!r}?)" if match else ""
