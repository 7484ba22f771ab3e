"""Atomic file writes, copies with progress, and SHA-256 files.

A file is written under a temporary name in the same folder and renamed once it is complete and on
the disk, so that a reader finds either the old file or the new one. Copying is a generator of
`CopyProgress`.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import itertools
import os
import shutil
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.system.bounded_files import MAX_STATE_BYTES, parse_count, read_bounded_text

CHUNK_SIZE = 1 << 20  # bytes read and written at a time
PREVIOUS = ".before"  # suffix of the previous version of a run, an archive or a file
_ABANDONED_AFTER = 86400  # seconds without a change, if the process cannot be checked
_counter = itertools.count()  # makes temporary names unique among the threads of a process


def ignore(message: str) -> None:
    """Default for callbacks that receive messages."""


class CopyProgress(NamedTuple):
    """Bytes done so far and in total, with a message such as "retrying in 4 s"."""

    done: int
    total: int
    message: str = ""


Result = TypeVar("Result")


def drain(copying: Generator[Any, None, Result]) -> Result:
    """Run a generator to its end without showing its progress, and return its result."""
    while True:
        try:
            next(copying)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a new binary file that replaces `path` when the block ends.

    If the block raises or the process is killed, `path` keeps its old content. A symbolic link is
    followed, and the permissions of an existing file are kept.

    Args:
        path: File to create or replace. Its folder must exist.

    Yields:
        A file open for reading and writing.

    Raises:
        OSError: The file cannot be written. `path` is unchanged.

    Example:
        with atomic_write(Path("counter")) as file:
            file.write(b"5")
    """
    with temporary_path(path) as part:
        with open(part, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        commit(part, path)


def atomic_write_text(path: Path, text: str) -> None:
    r"""Write a small text file atomically, in UTF-8 with `\n` line ends."""
    with atomic_write(path) as file:
        file.write(text.encode())


@contextmanager
def temporary_path(path: Path) -> Iterator[Path]:
    """A unique path next to `path` for an atomic write in several steps; `commit` renames it.

    The file is deleted at the end of the block if it still exists. Files that killed processes left
    behind for the same `path` are deleted first.

    Raises:
        OSError: `path` is a folder, or something else that must not be replaced by a file, such as
            the device /dev/null.
    """
    delete_abandoned(path)
    path = _follow_link(path)
    _require_replaceable(path)
    # Hidden, so that a folder that is read as a dataset at the same time skips it.
    part = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}.part")
    try:
        yield part
    finally:
        delete_quietly(part)


def commit(part: Path, path: Path) -> None:
    """Rename `part`, which must be complete and flushed, to `path`, and flush the folder."""
    path = _follow_link(path)
    with contextlib.suppress(OSError):  # there is no older file, or permissions are not supported
        shutil.copymode(path, part)
    os.replace(part, path)
    with contextlib.suppress(OSError):  # some file systems refuse to flush a folder
        flush(path.parent)


def delete_abandoned(path: Path) -> None:
    """Delete the temporary files of `path` that killed processes left behind."""
    path = _follow_link(path)
    for part in path.parent.glob(f".{glob.escape(path.name)}.*-*.part"):
        process = part.name.split(".")[-2].partition("-")[0]
        # On Drive the process may have run on another machine, so its id alone proves little.
        with contextlib.suppress(OSError):
            unchanged = time.time() - part.stat().st_mtime
            if unchanged > _ABANDONED_AFTER or not _is_running(process):
                delete_file(part)


def _require_replaceable(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))


def _follow_link(path: Path) -> Path:
    """The target of a symbolic link, which must not be replaced by a file; else `path`."""
    return path.resolve() if path.is_symlink() else path


def _is_running(process: str) -> bool:
    if os.name == "nt" or not process.isdecimal():  # on Windows os.kill would end the process
        return True
    try:
        os.kill(int(process), 0)  # signal 0 only checks
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        pass
    return True


def write_chunks(
    part: Path, name: str, chunks: Iterable[bytes], total: int
) -> Generator[CopyProgress, None, str]:
    """Write `total` bytes to a new file, flush it to the disk, and return its SHA-256.

    Errors call the file `name`.

    Raises:
        OSError: Writing failed.
        Gpt2Error: The size of the chunks or of the written file is not `total`.
    """
    digest = hashlib.sha256()
    done = 0
    with open(part, "wb") as out:
        for chunk in chunks:
            out.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            yield CopyProgress(done, total)
        out.flush()
        os.fsync(out.fileno())
    written = part.stat().st_size  # a mounted file system may have lost some without an error
    if done != total or written != total:
        raise Gpt2Error(
            f"{name} is incomplete: {written:,} of {total:,} bytes were written: try again"
        )
    return digest.hexdigest()


def copy_file(source: Path, target: Path) -> Generator[CopyProgress, None, str]:
    """Copy a file and its modification time atomically; returns its SHA-256."""
    status = source.stat()
    with temporary_path(target) as part:
        chunks = read_chunks(source, status.st_size)
        digest = yield from write_chunks(part, target.name, chunks, status.st_size)
        with contextlib.suppress(OSError):
            os.utime(part, (status.st_atime, status.st_mtime))
        commit(part, target)
    return digest


def read_chunks(path: Path, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file in chunks; fewer if the file is shorter."""
    with open(path, "rb") as file:
        while size and (chunk := file.read(min(CHUNK_SIZE, size))):
            size -= len(chunk)
            yield chunk


def flush(path: Path) -> None:
    """Wait until a file, or a folder's entries, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders and does not need this
    # Windows flushes only files that are open for writing.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def delete_file(path: Path) -> None:
    """Delete a file if it exists. It is truncated first: Google Drive moves deleted files to its
    trash, where they still take up space."""
    with contextlib.suppress(OSError):
        os.truncate(path, 0)
    path.unlink(missing_ok=True)


def delete_quietly(path: Path) -> None:
    """Delete a file if possible; for clean-up that must not hide another error."""
    with contextlib.suppress(OSError):
        delete_file(path)


def sha256_path(path: Path) -> Path:
    """The file `NAME.sha256` next to a file, with its SHA-256."""
    return path.with_name(path.name + ".sha256")


def write_sha256(part: Path, path: Path, digest: str, size: int) -> None:
    """Write the SHA-256 of `path` to `part`, which is to become `sha256_path(path)`.

    The format is sha256sum's, with the file's size in bytes as a comment.
    """
    line = f"# {size} bytes\n{digest}  {path.name}\n".encode()
    drain(write_chunks(part, part.name, [line], len(line)))


def read_sha256(path: Path) -> tuple[str | None, int | None]:
    """The SHA-256 and the size in bytes in `sha256_path(path)`; None for what is missing."""
    digest = size = None
    try:
        lines = read_bounded_text(sha256_path(path), MAX_STATE_BYTES).splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        first, _, rest = line.partition(" ")
        if first == "#":
            size = parse_count(rest.removesuffix(" bytes"))
        elif rest[1:] == path.name:  # after a space or, for binary mode, a star
            digest = first.lower()
    return digest, size
