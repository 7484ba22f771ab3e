"""Reads the index of TensorFlow checkpoint files without TensorFlow.

`PREFIX.index` is a sorted table in LevelDB's format: blocks of keys and values, an index block that
lists them, and a footer of 48 bytes with the position of the index block. A key is a variable's
name. Its value is a protocol buffer with dtype, shape, and position in
`PREFIX.data-00000-of-00001`. The formats are defined in tensorflow/core/lib/io/format.h and
tensorflow/core/protobuf/tensor_bundle.proto. A variable can be saved in slices, each with an entry
of its own.

Files are untrusted: every number is checked before it is used. TensorFlow's own reader must not get
them, because it aborts the process if, for example, a dimension is negative.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.system.bounded_files import read_bounded

DATA, INDEX = ".data-00000-of-00001", ".index"
MAX_INDEX_BYTES = 4 << 20  # bytes; the index of the largest GPT-2 has 30,000
MAX_RANK = 32
MAX_SLICES = 1000  # of a variable
FOOTER_SIZE, MAGIC = 48, 0xDB4775248B80FB57  # bytes, and the number at their end
_TRAILER_SIZE = 5  # bytes after a block: compression type and checksum
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
# TensorFlow's numbers and names of dtypes, from tensorflow/core/framework/types.proto. NumPy has
# all of them but bfloat16, which has the upper half of the bits of a float32.
DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
_SLICES = 7  # field of an entry
_ALL = -1  # length of a slice that has all of a dimension
Fields = dict[int, list[int | bytes]]  # a protocol buffer: field number -> values
Extents = tuple[tuple[int, int], ...]  # of a slice: start and length in each dimension


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


class Entry(NamedTuple):
    """Type, shape and position of a variable, or of a slice of one.

    Attributes:
        dtype: TensorFlow's name of the dtype.
        shape: The dimensions.
        shard: Number of the data file, of `shards`.
        shards: Number of data files.
        offset: Position in the data file, in bytes.
        size: Size in bytes.
        checksum: Masked CRC-32C of these bytes.
        storage: The dtype of the bytes in the file; None if it is not supported.
        slices: Where the slices of a sliced variable belong, and their entries. The slices of a
            variable cover it without overlaps.
    """

    dtype: str
    shape: tuple[int, ...]
    shard: int
    shards: int
    offset: int
    size: int
    checksum: int
    storage: np.dtype | None
    slices: tuple[tuple[Extents, Entry], ...] = ()


def read_index(path: Path) -> dict[str, Entry]:
    """Read all entries of an index by variable name.

    Raises:
        CorruptIndexError: It is not an index, or damaged.
        OSError: The file cannot be read.
    """
    content = read_bounded(path, MAX_INDEX_BYTES)
    values = {key: _fields(value) for key, value in read_table(content)}
    header = values.pop(b"", {})
    shards = _number(header, 1)
    if not 0 < shards < 100_000:
        raise CorruptIndexError(f"invalid number of shards: {shards}")
    byte_order = ">" if _number(header, 2) else "<"
    entries = {key: _entry(value, shards, byte_order) for key, value in values.items()}
    parts: set[bytes] = set()
    for key, value in values.items():
        if _SLICES in value:
            slices = _slices(key, value[_SLICES], entries)
            entries[key] = entries[key]._replace(slices=tuple(slices.items()))
            parts.update(slice_key(key, extents) for extents in slices)
    if any(_SLICES in values[key] for key in parts):
        raise CorruptIndexError("a slice of a variable has slices")
    return {_name(key): entry for key, entry in entries.items() if key not in parts}


def _name(key: bytes) -> str:
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        raise CorruptIndexError("a variable name is not valid UTF-8") from None


def _entry(value: Fields, shards: int, byte_order: str) -> Entry:
    number = _number(value, 1)
    dtype, storage = DTYPES.get(number, f"number {number}"), None
    if number in DTYPES:
        storage = np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder(byte_order)
    shape = _shape(value)
    shard, offset, size, checksum = (_number(value, field) for field in (3, 4, 5, 6))
    if storage is not None and _SLICES not in value and math.prod(shape) * storage.itemsize != size:
        raise CorruptIndexError("a variable's shape and size do not match")
    if shard >= shards:
        raise CorruptIndexError(f"a variable is in data file {shard} of {shards}")
    return Entry(dtype, shape, shard, shards, offset, size, checksum, storage)


def _shape(value: Fields) -> tuple[int, ...]:
    dimensions = _fields(_bytes(value, 2)).get(2, [])
    if len(dimensions) > MAX_RANK:
        raise CorruptIndexError(f"a variable has {len(dimensions)} dimensions")
    shape = []
    for dimension in dimensions:
        size = _fields(dimension).get(1, [0])[-1] if isinstance(dimension, bytes) else -1
        if not isinstance(size, int) or not 0 <= size < 2**63:
            raise CorruptIndexError("a dimension of a variable is negative or not a number")
        shape.append(size)
    if math.prod(shape) >= 2**63:
        raise CorruptIndexError("a variable is too large")
    return tuple(shape)


def _slices(
    key: bytes, slices: list[int | bytes], entries: Mapping[bytes, Entry]
) -> dict[Extents, Entry]:
    """The slices of a variable; CorruptIndexError unless they cover it exactly."""
    if len(slices) > MAX_SLICES:
        raise CorruptIndexError(f"a variable has {len(slices):,} slices")
    whole, parts = entries[key], dict[Extents, Entry]()
    for extents in (_extents(part, whole.shape) for part in slices):
        lengths = zip(extents, whole.shape, strict=True)
        shape = tuple(full if length == _ALL else length for (_, length), full in lengths)
        part = entries.get(slice_key(key, extents))
        if extents in parts:
            raise CorruptIndexError("a slice of a variable is listed twice")
        if part is None or (part.dtype, part.shape) != (whole.dtype, shape):
            raise CorruptIndexError("a slice of a variable is missing or has another shape")
        parts[extents] = part
    covered = sum(math.prod(part.shape) for part in parts.values())
    if covered != math.prod(whole.shape) or _overlap(parts):
        raise CorruptIndexError("the slices of a variable do not cover it exactly")
    return parts


def _extents(part: int | bytes, shape: tuple[int, ...]) -> Extents:
    """Parse the position of a slice in a variable."""
    extents = _fields(part).get(1, []) if isinstance(part, bytes) else []
    if len(extents) != len(shape):
        raise CorruptIndexError("a slice has a different number of dimensions than its variable")
    parsed = []
    for extent, full in zip(extents, shape, strict=True):
        fields = _fields(extent) if isinstance(extent, bytes) else {}
        start, length = _number(fields, 1), _number(fields, 2) if 2 in fields else _ALL
        if start + (full if length == _ALL else length) > full:
            raise CorruptIndexError("a slice extends past the end of its variable")
        parsed.append((start, length))
    return tuple(parsed)


def _overlap(slices: Mapping[Extents, Entry]) -> bool:
    """Whether any two slices, none of which is empty, have an element in common."""
    common = ~np.eye(len(slices), dtype=bool)
    shapes = (entry.shape for entry in slices.values())
    ranges = [
        [(start, start + size) for (start, _), size in zip(extents, shape, strict=True)]
        for extents, shape in zip(slices, shapes, strict=True)
    ]
    for dimension in zip(*ranges, strict=True):
        start, end = np.array(dimension, np.int64).T
        common &= (start[:, None] < end) & (end[:, None] > start)
    return bool(common.any())


def slice_key(name: bytes, extents: Extents) -> bytes:
    """The key of a slice's entry, see tensorflow/core/util/saved_tensor_slice_util.cc.

    It has the name, the number of dimensions, and the extents, in an encoding that sorts as they
    do.

    >>> slice_key(b"a", ((0, 2), (0, -1))).hex(" ")
    '00 61 00 01 01 02 80 82 80 7f'
    """
    escaped = name.replace(b"\0", b"\0\xff")  # UTF-8 has no byte 255, which is escaped too
    rank = bytes([1, len(extents)]) if extents else b"\0"
    return b"\0" + escaped + b"\0\1" + rank + b"".join(map(_ordered, itertools.chain(*extents)))


def _ordered(number: int) -> bytes:
    """A signed number in as many bytes as it has leading ones, or leading zeros if negative."""
    size = (number if number >= 0 else ~number).bit_length() // 7 + 1
    ones = ((1 << size) - 1) << 7 * size
    return ((number ^ ones) & ((1 << 8 * size) - 1)).to_bytes(size, "big")


def read_table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Parse a LevelDB table, such as the content of `PREFIX.index`.

    Args:
        content: All bytes of the file.

    Yields:
        Keys and values, sorted by key.

    Raises:
        CorruptIndexError: It is not a table, damaged, or compressed.
    """
    footer = content[-FOOTER_SIZE:]
    if len(footer) < FOOTER_SIZE or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        raise CorruptIndexError("bad footer, or the file is truncated")
    reader = ByteReader(footer[:-8])
    reader.varint(), reader.varint()  # the position of the empty metaindex block
    end = key_bytes = 0
    for _, handle in read_block(content, reader.varint(), reader.varint()):
        reader = ByteReader(handle)
        first, size = reader.varint(), reader.varint()
        if first < end:  # else a small file could list one block a million times
            raise CorruptIndexError("blocks overlap")
        end = first + size
        for key, value in read_block(content, first, size):
            key_bytes += len(key)
            if key_bytes > MAX_INDEX_BYTES:
                raise CorruptIndexError("variable names are too long")
            yield key, value


def read_block(content: bytes, first: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block. Keys are stored without the prefix shared with the previous
    key."""
    if first + size + _TRAILER_SIZE > len(content):
        raise CorruptIndexError("a block extends past the end of the file")
    checked = np.frombuffer(content, np.uint8, size + 1, first)
    (checksum,) = struct.unpack_from("<I", content, first + size + 1)
    if checksum != masked_crc32c(checked):
        raise CorruptIndexError("block checksum mismatch")
    if content[first + size]:
        raise CorruptIndexError("a block is compressed, which TensorFlow does not do")
    block = content[first : first + size]
    restarts = struct.unpack("<I", block[-4:])[0] if size >= 4 else size
    reader, end = ByteReader(block), size - 4 * (restarts + 1)
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


class ByteReader:
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
    reader, fields = ByteReader(message), Fields()
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
