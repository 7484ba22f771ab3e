"""The kind of a file, by its name and its content."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from gpt2_helpers.data.formats import (
    Format,
    detect_format,
    has_records,
    is_json,
    is_system_file,
    read_head,
)
from gpt2_helpers.errors import DatasetError


def write(folder: Path, content: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


LONG = '{"text": "' + "word " * 20_000 + '"}'


@pytest.mark.parametrize(
    "content",
    [
        '{"text": "one"}\n{"text": "two"}\n',
        '\n\n  {"text": "one"}',
        '{\n  "rows": [\n    {"text": "one"}\n  ]\n}\n',
        '[{"text": "one"}, {"text": "two"}]',
        '["one", "two"]',
        '[\n  "one",\n  "two"\n]\n',
        LONG + "\n" + LONG,
        "[" + LONG + "," + LONG + "]",
        "[" * 99_999,
        "{}",
        codecs.BOM_UTF8 + b'{"text": "one"}',
        codecs.BOM_UTF16_LE + '{"text": "one"}\n'.encode("utf-16-le"),
    ],
)
def test_json_is_recognized_by_its_content(tmp_path: Path, content: str | bytes) -> None:
    path = write(tmp_path, content)
    assert detect_format(path) is Format.JSON
    assert is_json(read_head(path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Once there was a cat.",
        "[Verse 1]\nLa la la\n",
        "[1] See the appendix.\n[2] See above.\n",
        "{{template}}\nText",
        '{"Well," she said, "that is that."}',
        '["Hello," he said]',
        "{ int x = 1; }",
        '"one"\n"two"\n',
        "12\n13\n",
    ],
)
def test_prose_is_text(tmp_path: Path, content: str) -> None:
    assert detect_format(write(tmp_path, content)) is Format.TEXT


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", Format.TABLE),
        ("a.TSV", Format.TABLE),
        ("a.npz", Format.TOKENS),
        ("a.jsonl", Format.JSON),
        ("a.ndjson", Format.JSON),
        ("a.JSON", Format.JSON),
        ("a.parquet", Format.PARQUET),
    ],
)
def test_the_suffix_decides_first(tmp_path: Path, name: str, kind: Format) -> None:
    assert detect_format(write(tmp_path, '{"text": "one"}\n', name)) is kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PAR1\x15\x04", Format.PARQUET),
        (gzip.compress(b'{"text": "one"}', mtime=0), Format.JSON),
        (gzip.compress(b"Once there was a cat.", mtime=0), Format.TEXT),
    ],
)
def test_the_content_decides_for_other_suffixes(
    tmp_path: Path, content: bytes, kind: Format
) -> None:
    path = write(tmp_path, content, "a.bin")
    assert detect_format(path) is kind
    assert has_records(path) is (kind is not Format.TEXT)


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        detect_format(tmp_path / "gone.txt")


@pytest.mark.parametrize(
    "name", ["desktop.ini", "Desktop.ini", "Thumbs.db", "ehthumbs.db", "~$novel.docx", "Icon\r"]
)
def test_system_files(name: str) -> None:
    assert is_system_file(Path("texts", name))
    assert not is_system_file(Path("texts", f"my {name}"))
