"""Checks Parquet files before pyarrow reads them, since malicious ones can end the process.

pyarrow calls itself for each level of a nested schema, until the stack is full. And a page of a
few bytes can be decompressed to two gigabytes, or be a dictionary with one long text that many rows
refer to. The sizes are in structures of Thrift's compact protocol, see
https://github.com/apache/parquet-format.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_DEPTH = 100  # levels of a schema; pyarrow crashes at about 10,000
MAX_PAGE = 1 << 27  # bytes, decompressed; writers make pages of about a megabyte
_MAX_FOOTER = 1 << 27
_MAGIC = b"PAR1"
_HEADER_SIZES = (1 << 8, 1 << 12, 1 << 16, 1 << 20)  # read until a page's header is complete
# Types of the compact protocol.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_SCHEMA, _N_CHILDREN = 2, 5  # fields of FileMetaData and of SchemaElement
_TYPE, _UNCOMPRESSED, _COMPRESSED = 1, 2, 3  # fields of PageHeader
_DICTIONARY = 2  # the type of a page


class _Reader:
    """Reads values of the compact protocol; raises IndexError at the end of the content."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.offset = 0

    def byte(self) -> int:
        self.offset += 1
        return self._content[self.offset - 1]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number of more than 64 bits")

    def signed(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def fields(self) -> Iterator[tuple[int, int]]:
        """The number and the type of each field of a struct; the caller reads the values."""
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.signed()
            yield number, head & 15

    def list_head(self) -> tuple[int, int]:
        """The number of items of a list, and their type."""
        head = self.byte()
        return (head >> 4 if head >> 4 < 15 else self.varint()), head & 15

    def skip(self, kind: int) -> None:
        if kind == _BYTE:
            self.offset += 1
        elif kind in (_I16, _I32, _I64):
            self.varint()
        elif kind == _DOUBLE:
            self.offset += 8
        elif kind == _BINARY:
            size = self.varint()
            self.offset += size
        elif kind in (_LIST, _SET):
            count, item = self.list_head()
            for _ in range(count):
                self._skip_item(item)
        elif kind == _MAP:
            if count := self.varint():
                kinds = self.byte()
                for _ in range(count):
                    self._skip_item(kinds >> 4)
                    self._skip_item(kinds & 15)
        elif kind == _STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        elif kind not in (_TRUE, _FALSE):  # their value is in the type
            raise ValueError(f"unknown type {kind}")

    def _skip_item(self, kind: int) -> None:
        if kind in (_TRUE, _FALSE):
            kind = _BYTE
        self.skip(kind)
        if self.offset > len(self._content):
            raise IndexError


def check_footer(path: Path) -> None:
    """Raise ValueError if a file's schema is nested too deeply, or its footer is not valid.

    Args:
        path: The file. What does not end as a Parquet file does is not checked.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size - 8:
            return  # pyarrow says so
        if length > _MAX_FOOTER:
            raise ValueError(f"a footer of {length:,} bytes")
        file.seek(size - 8 - length)
        reader = _Reader(file.read(length))
    try:
        for number, kind in reader.fields():
            if number == _SCHEMA and kind == _LIST:
                depth = _schema_depth(reader)
                break
            reader.skip(kind)
        else:
            raise ValueError("no schema")
    except (IndexError, RecursionError):
        raise ValueError("the footer is damaged") from None
    if depth > MAX_DEPTH:
        raise ValueError(f"columns are nested in {depth:,} levels, at most {MAX_DEPTH} are read")


def _schema_depth(reader: _Reader) -> int:
    count, _ = reader.list_head()
    missing: list[int] = []  # children to come, of each group that is not complete
    depth = 0
    for _ in range(count):
        children = 0
        for number, kind in reader.fields():
            if number == _N_CHILDREN and kind == _I32:
                children = reader.signed()
            else:
                reader.skip(kind)
        if missing:
            missing[-1] -= 1
        if children > 0:
            missing.append(children)
            depth = max(depth, len(missing))
        while missing and not missing[-1]:
            missing.pop()
    return depth


def dictionary_size(file: BinaryIO, start: int, length: int) -> int:
    """The size of a column chunk's dictionary, decompressed, in bytes; 0 if it has none.

    Args:
        file: The open file.
        start: Where its first page starts.
        length: Bytes of all its pages.

    Raises:
        ValueError: A page is too large or damaged.
    """
    found, end = 0, start + length
    while start < end:
        fields, size = _page_header(file, start)
        uncompressed = fields.get(_UNCOMPRESSED, -1)
        compressed = fields.get(_COMPRESSED, -1)
        if uncompressed < 0 or compressed < 0:
            raise ValueError("the header of a page is damaged")
        if uncompressed > MAX_PAGE:
            raise ValueError(f"a page of {uncompressed:,} bytes, at most {MAX_PAGE:,} are read")
        if fields.get(_TYPE) == _DICTIONARY:
            found = max(found, uncompressed)
        start += size + compressed
    return found


def _page_header(file: BinaryIO, start: int) -> tuple[dict[int, int], int]:
    """The numbers in the header of a page, by field, and the size of the header."""
    for size in _HEADER_SIZES:
        file.seek(start)
        reader = _Reader(file.read(size))
        fields = {}
        try:
            for number, kind in reader.fields():
                if kind == _I32:
                    fields[number] = reader.signed()
                else:
                    reader.skip(kind)
        except IndexError:
            continue
        return fields, reader.offset
    raise ValueError("the header of a page is damaged")
