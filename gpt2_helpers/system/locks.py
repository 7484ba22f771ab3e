"""One process at a time in a folder. The system lets go when a process ends, however it ends.

Within a process nobody is kept out: in a notebook a cell that was stopped may hold on for long.
Neither is anybody on Windows, nor where a file system has no locks, such as a mounted Drive.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gpt2_helpers.errors import CheckpointError

LOCK = ".lock"
# A process loses a lock when it closes the file, by whatever handle: each is opened once.
_open_files: dict[Path, tuple[IO[str], int]] = {}  # with how many hold it
_changing = threading.Lock()


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Nobody else changes the run in `folder` meanwhile; CheckpointError where another process
    does."""
    path = (folder / LOCK).resolve()
    with _changing:
        file, count = _open_files.get(path) or (_locked(folder), 0)
        _open_files[path] = file, count + 1
    try:
        yield
    finally:
        with _changing:
            file, count = _open_files.pop(path)
            if count > 1:
                _open_files[path] = file, count - 1
            else:
                file.close()


def refuse_if_busy(folder: Path) -> None:
    """CheckpointError where another process is in `folder`. Nothing new is written there."""
    if (folder / LOCK).is_file():
        with contextlib.suppress(OSError), exclusive_lock(folder):
            pass


def is_free(folder: Path) -> bool:
    """Whether no other process is in `folder`, and this one may write there."""
    try:
        with exclusive_lock(folder):
            return True
    except (CheckpointError, OSError):
        return False


def _locked(folder: Path) -> IO[str]:
    file = open(folder / LOCK, "a+", encoding="ascii", errors="replace")  # noqa: SIM115 - closed by others
    try:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        number = file.read(20).strip()
        file.close()
        raise CheckpointError(
            f"{folder} is being trained by another process (number {number}): wait for its "
            "end, stop it, or give another run_name"
        ) from None
    except (OSError, ImportError):
        return file
    with contextlib.suppress(OSError):  # whose it is, for the others to say
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    return file
