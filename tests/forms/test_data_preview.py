"""Preview of training data: sizes, excerpts, and files that are not read completely."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gpt2_helpers.errors import DatasetError
from gpt2_helpers.forms.data_preview import MAX_BYTES_READ, preview


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_text_is_counted_in_characters_and_lines(folder: Path) -> None:
    (folder / "a.txt").write_text("one\ntwo\nthree", encoding="utf-8")
    found = preview("a.txt")
    assert (found.size, found.characters) == ("13 characters in 3 lines", 13)
    assert found.excerpt == "one\ntwo\nthree"


def test_a_table_is_counted_in_rows_of_its_text_column(folder: Path) -> None:
    (folder / "a.csv").write_text("score,title\n1,Why?\n2,Who is it?\n", encoding="utf-8")
    found = preview("a.csv")
    assert found.size == "2 texts, 14 characters"
    assert found.excerpt == "Why?\nWho is it?"
    assert list(found.columns) == ["score", "title"]
    assert preview("a.csv", "score").characters == 2


def test_an_unknown_home_folder_is_an_error() -> None:
    with pytest.raises(DatasetError, match="~no-such-user does not exist"):
        preview("~no-such-user")


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        preview("gone.txt")


def test_a_long_text_is_truncated(folder: Path) -> None:
    (folder / "a.txt").write_text("word " * 5000 + "\nend\n")
    found = preview("a.txt")
    assert found.characters == 25005
    assert len(found.excerpt) < 800
    assert found.excerpt.endswith("…")


def test_a_huge_file_is_not_read_completely(folder: Path) -> None:
    with (folder / "a.txt").open("wb") as file:
        file.write(b"The first line\n")
        file.truncate(MAX_BYTES_READ + 1)  # zero bytes, which are not text
    found = preview("a.txt")
    assert found.excerpt.startswith("The first line")
    assert found.size == "a file of 67.1 MB"


def test_a_token_file_is_not_opened(folder: Path) -> None:
    (folder / "a.npz").write_bytes(b"x" * 2_000_000)
    assert preview("a.npz").size == "a file of encoded text, 2.0 MB"


def test_a_small_file_may_be_large_inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt2_helpers.forms.data_preview.MAX_BYTES_READ", 100_000)
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"The first line\n" * 200_000))
    found = preview("a.txt.gz")
    assert found.excerpt.startswith("The first line")
    assert (found.size[:9], found.characters) == ("a file of", None)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one", "n": "1"}\n' * 100_000))
    found = preview("a.jsonl.gz", "text")
    assert found.excerpt.startswith("one\none")
    assert (found.size[:9], found.characters) == ("a file of", None)
    assert list(found.columns) == ["text", "n"]


def test_only_the_first_records_of_a_large_file_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt2_helpers.forms.data_preview.MAX_BYTES_READ", 1000)
    (folder / "a.jsonl").write_text('{"text": "one"}\n' * 1000 + "oops\n")
    assert preview("a.jsonl").size == "a file of 16 KB"
