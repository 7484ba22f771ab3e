"""Atomic writes, copies with progress, and SHA-256 files."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.system.files import (
    CHUNK_SIZE,
    CopyProgress,
    atomic_write,
    atomic_write_text,
    copy_file,
    delete_file,
    delete_quietly,
    drain,
    read_sha256,
    sha256_path,
    temporary_path,
    write_chunks,
    write_sha256,
)


def test_a_copy_reports_progress_and_keeps_the_time(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(2 * CHUNK_SIZE + 5))
    os.utime(source, (1_000_000_000, 1_000_000_000))
    moved: list[CopyProgress] = []
    copying = copy_file(source, target)
    while len(moved) < 3:
        assert not target.exists()
        moved.append(next(copying))
    digest = drain(copying)
    total = 2 * CHUNK_SIZE + 5
    assert moved == [
        CopyProgress(CHUNK_SIZE, total),
        CopyProgress(2 * CHUNK_SIZE, total),
        CopyProgress(total, total),
    ]
    assert target.read_bytes() == source.read_bytes()
    assert digest == hashlib.sha256(source.read_bytes()).hexdigest()
    assert target.stat().st_mtime == 1_000_000_000
    assert sorted(tmp_path.iterdir()) == [source, target]


@pytest.mark.parametrize("end", ["given up", "shrunk", "unreadable"])
def test_an_unfinished_copy_leaves_the_old_file(tmp_path: Path, end: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(3 * CHUNK_SIZE))
    target.write_bytes(b"before")
    copying = copy_file(source, target)
    next(copying)
    if end == "given up":
        copying.close()
    elif end == "shrunk":
        os.truncate(source, CHUNK_SIZE + 7)
        with pytest.raises(Gpt2Error, match=r"target is incomplete: 1,048,583 of 3,"):
            list(copying)
    else:
        with pytest.raises(KeyboardInterrupt):
            copying.throw(KeyboardInterrupt())
    assert target.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [source, target]


@pytest.mark.parametrize("kept", [0, 4, 6])
def test_a_file_must_have_as_many_bytes_as_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """A mounted file system may lose some bytes without an error."""
    monkeypatch.setattr(os, "fsync", lambda handle: os.ftruncate(handle, kept))
    with pytest.raises(Gpt2Error, match=rf"^target is incomplete: {kept} of 5 bytes were written"):
        drain(write_chunks(tmp_path / "part", "target", [b"abc", b"de"], 5))


def test_the_chunks_of_a_file_must_have_its_size(tmp_path: Path) -> None:
    for chunks in ([b"abcd"], [b"abcd", b"ef"]):
        with pytest.raises(Gpt2Error, match=r"^target is incomplete: [46] of 5 bytes"):
            drain(write_chunks(tmp_path / "part", "target", chunks, 5))


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on files, as Linux has")

    def chunks() -> Iterator[bytes]:
        yield from (bytes(CHUNK_SIZE), bytes(CHUNK_SIZE))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK_SIZE + 10, before[1]))
    try:
        with (
            pytest.raises(OSError, match="too large"),
            temporary_path(tmp_path / "file") as part,
        ):
            list(write_chunks(part, "file", chunks(), 2 * CHUNK_SIZE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_the_hash_file_has_the_format_of_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "run.tar"
    path.write_bytes(b"a run")
    digest = hashlib.sha256(b"a run").hexdigest()
    write_sha256(sha256_path(path), path, digest, 5)
    assert read_sha256(path) == (digest, 5)
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "run.tar.sha256"]
        assert subprocess.check_output(command, cwd=tmp_path, text=True) == "run.tar: OK\n"


def test_hash_files_of_sha256sum_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run.tar"
    assert read_sha256(path) == (None, None)
    sha256_path(path).write_text("AB12 *run.tar\n")
    assert read_sha256(path) == ("ab12", None)
    sha256_path(path).write_text("ab12  another.tar\n\n# a comment\n# 12 bytes\n")
    assert read_sha256(path) == (None, 12)
    sha256_path(path).write_bytes(b"\xff\xfe\x00")
    assert read_sha256(path) == (None, None)


@pytest.mark.parametrize("delete", [delete_file, delete_quietly])
def test_deleted_files_take_no_space_in_the_trash(
    tmp_path: Path, delete: Callable[[Path], None]
) -> None:
    path, in_trash = tmp_path / "file", tmp_path / "trash"
    path.write_bytes(b"large")
    os.link(path, in_trash)  # a trash keeps the file under another name
    delete(path)
    delete(path)
    assert not path.exists()
    assert in_trash.stat().st_size == 0


def test_an_atomic_write_replaces_the_file_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o640


def test_an_atomic_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    atomic_write_text(path, "old")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.write("a text")  # type: ignore[call-overload]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writes_of_the_same_file_do_not_collide(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_an_atomic_write_follows_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to(target)
    atomic_write_text(link, "text")
    assert link.is_symlink()
    assert target.read_text() == "text"


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be flushed there")
def test_a_write_is_on_the_disk_before_the_old_file_is_replaced_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "counter"
    path.write_bytes(b"old")
    flushed: list[tuple[int, bool, bytes, int]] = []

    def fsync(handle: int) -> None:
        facts = os.fstat(handle)
        is_folder = stat.S_ISDIR(facts.st_mode)
        flushed.append((handle, is_folder, path.read_bytes(), 0 if is_folder else facts.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_write_text(path, "a new text")
    assert [state[1:] for state in flushed] == [(False, b"old", 10), (True, b"a new text", 0)]
    for handle in {state[0] for state in flushed}:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(handle)


@pytest.mark.skipif(os.name == "nt", reason="processes cannot be checked there")
def test_files_of_processes_that_cannot_be_checked_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)  # the process belongs to another user
    path = tmp_path / "counter"
    kept = [tmp_path / ".counter.12-0.part", tmp_path / ".counter.backup-0.part"]
    for part in kept:
        part.write_bytes(b"half")
    atomic_write_text(path, "5")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, path])


@pytest.mark.skipif(os.name == "nt", reason="processes cannot be checked there")
def test_files_of_killed_processes_are_deleted_at_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "ids[1].npz"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    running, day_old = os.getppid(), 86400 * 1.1
    abandoned = [tmp_path / f".ids[1].npz.{ended.pid}-0.part", tmp_path / ".ids[1].npz.1-7.part"]
    kept = [tmp_path / f".ids[1].npz.{running}-0.part", tmp_path / f".ids1.npz.{ended.pid}-0.part"]
    for part in abandoned + kept:
        part.write_bytes(b"half")
    os.utime(abandoned[1], (time.time() - day_old, time.time() - day_old))
    atomic_write_text(path, "ids")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, path])


def test_a_text_is_written_completely_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "counter"
    atomic_write_text(path, "5\n")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        atomic_write_text(path, "6\n")
    assert path.read_text() == "5\n"
    monkeypatch.undo()
    atomic_write_text(path, "\u00e9\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    assert [p.name for p in tmp_path.iterdir()] == ["counter"]


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "folder"])
def test_what_is_not_a_file_is_not_replaced_by_one(tmp_path: Path, kind: str) -> None:
    # An option such as --out-path /dev/null must not delete the device.
    path = tmp_path / "out"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    target = path
    if kind.startswith("link"):
        target = tmp_path / "link"
        target.symlink_to(path)
    before = path.stat().st_mode
    with pytest.raises(OSError, match="Is a directory|Not a regular file"):
        atomic_write_text(target, "text")
    assert path.stat().st_mode == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"out", target.name}
