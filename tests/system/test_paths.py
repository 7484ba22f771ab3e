"""Paths given by a user: the home folder, and names that no disk accepts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.paths import check_run_name, safe_name, user_path


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("USERPROFILE", "/home/ann")
    assert user_path("~/a.txt", "out_path") == Path("/home/ann/a.txt")
    assert user_path(Path("~"), "out_path") == Path("/home/ann")
    for path in ("a~.txt", "./~", "~no-such-user/a.txt", "texts/~/a"):
        assert user_path(path, "out_path") == Path(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (5, "out_path must be a path, got 5"),
        (None, "out_path must be a path, got None"),
        (b"a.txt", "must be a path, got b'a.txt'"),
        (["a.txt"], "must be a path"),
        ("a\0b", "contains a NUL character"),
        ("texts/" + "x" * 256, "too long for a file name: 256 bytes, at most 255"),
        ("ü" * 128 + "/a.txt", "256 bytes"),
    ],
)
def test_what_cannot_be_a_path(path: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        user_path(path, "out_path")
    assert "\0" not in str(caught.value)


def test_names_up_to_the_limit_are_accepted(tmp_path: Path) -> None:
    for name in ("x" * 255, "ü" * 127):
        user_path(tmp_path / name, "out_path").touch()
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("name", ["run 1", "Läufe (neu)", "実行", "x" * 200])
def test_run_names(name: str) -> None:
    assert check_run_name(name) == name


@pytest.mark.parametrize("name", [None, 5, b"run1", "x" * 201, "run\0", "実" * 67])
def test_what_cannot_be_a_run_name(name: Any) -> None:
    with pytest.raises(OptionError, match="run_name"):
        check_run_name(name)


@pytest.mark.parametrize("name", ["../a.txt", "/etc/passwd", "..", "C:\\x\\a.txt", "a\0b"])
def test_safe_names_stay_in_a_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / safe_name(name)
    path.write_text("text")
    assert path.parent == tmp_path
    assert not path.name.startswith((".", "~"))


def test_safe_names_are_short() -> None:
    assert len(safe_name("x." + "y" * 400)) <= 110
