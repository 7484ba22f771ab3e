"""Bytes on their way into a file that is there whole or not at all. Knows nothing of what they are.

Writing and copying are generators of `CopyProgress`, one for every piece that was written,
which return the file's SHA-256. The file is `NAME.part` until the last byte is on the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from gpt2_helpers.errors import Gpt2Error

PIECE = 1 << 20  # bytes read and written at a time
BEFORE = ".before"  # behind the name of what something newer has taken the place of


def ignore(note: str) -> None:
    """What becomes of a note where nobody asked for any."""


class CopyProgress(NamedTuple):
    """How many bytes of how many are done."""

    done: int
    total: int


Result = TypeVar("Result")


def drain(moving: Generator[CopyProgress, None, Result]) -> Result:
    """Let it run to its end, unseen; what it returns."""
    while True:
        try:
            next(moving)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def write_part(
    target: Path, pieces: Iterable[bytes], total: int
) -> Generator[CopyProgress, None, tuple[Path, str]]:
    """Write `total` bytes beside `target`; returns the file `NAME.part` and its SHA-256.

    Nothing is left of it where writing fails, which raises OSError, or where the bytes that came
    are not as many as were announced, which raises Gpt2Error.
    """
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    done = 0
    try:
        with open(part, "wb") as out:
            for piece in pieces:
                out.write(piece)
                digest.update(piece)
                done += len(piece)
                yield CopyProgress(done, total)
            out.flush()
            os.fsync(out.fileno())
        written = part.stat().st_size  # as the file system tells it: a mounted one may lie
        if done != total or written != total:
            raise Gpt2Error(
                f"{target.name} was not written whole: {written:,} bytes of {total:,}: try again"
            )
    except BaseException:
        drop(part)
        raise
    return part, digest.hexdigest()


def copy_file(source: Path, target: Path) -> Generator[CopyProgress, None, str]:
    """Copy a file and its time; what stood at `target` stays until the copy is whole."""
    facts = source.stat()
    part, digest = yield from write_part(target, read_file(source, facts.st_size), facts.st_size)
    try:
        with contextlib.suppress(OSError):
            os.utime(part, (facts.st_atime, facts.st_mtime))
        os.replace(part, target)
    except BaseException:
        drop(part)
        raise
    return digest


def write_text(path: Path, text: str) -> None:
    """Write a small text file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    flush(part)
    os.replace(part, path)


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders, and needs no flush of them
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # which it asks for
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def drop(part: Path) -> None:
    """Delete what was begun; that it cannot be deleted hides no other error."""
    with contextlib.suppress(OSError):
        delete_file(part)


def delete_file(path: Path) -> None:
    """Delete a file, where it is there. It is emptied first: on Google Drive what is deleted goes
    into a bin, and takes room there."""
    with contextlib.suppress(OSError):
        os.truncate(path, 0)
    path.unlink(missing_ok=True)


def read_file(path: Path, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file in pieces, fewer where it is shorter."""
    with open(path, "rb") as file:
        while size and (piece := file.read(min(PIECE, size))):
            size -= len(piece)
            yield piece


def hash_file(path: Path) -> Path:
    """The file that holds another one's SHA-256, `NAME.sha256` beside it."""
    return path.with_name(path.name + ".sha256")


def write_hash(path: Path, digest: str, size: int) -> Path:
    """Write the SHA-256 of a file in sha256sum's format, with its size as a comment; returns the
    `.part` that is to become `hash_file(path)`."""
    line = f"# {size} bytes\n{digest}  {path.name}\n".encode()
    part, _ = drain(write_part(hash_file(path), [line], len(line)))
    return part


def read_sha256(path: Path) -> tuple[str | None, int | None]:
    """The SHA-256 and the size in bytes that stand beside a file, as far as they do."""
    digest = size = None
    try:
        lines = hash_file(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        first, _, rest = line.partition(" ")
        if first == "#" and rest.removesuffix(" bytes").isdecimal():
            size = int(rest.removesuffix(" bytes"))
        elif rest[1:] == path.name:  # behind the space: another one, or a star
            digest = first.lower()
    return digest, size
