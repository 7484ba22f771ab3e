"""Malicious Parquet files, which end the process if pyarrow reads them."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from gpt2_helpers.data import parquet_checks, parquet_files
from gpt2_helpers.data.parquet_checks import check_footer, dictionary_size
from gpt2_helpers.data.parquet_files import parquet_columns, read_parquet
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def nested(path: Path, depth: int) -> Path:
    """A file without rows whose only column is in so many structs."""
    # Fields of a SchemaElement: 1 the type, 3 the repetition, 4 the name, 5 the children.
    root, group = b"\x48\x01r\x15\x02\0", b"\x35\x02\x18\x01a\x15\x02\0"
    leaf = b"\x15\x0c\x25\x02\x18\x01t\x25\x00\0"
    schema = b"\xfc" + varint(depth + 2) + root + group * depth + leaf
    # Fields of FileMetaData: 1 the version, 2 the schema, 3 the rows, 4 the row groups.
    footer = b"\x15\x02\x19" + schema + b"\x16\x00\x19\x0c\0"
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")
    return path


def test_a_schema_that_is_nested_deeply_is_an_error(tmp_path: Path) -> None:
    path = nested(tmp_path / "a.parquet", 50)
    check_footer(path)
    assert parquet_columns(path) == {f"{'a.' * 50}t": 0}
    nested(path, 50_000)  # pyarrow would end the process
    with pytest.raises(DatasetError, match="nested in 50,001 levels, at most 100 are read"):
        parquet_columns(path)


def test_a_long_text_that_many_rows_refer_to_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path, text = tmp_path / "a.parquet", "word " * (3 << 20)
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(500, np.int32)), [text])
    table = pyarrow.table({"text": column})
    pyarrow.parquet.write_table(
        table, path, compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30
    )
    assert path.stat().st_size < 10_000
    tracemalloc.start()
    try:
        records = read_parquet(path, ReadReport())
        assert [len(next(records)[0]) for _ in range(10)] == [len(text)] * 10
        assert tracemalloc.get_traced_memory()[1] < 20 * len(text)  # of a batch of 128: 128
    finally:
        tracemalloc.stop()


def test_a_page_that_is_too_large_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"text": ["word " * 10_000]}), path, compression="zstd"
    )
    monkeypatch.setattr(parquet_checks, "MAX_PAGE", 40_000)
    with pytest.raises(DatasetError, match="a page of 50,004 bytes, at most 40,000 are read"):
        [*read_parquet(path, ReadReport())]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_the_dictionary_is_found_among_the_pages(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text {number % 50}" for number in range(5000)]
    pyarrow.parquet.write_table(
        pyarrow.table({"text": texts, "n": range(5000)}),
        path,
        data_page_version=version,
        data_page_size=1000,
        row_group_size=2500,
    )
    metadata = pyarrow.parquet.read_metadata(path)
    with path.open("rb") as file:
        for group in range(2):
            chunk = metadata.row_group(group).column(0)
            start, length = chunk.dictionary_page_offset, chunk.total_compressed_size
            assert dictionary_size(file, start, length) == sum(4 + len(t) for t in set(texts))
            assert dictionary_size(file, chunk.data_page_offset, 100) == 0
    assert [text for (text,) in read_parquet(path, ReadReport())] == texts


def test_batches_are_small_if_the_dictionary_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    texts = ["one", "two"] * 100
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), path)
    monkeypatch.setattr(parquet_files, "_BATCH_BYTES", 0)  # a row at a time
    assert [text for (text,) in read_parquet(path, ReadReport())] == texts


@pytest.mark.parametrize("cut", range(9, 60, 10))
def test_damaged_headers_are_errors(tmp_path: Path, cut: int) -> None:
    path = nested(tmp_path / "a.parquet", 3)
    whole = path.read_bytes()
    footer = whole[4 : len(whole) - 8]
    footer = footer[: cut % len(footer)]
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")
    with pytest.raises(DatasetError, match="damaged"):
        parquet_columns(path)
