"""The index of TensorFlow's checkpoint files, read without TensorFlow.

`PREFIX.index` is a sorted table in LevelDB's format: blocks of keys and values, a block that lists
them, and 48 bytes at the end that say where that one is. A key is a variable's name, its value a
protocol buffer: type, shape, and where its numbers lie in `PREFIX.data-00000-of-00001`. The formats
are those of tensorflow/core/lib/io/format.h and tensorflow/core/protobuf/tensor_bundle.proto.

Files come from anywhere, so nothing in them is believed: every number is checked before it is used.
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
LARGEST_INDEX = 4 << 20  # bytes; that of the largest GPT-2 takes 30 thousand
MOST_DIMENSIONS = 32
FOOTER, MAGIC = 48, 0xDB4775248B80FB57  # bytes, and the number at their end
_TRAILER = 5
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # the kinds of fields in a protocol buffer
# By TensorFlow's numbers for them, tensorflow/core/framework/types.proto
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
Fields = dict[int, list[int | bytes]]  # a protocol buffer: field number -> what was given for it


def masked_crc32c(data: NDArray[Any]) -> int:
    """The CRC-32C of an array's bytes, masked as in tensorflow/core/lib/hash/crc32c.h.

    The mask is for checksums that are stored within data that has a checksum itself.

    >>> hex(masked_crc32c(np.frombuffer(b"123456789", np.uint8)))
    '0xc78ab0e5'
    """
    crc = int(google_crc32c.value(np.ascontiguousarray(data)))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class BadIndexError(Exception):
    """What was read is no index, or a damaged one."""


class ForeignIndexError(Exception):
    """An index that is well formed, of a kind that only TensorFlow's own reader knows."""


class Entry(NamedTuple):
    """Where a variable lies: in the data file number `shard` of `shards`, from byte `offset` on."""

    dtype: np.dtype
    shape: tuple[int, ...]
    shard: int
    shards: int
    offset: int
    size: int  # bytes
    checksum: int


def read_index(path: Path) -> dict[str, Entry]:
    """Every variable that the index at `path` lists.

    Raises BadIndexError, ForeignIndexError, or OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_INDEX + 1)
    if len(content) > LARGEST_INDEX:
        raise BadIndexError(f"it has more than {LARGEST_INDEX:,} bytes")
    values = dict(read_table(content))
    header = _fields(values.pop(b"", b""))
    shards = _number(header, 1)
    if _number(header, 2):
        raise ForeignIndexError("its numbers are big-endian")
    if not 0 < shards < 100_000:
        raise BadIndexError(f"it speaks of {shards} data files")
    entries = {key: _entry(value, shards) for key, value in values.items()}
    return {_name(key): entry for key, entry in entries.items()}


def _name(key: bytes) -> str:
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        raise BadIndexError("a name is no UTF-8") from None


def _entry(value: bytes, shards: int) -> Entry:
    fields = _fields(value)
    if 7 in fields or _number(fields, 1) not in _DTYPES:
        raise ForeignIndexError("a variable is in slices, or of an unusual type")
    dtype = np.dtype(_DTYPES[_number(fields, 1)])
    dimensions = _fields(_bytes(fields, 2)).get(2, [])
    if len(dimensions) > MOST_DIMENSIONS:
        raise BadIndexError(f"a variable has {len(dimensions)} dimensions")
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
        raise BadIndexError("a variable's shape, size and place don't fit")
    return entry


def read_table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a whole table."""
    footer = content[-FOOTER:]
    if len(footer) < FOOTER or struct.unpack("<Q", footer[-8:])[0] != MAGIC:
        raise BadIndexError("it doesn't end as one does, or is cut short")
    numbers = _Numbers(footer[:-8])
    numbers.varint(), numbers.varint()  # where a block stands that is empty
    end = written = 0
    for _, handle in _block(content, numbers.varint(), numbers.varint()):
        place = _Numbers(handle)
        first, size = place.varint(), place.varint()
        if first < end:  # else one block could be read a million times
            raise BadIndexError("its blocks overlap")
        end = first + size
        for key, value in _block(content, first, size):
            written += len(key)
            if written > LARGEST_INDEX:
                raise BadIndexError("its names are too long")
            yield key, value


def _block(content: bytes, first: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of the block of `size` bytes at `first`. A key says how many of its bytes
    are those of the key before."""
    if first + size + _TRAILER > len(content):
        raise BadIndexError("a block reaches beyond its end")
    checked = np.frombuffer(content, np.uint8, size + 1, first)
    (checksum,) = struct.unpack_from("<I", content, first + size + 1)
    if checksum != masked_crc32c(checked):
        raise BadIndexError("a block's checksum is another")
    if content[first + size]:
        raise ForeignIndexError("a block is compressed")
    block = content[first : first + size]
    restarts = struct.unpack("<I", block[-4:])[0] if size >= 4 else size
    numbers, end = _Numbers(block), size - 4 * (restarts + 1)
    if end < 0:
        raise BadIndexError("a block is too short for what it lists")
    key, written = b"", 0
    while numbers.place < end:
        shared, fresh, length = numbers.varint(), numbers.varint(), numbers.varint()
        following = key[:shared] + numbers.take(fresh)
        written += len(following)
        if shared > len(key) or written > LARGEST_INDEX or (key and following <= key):
            raise BadIndexError("its names are not in order")
        key = following
        yield key, numbers.take(length)


class _Numbers:
    """Reads bytes one number after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    @property
    def is_done(self) -> bool:
        return self.place >= len(self._content)

    def varint(self) -> int:
        """A number in groups of seven bits, the lowest first; at most 64 bits."""
        value = 0
        for shift in range(0, 64, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise BadIndexError("a number has too many digits")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        taken = self._content[self.place : self.place + count]
        if len(taken) < count:
            raise BadIndexError("it ends too early")
        self.place += count
        return taken


def _fields(message: bytes) -> Fields:
    """The fields of a protocol buffer."""
    numbers, fields = _Numbers(message), Fields()
    while not numbers.is_done:
        tag = numbers.varint()
        kind = tag & 7
        value: int | bytes
        if kind == _VARINT:
            value = numbers.varint()
        elif kind == _BYTES:
            value = numbers.take(numbers.varint())
        elif kind in (_FIXED64, _FIXED32):
            value = int.from_bytes(numbers.take(8 if kind == _FIXED64 else 4), "little")
        else:
            raise BadIndexError("a field is of no known kind")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: Fields, number: int) -> int:
    """A field's number; one that is not there is 0."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int) or value >= 2**63:
        raise BadIndexError("a field is no number")
    return value


def _bytes(fields: Fields, number: int) -> bytes:
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise BadIndexError("a field is no bytes")
    return value
