"""Reading small files of unknown origin: sizes, nesting, pipes, devices and links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpt2_helpers.system.bounded_files import (
    parse_count,
    read_bounded,
    read_bounded_text,
    read_json,
)

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


def test_a_file_and_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "link").symlink_to("a")
    assert read_bounded(tmp_path / "a") == read_bounded(tmp_path / "link") == b"text"
    assert read_bounded_text(tmp_path / "a") == "text"


def test_the_size_is_limited(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    assert read_bounded(tmp_path / "a", 4) == b"text"
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_bounded(tmp_path / "a", 3)


@needs_pipes
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="not a regular file"):
            read_bounded(tmp_path / name)


@needs_pipes
def test_a_pipe_that_replaces_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    with pytest.raises(OSError, match="not a regular file"):
        read_bounded(tmp_path / "pipe")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_link_to_a_device(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="not a regular file"):
        read_bounded(tmp_path / "a")


def test_folders_and_missing_files_are_distinguished(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "a")
    with pytest.raises((IsADirectoryError, PermissionError)):
        read_bounded(tmp_path)


def test_json(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"é": [1, 2.5, null]}', encoding="utf-8")
    assert read_json(tmp_path / "a") == {"é": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff", "utf-8"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"9" * 5000, "too many digits"),
    ],
)
def test_invalid_json(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_json(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        (" 400\n", 400),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("-1", None),
        ("1_000", None),
        ("²", None),
        ("٣", None),
        ("", None),
    ],
)
def test_counts(text: str, count: int | None) -> None:
    assert parse_count(text) == count
