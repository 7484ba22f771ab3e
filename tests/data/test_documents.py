"""The files of a dataset path, and the text stream that they are read as."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpt2_helpers.data.documents import check_column, find_files, iter_text
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, OptionError


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["b.txt", "a.txt", "c.csv", "sub/a.txt", "sub/deep/z.txt", ".hidden.txt"]
    names += [".git/config.txt", "sub/.DS_Store"]
    return write_files(tmp_path / "texts", dict.fromkeys(names, "text"))


def names(folder: Path, files: list[Path]) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_file_path_is_that_file(folder: Path) -> None:
    assert find_files(folder / "b.txt") == [folder / "b.txt"]
    assert find_files(str(folder / ".hidden.txt")) == [folder / ".hidden.txt"]


def test_a_folder_is_searched_with_subfolders_but_without_hidden_files(folder: Path) -> None:
    expected = ["a.txt", "b.txt", "c.csv", "sub/a.txt", "sub/deep/z.txt"]
    assert names(folder, find_files(folder)) == expected
    assert names(folder, find_files(f"{folder}/")) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "sub/a.txt", "sub/deep/z.txt"]),
        ("[ac].*", ["a.txt", "c.csv"]),
        ("*", ["a.txt", "b.txt", "c.csv"]),
    ],
)
def test_a_glob_is_expanded(folder: Path, pattern: str, expected: list[str]) -> None:
    assert names(folder, find_files(folder / pattern)) == expected


def test_an_existing_file_with_brackets_is_not_a_glob(tmp_path: Path) -> None:
    path = write_files(tmp_path, {"poems[1].txt": "a", "poems1.txt": "b"}) / "poems[1].txt"
    assert find_files(path) == [path]


def test_the_home_folder_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert find_files("~/a.txt") == [folder / "a.txt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.tx", "a.tx does not exist: there is no a.tx in {folder} (did you mean 'a.txt'?)"),
        ("A.TXT", "(did you mean 'a.txt'?)"),
        ("quite-different", "there is no quite-different in {folder}"),
        ("sup/a.txt", "there is no sup in {folder} (did you mean 'sub'?)"),
        ("x/y/z.txt", "there is no x in {folder}"),
        ("*.text", "*.text matches no files"),
        ("s*", "matches no files"),
        ("x" * 5000, "cannot be read as a file or folder"),
        ("a\0b", "must be a file, a folder or a glob"),
    ],
)
def test_a_missing_path_suggests_a_similar_name(folder: Path, name: str, message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(message.format(folder=folder))) as caught:
        find_files(folder / name)
    assert "\n" not in str(caught.value)


def test_an_empty_path_or_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="must be a file, a folder or a glob, got ''"):
        find_files("")
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").write_text("text")
    with pytest.raises(DatasetError, match="contains no files"):
        find_files(tmp_path)


def read(folder: Path, column: str | None = None) -> tuple[str, str]:
    report = ReadReport()
    return "".join(iter_text(find_files(folder), report, column)), "; ".join(report.notes())


def test_an_end_of_text_separates_files(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": "one\n", "2.md": "two", "3.txt": "three"})
    assert read(tmp_path)[0] == "one\n<|endoftext|>two<|endoftext|>three"


def test_no_second_end_of_text_is_inserted(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"1.txt": "one<|endoftext|>", "2.txt": "two<|endoftext|>\n", "3.txt": "three"}
    )
    assert read(tmp_path)[0] == "one<|endoftext|>two<|endoftext|>\nthree"


def test_rows_of_tables_are_wrapped(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": "one", "2.csv": 'title\n"a, b"\nc\n', "3.tsv": "d, e\nf\n"})
    assert read(tmp_path)[0] == (
        "one<|endoftext|>"
        "<|startoftext|>a, b<|endoftext|>\n<|startoftext|>c<|endoftext|>\n"
        "<|startoftext|>d, e<|endoftext|>\n<|startoftext|>f<|endoftext|>\n"
    )


def test_the_column_is_read_from_every_table(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.csv": "id,text\n1,one\n", "2.csv": "text\ntwo\n", "3.txt": "three"})
    assert read(tmp_path, "text")[0] == (
        "<|startoftext|>one<|endoftext|>\n<|startoftext|>two<|endoftext|>\nthree"
    )


def test_a_column_without_a_table_is_an_error() -> None:
    check_column([Path("a.txt"), Path("b.CSV")], "title")
    check_column([Path("a.txt")], None)
    with pytest.raises(OptionError, match=r"column='title' was given, but .* no \.csv or \.tsv"):
        check_column([Path("a.txt")], "title")


def test_empty_files_are_skipped_and_reported(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"0.txt": "", "1.txt": "one", "2.txt": "", "3.csv": "title\n", "4.txt": "four"}
    )
    text, notes = read(tmp_path)
    assert text == "one<|endoftext|>four"
    assert "0.txt and 1 more file: empty" in notes
    assert "3.csv: a header but no texts" in notes


def test_an_image_among_the_texts_is_an_error(tmp_path: Path) -> None:
    write_files(tmp_path, {"1.txt": "one"})
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(DatasetError, match=r"2\.png is a PNG image"):
        read(tmp_path)
