"""Reads the index of TensorFlow checkpoint files without TensorFlow.

`PREFIX.index` is a sorted table in LevelDB's format: blocks of keys and values, an index block that
lists them, and a footer of 48 bytes with the position of the index block. A key is a variable's
name. Its value is a protocol buffer with dtype, shape, and position in
`PREFIX.data-00000-of-00001`. The formats are defined in tensorflow/core/lib/io/format.h and
tensorflow/core/protobuf/tensor_bundle.proto.

Files are untrusted: every number is checked before it is used.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

DATA, INDEX = ".data-00000-of-00001", ".index"
MAX_INDEX_BYTES = 4 << 20  # bytes; the index of the largest GPT-2 has 30,000
MAX_RANK = 32
FOOTER_SIZE, MAGIC = 48, 0xDB4775248B80FB57  # bytes, and the number at their end
_TRAILER_SIZE = 5  # bytes after a block: compression type and checksum
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
# TensorFlow's numbers of dtypes in tensorflow/core/framework/types.proto
_DTYPES = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "u1",
    5: "<i2",
    6: "i1",
    9: "<i8",
    10: "?",
    17: "<u2",
    19: "<f2",
    22: "<u4",
    23: "<u8",
}
Fields = dict[int, list[int | bytes]]  # a protocol buffer: field number -> values


def masked_crc32c(data: NDArray[Any]) -> int:
    """The CRC-32C of an array's bytes, masked as in tensorflow/core/lib/hash/crc32c.h.

    The mask is for checksums that are stored within data that has a checksum itself.

    >>> hex(masked_crc32c(np.frombuffer(b"123456789", np.uint8)))
    '0xc78ab0e5'
    """
    crc = int(google_crc32c.value(np.ascontiguousarray(data)))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class CorruptIndexError(Exception):
    """Not an index, or a damaged one."""


class UnsupportedIndexError(Exception):
    """A valid index with features that only TensorFlow's own reader supports."""


class Entry(NamedTuple):
    """Position of a variable: data file `shard` of `shards`, from byte `offset`."""

    dtype: np.dtype
    shape: tuple[int, ...]
    shard: int
    shards: int
    offset: int
    size: int  # bytes
    checksum: int


def read_index(path: Path) -> dict[str, Entry]:
    """Read all entries of an index by variable name.

    Raises:
        CorruptIndexError: It is not an index, or damaged.
        UnsupportedIndexError: Only TensorFlow can read it.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_INDEX_BYTES + 1)
    if len(content) > MAX_INDEX_BYTES:
        raise CorruptIndexError(f"larger than {MAX_INDEX_BYTES:,} bytes")
    values = dict(read_table(content))
    header = _fields(values.pop(b"", b""))
    shards = _number(header, 1)
    if _number(header, 2):
        raise UnsupportedIndexError("big-endian data")
    if not 0 < shards < 100_000:
        raise CorruptIndexError(f"invalid number of shards: {shards}")
    entries = {key: _entry(value, shards) for key, value in values.items()}
    return {_name(key): entry for key, entry in entries.items()}


def _name(key: bytes) -> str:
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        raise CorruptIndexError("a variable name is not valid UTF-8") from None


def _entry(value: bytes, shards: int) -> Entry:
    fields = _fields(value)
    if 7 in fields or _number(fields, 1) not in _DTYPES:
        raise UnsupportedIndexError("a variable has slices or an unsupported dtype")
    dtype = np.dtype(_DTYPES[_number(fields, 1)])
    dimensions = _fields(_bytes(fields, 2)).get(2, [])
    if len(dimensions) > MAX_RANK:
        raise CorruptIndexError(f"a variable has {len(dimensions)} dimensions")
    shape = tuple(
        _number(_fields(dimension), 1) if isinstance(dimension, bytes) else -1
        for dimension in dimensions
    )
    entry = Entry(
        dtype,
        shape,
        _number(fields, 3),
        shards,
        _number(fields, 4),
        _number(fields, 5),
        _number(fields, 6),
    )
    if math.prod(shape) * dtype.itemsize != entry.size or entry.shard >= shards:
        raise CorruptIndexError("a variable's shape, size and position do not match")
    return entry


def read_table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Parse a LevelDB table, such as the content of `PREFIX.index`.

    Args:
        content: All bytes of the file.

    Yields:
        Keys and values, sorted by key.

    Raises:
        CorruptIndexError: It is not a table, or damaged.
        UnsupportedIndexError: Only TensorFlow can read it.
    """
    footer = content[-FOOTER_SIZE:]
    if len(footer) < FOOTER_SIZE or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        raise CorruptIndexError("bad footer, or the file is truncated")
    reader = _ByteReader(footer[:-8])
    reader.varint(), reader.varint()  # the position of the empty metaindex block
    end = key_bytes = 0
    for _, handle in _block(content, reader.varint(), reader.varint()):
        reader = _ByteReader(handle)
        first, size = reader.varint(), reader.varint()
        if first < end:  # else a small file could list one block a million times
            raise CorruptIndexError("blocks overlap")
        end = first + size
        for key, value in _block(content, first, size):
            key_bytes += len(key)
            if key_bytes > MAX_INDEX_BYTES:
                raise CorruptIndexError("variable names are too long")
            yield key, value


def _block(content: bytes, first: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block. Keys are stored without the prefix shared with the previous
    key."""
    if first + size + _TRAILER_SIZE > len(content):
        raise CorruptIndexError("a block extends past the end of the file")
    checked = np.frombuffer(content, np.uint8, size + 1, first)
    (checksum,) = struct.unpack_from("<I", content, first + size + 1)
    if checksum != masked_crc32c(checked):
        raise CorruptIndexError("block checksum mismatch")
    if content[first + size]:
        raise UnsupportedIndexError("a block is compressed")
    block = content[first : first + size]
    restarts = struct.unpack("<I", block[-4:])[0] if size >= 4 else size
    reader, end = _ByteReader(block), size - 4 * (restarts + 1)
    if end < 0:
        raise CorruptIndexError("a block is too short for its entries")
    key, key_bytes = b"", 0
    while reader.offset < end:
        shared, unshared, length = reader.varint(), reader.varint(), reader.varint()
        next_key = key[:shared] + reader.take(unshared)
        key_bytes += len(next_key)
        if shared > len(key) or key_bytes > MAX_INDEX_BYTES or (key and next_key <= key):
            raise CorruptIndexError("variable names are not in order")
        key = next_key
        yield key, reader.take(length)


class _ByteReader:
    """Reads numbers and bytes from a buffer."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.offset = 0

    @property
    def is_done(self) -> bool:
        return self.offset >= len(self._content)

    def varint(self) -> int:
        """An unsigned number of at most 64 bits in groups of seven bits, lowest first."""
        value = 0
        for shift in range(0, 64, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise CorruptIndexError("varint longer than 64 bits")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        taken = self._content[self.offset : self.offset + count]
        if len(taken) < count:
            raise CorruptIndexError("unexpected end of data")
        self.offset += count
        return taken


def _fields(message: bytes) -> Fields:
    """Parse a protocol buffer."""
    reader, fields = _ByteReader(message), Fields()
    while not reader.is_done:
        tag = reader.varint()
        wire_type = tag & 7
        value: int | bytes
        if wire_type == _VARINT:
            value = reader.varint()
        elif wire_type == _BYTES:
            value = reader.take(reader.varint())
        elif wire_type in (_FIXED64, _FIXED32):
            value = int.from_bytes(reader.take(8 if wire_type == _FIXED64 else 4), "little")
        else:
            raise CorruptIndexError("unknown wire type")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: Fields, number: int) -> int:
    """A field's number; 0 if the field is missing."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int) or value >= 2**63:
        raise CorruptIndexError("expected an integer field")
    return value


def _bytes(fields: Fields, number: int) -> bytes:
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise CorruptIndexError("expected a bytes field")
    return value
