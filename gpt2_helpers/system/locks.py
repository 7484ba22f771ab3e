"""A lock on a folder for one process at a time.

The operating system releases the lock when the process ends, even if it is killed. Within a process
the lock is reentrant: in a notebook, an interrupted cell may still hold it. On file systems without
locks, such as a mounted Google Drive, nothing is locked.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gpt2_helpers.errors import CheckpointError

LOCK = ".lock"
# A process loses its lock when it closes any handle of the file: each file is opened only once.
_open_files: dict[Path, tuple[IO[str], int]] = {}  # path -> file and number of holders
_open_files_lock = threading.Lock()


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Keep other processes out of `folder` during the block.

    Raises:
        CheckpointError: Another process holds the lock; the message names its id.
        OSError: The folder does not exist or cannot be written.

    Example:
        with exclusive_lock(Path("checkpoint/run1")): ...
    """
    path = (folder / LOCK).resolve()
    with _open_files_lock:
        file, holders = _open_files.get(path) or (_open_locked(folder), 0)
        _open_files[path] = file, holders + 1
    try:
        yield
    finally:
        with _open_files_lock:
            file, holders = _open_files.pop(path)
            if holders > 1:
                _open_files[path] = file, holders - 1
            else:
                file.close()


def refuse_if_busy(folder: Path) -> None:
    """Raise CheckpointError if another process holds the lock. Creates no files."""
    if (folder / LOCK).is_file():
        with contextlib.suppress(OSError), exclusive_lock(folder):
            pass


def is_free(folder: Path) -> bool:
    """Whether no other process holds the lock and this one can write to `folder`."""
    try:
        with exclusive_lock(folder):
            return True
    except (CheckpointError, OSError):
        return False


def lock_open_file(file: IO[bytes]) -> bool:
    """Lock a file that is open in this process once, until it is closed.

    Returns:
        Whether it is locked; False if another process holds the lock. On file systems without
        locks it is True.
    """
    try:
        _lock(file.fileno())
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _open_locked(folder: Path) -> IO[str]:
    file = open(folder / LOCK, "a+", encoding="ascii", errors="replace")  # noqa: SIM115 - closed by the last holder
    try:
        _lock(file.fileno())
    except (BlockingIOError, PermissionError):
        file.seek(0)
        process = file.read(20).strip()
        file.close()
        raise CheckpointError(
            f"{folder} is used by another process (id {process}): wait until it ends, stop it, or "
            "use another run_name"
        ) from None
    except OSError:  # the file system has no locks
        return file
    with contextlib.suppress(OSError):  # for the error message of other processes
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    return file


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        # Windows denies others access to locked bytes: lock one far behind the process id.
        os.lseek(handle, 1 << 30, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
