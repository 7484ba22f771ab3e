"""Parquet: columns of text, nested ones, and damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from gpt2_helpers.data.parquet_files import parquet_columns, read_parquet
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, MissingPackageError


def write(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def read(path: Path, *columns: str | None) -> tuple[list[Any], str]:
    report = ReadReport()
    records = [*read_parquet(path, report, columns or (None,))]
    texts = [fields[0] if len(fields) == 1 else fields for fields in records]
    return texts, "; ".join(report.notes())


def test_the_text_is_found(tmp_path: Path) -> None:
    texts = [f"text {number}\r\n" for number in range(1000)]
    path = write(tmp_path, {"id": [*range(1000)], "body": texts}, row_group_size=300)
    report = ReadReport()
    found = [text for (text,) in read_parquet(path, report)]
    assert found == [text.replace("\r", "") for text in texts]
    assert report.bytes_read == path.stat().st_size
    assert report.notes() == (f"{path}: read as Parquet, 'body' of each row",)
    path = write(tmp_path, {"title": ["x"], "text": ["one"]})
    assert read(path)[0] == ["one"]
    path = write(tmp_path, {"completion": ["2"], "prompt": ["1+1"]})
    assert read(path)[0] == [("1+1", "2")]


def test_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, {"n": [1, 2], "a": ["one", None], "b": ["x", "y"]})
    assert read(path, "a")[0] == ["one", ""]
    assert read(path, "b", "a")[0] == [("x", "one"), ("y", "")]
    assert parquet_columns(path) == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((None,), r"has 2 columns of texts \(title, body\): name one, such as column='title'"),
        (("n",), "'n' is not text: its columns of texts are title, body"),
        (("titel",), r"'titel' does not exist \(did you mean 'title'\?\)"),
        (("title", None), "column='completion'"),
    ],
)
def test_a_wrong_column(tmp_path: Path, columns: tuple[str | None, ...], message: str) -> None:
    path = write(tmp_path, {"n": [1], "title": ["x"], "body": ["y"]})
    with pytest.raises(DatasetError, match=message):
        read(path, *columns)


def test_a_file_without_texts_or_rows(tmp_path: Path) -> None:
    path = write(tmp_path, {"n": [1]})
    with pytest.raises(DatasetError, match=r"has 0 columns of texts \(none\): use another file"):
        read(path)
    assert parquet_columns(path) == {}
    path = write(tmp_path, {"text": pyarrow.array([], pyarrow.string())})
    assert read(path) == ([], f"{path}: read as Parquet, 'text' of each row; {path}: no rows")


def test_nested_and_encoded_columns(tmp_path: Path) -> None:
    posts = [{"body": "one", "n": 1}, None, {"body": None, "n": 2}]
    path = write(
        tmp_path,
        {
            "post": posts,
            "kind": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
            "raw": pyarrow.array([b"x", b"\xc3\xa9", b"\xff"], pyarrow.binary()),
            "large": pyarrow.array(["l", "m", "n"], pyarrow.large_string()),
        },
    )
    assert read(path, "post.body")[0] == ["one", "", ""]
    assert read(path, "kind")[0] == ["a", "b", "a"]
    assert read(path, "large")[0] == ["l", "m", "n"]
    with pytest.raises(DatasetError, match="row 3: bytes that are not UTF-8"):
        read(path, "raw")


def test_damaged_files(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": [f"a text {number}" for number in range(5000)]})
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:-1], whole[:5000], b"PAR1\x15" + bytes(500)):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="is damaged or not a Parquet file"):
            read(path)
    middle = bytearray(whole)
    middle[5:3000] = bytes(2995)
    path.write_bytes(middle)
    with pytest.raises(DatasetError, match="is damaged or not a Parquet file"):
        read(path)


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, {"text": ["one"]})
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackageError, match=r'"gpt2-helpers\[data\]"'):
        read(path)


def test_a_name_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, {"name": ["a"], "text": ["b"]}, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"name", b"\xffame"))
    with pytest.raises(DatasetError, match="is damaged or not a Parquet file"):
        read(path)
    with pytest.raises(DatasetError, match="is damaged or not a Parquet file"):
        parquet_columns(path)


def test_names_with_dots_and_names_that_occur_twice(tmp_path: Path) -> None:
    path = write(tmp_path, {"a.b": [{"c": "one"}], "a.c": ["two"]})
    assert parquet_columns(path) == {"a.b.c": 3, "a.c": 3}
    assert read(path, "a.b.c")[0] == ["one"]
    assert read(path, "a.c")[0] == ["two"]
    arrays = [pyarrow.array(["one"]), pyarrow.array(["two"])]
    twice = pyarrow.Table.from_arrays(arrays, names=["text", "text"])
    pyarrow.parquet.write_table(twice, path)
    with pytest.raises(DatasetError, match="two columns are called 'text'"):
        read(path)
