"""Compressed files: decompressed in pieces, and never read half."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest
import zstandard

from gpt2_helpers.data.compression import compression_of, data_name, open_data
from gpt2_helpers.data.csv_files import read_column
from gpt2_helpers.data.formats import detect_format
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError, MissingPackageError

TEXT = "".join(f"line {number} é\n" for number in range(50_000))
COMPRESS = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,  # as the command does
}


@pytest.fixture(params=["gzip", "zstd"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def compress(kind: str, content: bytes) -> bytes:
    return COMPRESS[kind](content)


@pytest.mark.parametrize("name", ["a.txt.gz", "a.zst", "a.txt"])
def test_the_content_decides(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(compress(kind, TEXT.encode()))
    report = ReadReport()
    assert "".join(read_text(path, report)) == TEXT
    assert report.notes() == (f"{path}: decompressed, {kind}",)
    assert report.bytes_read == path.stat().st_size
    assert compression_of(path) == kind
    path.write_bytes(b"plain")
    assert "".join(read_text(path, ReadReport())) == "plain"
    assert compression_of(path) is None


def test_several_members_or_frames(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(compress(kind, b"one ") + compress(kind, b"") + compress(kind, b"two"))
    assert "".join(read_text(path, ReadReport())) == "one two"


def test_truncated_and_damaged_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.txt"
    whole = compress(kind, TEXT.encode())
    for content in (whole[:-1], whole[:5000], whole[:6], whole + whole[:-3]):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=f"damaged or truncated {kind} data"):
            [*read_text(path, ReadReport())]
    damaged = bytearray(whole)
    damaged[3000:3004] = bytes(value ^ 0xFF for value in damaged[3000:3004])
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match=f"damaged or truncated {kind} data|not valid|NUL"):
        [*read_text(path, ReadReport())]


def test_tables_are_recognized_inside(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.tsv{'.gz' if kind == 'gzip' else '.zst'}"
    path.write_bytes(compress(kind, b"title\tn\none, two\t3\n"))
    assert [*read_column(path, ReadReport(), "title")] == ["one, two"]


def test_the_decompressed_size_does_not_matter(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(compress(kind, b" " * (1 << 26)))
    with open_data(path) as file:
        assert len(file.read(1000)) == 1000
        assert file.position < path.stat().st_size or kind == "gzip"


def test_what_is_not_text_is_not_decompressed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ids.npz.gz"
    path.write_bytes(compress(kind, b"PK"))
    with pytest.raises(DatasetError, match=f"token ids compressed with {kind}"):
        detect_format(path)
    path = tmp_path / "a.gz"
    path.write_bytes(compress(kind, b"PAR1\x15"))
    with pytest.raises(DatasetError, match=f"Parquet compressed with {kind}"):
        detect_format(path)
    for content, what in ((bz2.compress(b"text"), "bzip2"), (compress(kind, b"x"), "archive")):
        path.write_bytes(compress(kind, content))
        if what == "bzip2":
            with pytest.raises(DatasetError, match="is a bzip2 archive"):
                [*read_text(path, ReadReport())]


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(zstandard.compress(b"text"))
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(MissingPackageError, match=r'"gpt2-helpers\[data\]"'):
        [*read_text(path, ReadReport())]


def test_names() -> None:
    assert data_name(Path("x/a.csv.GZ")) == Path("x/a.csv")
    assert data_name(Path("a.txt")) == Path("a.txt")
