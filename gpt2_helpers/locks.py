"""One process at a time in a folder. The system lets go when a process ends, however it ends.

Within a process nobody is kept out: in a notebook a cell that was stopped may hold on for long.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpt2_helpers.errors import CheckpointError

LOCK = ".lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else trains in `folder` meanwhile; CheckpointError where another process does.

    A file system that has no locks, such as a mounted Drive, keeps nobody out.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return

    with open(folder / LOCK, "a+", encoding="ascii", errors="replace") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            raise CheckpointError(
                f"{folder} is being trained by another process (number {file.read(20).strip()}): "
                "wait for its end, stop it, or give another run_name"
            ) from None
        except OSError:
            yield
            return
        # Whose it is, for the others to say.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield
