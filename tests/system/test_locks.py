"""Folder locks: exclusive between processes, reentrant within one, released when one is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.system import locks
from gpt2_helpers.system.locks import LOCK, exclusive_lock, is_free, refuse_if_busy

HOLD = """
import sys
from pathlib import Path
from gpt2_helpers.system.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""
ASK = """
import sys
from pathlib import Path
from gpt2_helpers.system.locks import is_free
print(is_free(Path(sys.argv[1])))
"""


@contextmanager
def held_by_another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


def is_free_for_another_process(folder: Path) -> bool:
    command = [sys.executable, "-c", ASK, str(folder)]
    return subprocess.run(command, capture_output=True, text=True).stdout == "True\n"


def test_another_process_is_refused_with_the_id_of_the_holder(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path) as process:
        message = rf"is used by another process \(id {process.pid}\)"
        with pytest.raises(CheckpointError, match=message), exclusive_lock(tmp_path):
            pass
        with pytest.raises(CheckpointError, match=message):
            refuse_if_busy(tmp_path)
        assert not is_free(tmp_path)


def test_a_killed_process_releases_its_lock(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path) as process:
        process.kill()
        process.wait()
        assert is_free(tmp_path)


def test_the_lock_is_reentrant_within_a_process(tmp_path: Path) -> None:
    """In a notebook, an interrupted cell may hold the lock of its run for a long time."""
    with exclusive_lock(tmp_path):
        with exclusive_lock(tmp_path):
            pass
        assert not is_free_for_another_process(tmp_path)
    assert is_free_for_another_process(tmp_path)


def test_asking_creates_no_lock_file(tmp_path: Path) -> None:
    refuse_if_busy(tmp_path)
    assert not (tmp_path / LOCK).exists()
    assert not is_free(tmp_path / "missing")


def test_nothing_is_locked_on_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks, "_lock", refuse)
    with exclusive_lock(tmp_path):
        assert is_free(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_not_free(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        assert not is_free(tmp_path)
    finally:
        tmp_path.chmod(0o755)
