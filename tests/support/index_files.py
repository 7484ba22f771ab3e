"""Builds checkpoint indexes entry by entry, also invalid ones."""

from __future__ import annotations

import contextlib
import struct

import numpy as np

from gpt2_helpers.checkpoint.tensor_bundle import (
    FOOTER_SIZE,
    MAGIC,
    ByteReader,
    CorruptIndexError,
    masked_crc32c,
    read_block,
    slice_key,
)


def varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer; numbers are varints except the checksum."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if number == 6:
        return varint(number << 3 | 5) + struct.pack("<I", value)
    return varint(number << 3) + varint(value)


def entry(dtype: int = 1, shape: tuple[int, ...] = (2,), size: int = 8, **more: int) -> bytes:
    dimensions = b"".join(field(2, field(1, dimension)) for dimension in shape)
    numbers = {"shard": 3, "offset": 4, "checksum": 6}
    others = b"".join(field(numbers[name], value) for name, value in more.items())
    return field(1, dtype) + field(2, dimensions) + field(5, size) + others


def block(pairs: list[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    """A block with its checksum; no key shares a prefix with the previous one."""
    written = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs
    )
    content = written + struct.pack("<II", 0, 1) + bytes([kind])
    return content + struct.pack("<I", masked_crc32c(np.frombuffer(content, np.uint8)))


def table(content: bytes, handles: list[tuple[int, int]]) -> bytes:
    """`content`, an index block with the positions and sizes of its blocks, and the footer."""
    listed = block([(b"%08d" % at, varint(a) + varint(b)) for at, (a, b) in enumerate(handles)])
    places = varint(0) + varint(0) + varint(len(content)) + varint(len(listed) - 5)
    return content + listed + places.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def index(*entries: tuple[bytes, bytes], header: bytes = field(1, 1), kind: int = 0) -> bytes:
    content = block([(b"", header), *entries], kind)
    return table(content, [(0, len(content) - 5)])


def slices(*positions: tuple[tuple[int, int | None], ...]) -> bytes:
    """The field of an entry that lists its slices, each with start and length per dimension."""
    written = b""
    for position in positions:
        extents = b"".join(
            field(1, field(1, start) + (b"" if length is None else field(2, length)))
            for start, length in position
        )
        written += field(7, extents)
    return written


def sliced_index() -> bytes:
    """An index of strings and of a variable in two slices."""
    positions = ((0, 1), (0, None)), ((1, 2), (0, None))
    return index(
        (slice_key(b"a", ((0, 1), (0, -1))), entry(shape=(1, 2))),
        (slice_key(b"a", ((1, 2), (0, -1))), entry(shape=(2, 2), size=16, offset=8)),
        (b"a", entry(shape=(3, 2), size=0) + slices(*positions)),
        (b"b", entry(dtype=7, shape=(), size=9)),
    )


def with_valid_checksums(content: bytes) -> bytes:
    """An index with the checksums of all blocks that can be found corrected."""
    corrected = bytearray(content)
    with contextlib.suppress(CorruptIndexError, IndexError, struct.error):
        first, size = _handle(content[-FOOTER_SIZE:], 2)
        _correct_checksum(corrected, first, size)
        for _, handle in read_block(bytes(corrected), first, size):
            _correct_checksum(corrected, *_handle(handle, 0))
    return bytes(corrected)


def _handle(content: bytes, skipped: int) -> tuple[int, int]:
    """The position and size of a block, after `skipped` other numbers."""
    reader = ByteReader(content)
    for _ in range(skipped):
        reader.varint()
    return reader.varint(), reader.varint()


def _correct_checksum(content: bytearray, first: int, size: int) -> None:
    block = np.frombuffer(bytes(content[first : first + size + 1]), np.uint8)
    struct.pack_into("<I", content, first + size + 1, masked_crc32c(block))
