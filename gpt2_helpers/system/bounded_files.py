"""Reads small files of unknown origin, such as a model's or a run's, in bounded time and memory.

Only regular files are read: a read from a pipe or a device may never end.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

MAX_BYTES = 16 << 20  # the largest file besides the weights is encoder.json, 1 MB for GPT-2
MAX_STATE_BYTES = 1 << 20  # for files of a few lines, such as `checkpoint`
_MAX_DIGITS = 18  # such numbers fit in 64 bits


def read_bounded(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a file.

    Args:
        path: The file, or a symbolic link to it.
        limit: The largest accepted size in bytes. Defaults to 16 MiB.

    Returns:
        Its content.

    Raises:
        OSError: It cannot be read, is larger than `limit`, or is not a regular file.

    Example:
        read_bounded(Path("models/124M/vocab.bpe"))
    """
    # A device must not even be opened, which can have an effect.
    if not path.is_dir() and path.exists() and not path.is_file():
        raise _unsuitable(path, "not a regular file")
    # The file may have been replaced since: opening a pipe would wait for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unsuitable(path, "not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise _unsuitable(path, f"larger than {limit:,} bytes")
    return content


def read_bounded_text(path: Path, limit: int = MAX_BYTES) -> str:
    """Like `read_bounded`, as `Path.read_text` with UTF-8. Raises ValueError if it is not UTF-8."""
    return io.TextIOWrapper(io.BytesIO(read_bounded(path, limit)), encoding="utf-8").read()


def read_json(path: Path, limit: int = MAX_BYTES) -> Any:
    """Read a JSON file like `read_bounded`.

    Raises:
        OSError: As `read_bounded`.
        ValueError: It is not JSON, nested too deeply, or has a number of thousands of digits.
    """
    text = read_bounded_text(path, limit)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("a number has too many digits") from None


def read_count(path: Path) -> int | None:
    """The number in a file such as `counter`; None if there is none (see `parse_count`)."""
    try:
        return parse_count(read_bounded_text(path, MAX_STATE_BYTES))
    except (OSError, ValueError):
        return None


def read_checksums(path: Path) -> dict[str, str]:
    """The SHA-256 of each file name in a file of sha256sum; empty if it cannot be read."""
    try:
        lines = read_bounded_text(path, MAX_STATE_BYTES).splitlines()
    except (OSError, ValueError):
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def parse_count(text: str) -> int | None:
    """A non-negative integer of at most 18 ASCII digits, or None.

    Other digits, such as ², are accepted by `str.isdigit` but not by `int`.

    >>> parse_count("500"), parse_count("²"), parse_count("9" * 5000)
    (500, None, None)
    """
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


def _unsuitable(path: Path, reason: str) -> OSError:
    return OSError(errno.EINVAL, reason, str(path))
