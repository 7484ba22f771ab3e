"""Bytes into files: whole or not at all, counted, hashed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.system.files import (
    PIECE,
    CopyProgress,
    copy_file,
    delete_file,
    drain,
    drop,
    hash_file,
    read_sha256,
    write_hash,
    write_part,
)


def test_a_copy_is_counted_hashed_and_keeps_its_time(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(2 * PIECE + 5))
    os.utime(source, (1_000_000_000, 1_000_000_000))
    moved: list[CopyProgress] = []
    copying = copy_file(source, target)
    while len(moved) < 3:
        assert not target.exists()
        moved.append(next(copying))
    digest = drain(copying)
    total = 2 * PIECE + 5
    assert moved == [
        CopyProgress(PIECE, total),
        CopyProgress(2 * PIECE, total),
        CopyProgress(total, total),
    ]
    assert target.read_bytes() == source.read_bytes()
    assert digest == hashlib.sha256(source.read_bytes()).hexdigest()
    assert target.stat().st_mtime == 1_000_000_000
    assert sorted(tmp_path.iterdir()) == [source, target]


@pytest.mark.parametrize("end", ["given up", "shrunk", "unreadable"])
def test_what_stood_there_stays_where_a_copy_is_not_finished(tmp_path: Path, end: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(3 * PIECE))
    target.write_bytes(b"before")
    copying = copy_file(source, target)
    next(copying)
    if end == "given up":
        copying.close()
    elif end == "shrunk":
        os.truncate(source, PIECE + 7)
        with pytest.raises(Gpt2Error, match=r"target was not written whole: 1,048,583 bytes of 3,"):
            list(copying)
    else:
        with pytest.raises(KeyboardInterrupt):
            copying.throw(KeyboardInterrupt())
    assert target.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a limit on files, as Linux has")

    def pieces() -> Iterator[bytes]:
        yield from (bytes(PIECE), bytes(PIECE))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE + 10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            list(write_part(tmp_path / "file", pieces(), 2 * PIECE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_the_hash_is_written_as_sha256sum_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "run.tar"
    path.write_bytes(b"a run")
    digest = hashlib.sha256(b"a run").hexdigest()
    os.replace(write_hash(path, digest, 5), hash_file(path))
    assert read_sha256(path) == (digest, 5)
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "run.tar.sha256"]
        assert subprocess.check_output(command, cwd=tmp_path, text=True) == "run.tar: OK\n"


def test_the_hash_is_read_as_sha256sum_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "run.tar"
    assert read_sha256(path) == (None, None)
    hash_file(path).write_text("AB12 *run.tar\n")
    assert read_sha256(path) == ("ab12", None)
    hash_file(path).write_text("ab12  another.tar\n\n# a comment\n# 12 bytes\n")
    assert read_sha256(path) == (None, 12)
    hash_file(path).write_bytes(b"\xff\xfe\x00")
    assert read_sha256(path) == (None, None)


@pytest.mark.parametrize("discard", [delete_file, drop])
def test_what_is_discarded_takes_no_room_in_a_bin(
    tmp_path: Path, delete_file: Callable[[Path], None]
) -> None:
    path, binned = tmp_path / "file", tmp_path / "bin"
    path.write_bytes(b"large")
    os.link(path, binned)  # a bin keeps the same file under another name
    delete_file(path)
    delete_file(path)
    assert not path.exists()
    assert binned.stat().st_size == 0
