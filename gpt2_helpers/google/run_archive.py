"""Packing a run folder into an uncompressed tar archive and back.

As with gpt-2-simple, `checkpoint_run1.tar` contains `checkpoint/run1/...`. Next to it is
`checkpoint_run1.tar.sha256`, in the format of sha256sum. Packing and unpacking are generators of
`CopyProgress`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gpt2_helpers.checkpoint.model_files import step_of
from gpt2_helpers.checkpoint.run_card import CARD_FILE
from gpt2_helpers.checkpoint.run_folder import RunFolder, RunSnapshot
from gpt2_helpers.checkpoint.weights import checkpoint_files
from gpt2_helpers.errors import CheckpointError, write_problem
from gpt2_helpers.google.archive_checks import (
    BLOCK,
    END,
    ROOT,
    delete_hash_hint,
    is_complete,
    path_parts,
    read_contents,
    round_up,
)
from gpt2_helpers.system.files import (
    CHUNK_SIZE,
    PREVIOUS,
    CopyProgress,
    commit,
    delete_abandoned,
    delete_file,
    flush,
    ignore,
    read_chunks,
    read_sha256,
    sha256_path,
    temporary_path,
    write_chunks,
    write_sha256,
)
from gpt2_helpers.tokenizer import TOKENIZER_FILES

PREFIX = f"{ROOT}_"  # of the file names of archives
_METADATA_FILES = (
    *("counter", "checkpoint", "run.json", CARD_FILE, "hparams.json"),
    *TOKENIZER_FILES,
)


def archive_name(run_name: str) -> str:
    """The file name of a run's archive, as gpt-2-simple names it.

    >>> archive_name("run1")
    'checkpoint_run1.tar'
    """
    return f"{PREFIX}{run_name}.tar"


def run_files(run: RunSnapshot, weights_only: bool = False) -> list[Path]:
    """The files that are needed to resume a run, or with `weights_only` to generate with it.

    These are its newest complete checkpoint and, to resume, the optimizer state, adapters,
    TensorBoard events and the best checkpoint of early stopping.
    """
    newest = run.checkpoint
    assert newest is not None
    steps, prefixes = [step_of(newest)], [newest]
    events: list[Path] = []
    if not weights_only:
        best = run.best_step
        if best is not None and best not in steps:
            steps.append(best)
            prefixes.append(run.path / f"model-{best}")
        prefixes += [
            run.path / f"{kind}-{step}" for kind in ("optimizer", "adapters") for step in steps
        ]
        events = sorted(run.path.glob("events.*"))
    files = [run.path / name for name in _METADATA_FILES]
    for prefix in prefixes:
        files += reversed(checkpoint_files(prefix))
    return [path for path in (*files, *events) if path.is_file()]


@dataclass(frozen=True)
class Member:
    """A file to pack, and its tar header."""

    path: Path
    size: int
    header: bytes


def archive_members(run: RunSnapshot, weights_only: bool = False) -> list[Member]:
    """The files of `run_files` with their tar headers."""
    members = []
    for path in run_files(run, weights_only):
        facts = path.stat()
        info = tarfile.TarInfo(f"{ROOT}/{run.name}/{path.name}")
        info.size, info.mtime = facts.st_size, int(facts.st_mtime)
        # The GNU format supports names and sizes of any length.
        members.append(Member(path, info.size, info.tobuf(tarfile.GNU_FORMAT)))
    return members


def packed_size(members: Iterable[Member]) -> int:
    """The size in bytes of an archive with these members."""
    blocks = sum(len(member.header) + round_up(member.size, BLOCK) for member in members)
    return round_up(blocks + END, tarfile.RECORDSIZE)


def pack(members: list[Member], archive: Path) -> Generator[CopyProgress, None, None]:
    """Write an archive of a run's files, and its SHA-256.

    An existing archive is unchanged until the new one is complete, and then renamed to
    `NAME.before.tar`; if it is damaged, it is deleted instead.

    Args:
        members: The files, from `archive_members`.
        archive: The archive to write.

    Returns:
        A generator of the progress.

    Raises:
        OSError: If the archive can't be written.
    """
    total = packed_size(members)
    with temporary_path(archive) as part, temporary_path(sha256_path(archive)) as hash_part:
        digest = yield from write_chunks(part, archive.name, _archive_bytes(members, total), total)
        write_sha256(hash_part, archive, digest, total)
        if archive.exists():
            keep_as_previous(archive)
        # The hash first: an archive must never be next to the hash of another one.
        commit(hash_part, sha256_path(archive))
        commit(part, archive)
        delete_abandoned(sha256_path(previous_archive(archive)))


def _archive_bytes(members: list[Member], total: int) -> Iterator[bytes]:
    """Yield the bytes of an archive, `total` in all."""
    done = 0
    for member in members:
        yield member.header
        yield from read_chunks(member.path, member.size)
        yield bytes(-member.size % BLOCK)
        done += len(member.header) + round_up(member.size, BLOCK)
    yield bytes(total - done)


def keep_as_previous(archive: Path) -> None:
    """Rename an archive and its hash to `NAME.before.tar`, replacing an older one.

    A truncated archive, for example of an incomplete upload, is deleted instead.
    """
    before = previous_archive(archive)
    if before.exists() and not is_complete(archive):
        delete_archive(archive)
        return
    digest, size = read_sha256(archive)
    with temporary_path(sha256_path(before)) as hash_part:
        if digest:
            write_sha256(hash_part, before, digest, size or archive.stat().st_size)
        delete_archive(before)
        os.replace(archive, before)
        if digest:
            commit(hash_part, sha256_path(before))


def delete_archive(archive: Path) -> None:
    """Delete an archive and its hash if they exist."""
    delete_file(sha256_path(archive))
    delete_file(archive)


def previous_archive(archive: Path) -> Path:
    """The path of the previous version of an archive.

    >>> previous_archive(Path("checkpoint_run1.tar")).name
    'checkpoint_run1.before.tar'
    """
    return archive.with_name(f"{archive.stem}{PREVIOUS}.tar")


def unpack(
    archive: Path, folder: RunFolder, on_message: Callable[[str], None] = ignore
) -> Generator[CopyProgress, None, None]:
    """Unpack the run in an archive; an existing run is renamed to `NAME.before`.

    An archive without a hash, such as one of gpt-2-simple, is accepted.

    Args:
        archive: The archive; its contents are untrusted.
        folder: The run to create or replace.
        on_message: Called with a message about a missing hash or an existing run.

    Returns:
        A generator of the progress.

    Raises:
        CheckpointError: If the archive is unsafe, has another SHA-256 than recorded, contains no
            complete checkpoint, or doesn't fit on the disk. The folder is unchanged.
    """
    contents = read_contents(archive)
    expected, _ = read_sha256(archive)
    if expected is None:
        on_message(f"{archive.name} has no SHA-256 file: its checksum is not verified")
    with open(archive, "rb") as file:
        source = _Source(file, archive.stat().st_size)
        try:
            with folder.atomic_replace(contents.size, on_message) as folder_part:
                yield from _extract(source, contents.members, folder_part)
                if expected not in (None, source.digest.hexdigest()):
                    raise CheckpointError(
                        f"{archive} is damaged: its SHA-256 is not the one in "
                        f"{sha256_path(archive).name}: copy it again, or wait until its upload is "
                        f"complete{delete_hash_hint(archive)}"
                    )
        except OSError as error:
            problem = write_problem(folder.path, error, "use another checkpoint_dir")
            raise CheckpointError(
                f"{folder.path} cannot be written: {problem}; existing files are unchanged"
            ) from error


class _Source:
    """An archive that is read once, sequentially, and hashed at the same time."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.done = file, size, 0
        self.digest = hashlib.sha256()

    def until(self, end: int) -> Iterator[bytes]:
        """Yield the bytes up to offset `end` in chunks."""
        while self.done < end:
            try:
                chunk = self.file.read(min(CHUNK_SIZE, end - self.done))
            except OSError as error:
                raise CheckpointError(
                    f"{self.file.name} cannot be read after {self.done:,} bytes "
                    f"({error.strerror or error}): try again"
                ) from error
            if not chunk:
                raise CheckpointError(
                    f"{self.file.name} is truncated: read {self.done:,} of {self.size:,} bytes: "
                    "try again"
                )
            self.digest.update(chunk)
            self.done += len(chunk)
            yield chunk


def _extract(
    source: _Source, members: Iterable[tarfile.TarInfo], target: Path
) -> Iterator[CopyProgress]:
    """Write the files that `read_contents` has checked, without reading the headers again."""
    for member in sorted(members, key=lambda member: member.offset_data):
        for _ in source.until(member.offset_data):
            yield CopyProgress(source.done, source.size)
        path = target.joinpath(*path_parts(member.name)[2:])
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as out:
            for chunk in source.until(member.offset_data + member.size):
                out.write(chunk)
                yield CopyProgress(source.done, source.size)
        flush(path)
        with contextlib.suppress(OSError, OverflowError, ValueError):
            os.utime(path, (member.mtime, member.mtime))
    for _ in source.until(source.size):
        yield CopyProgress(source.done, source.size)
