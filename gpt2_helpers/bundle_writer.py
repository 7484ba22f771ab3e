"""TensorFlow's "tensor bundle", written piece by piece. Knows the two files' format, no models.

TensorFlow writes a bundle at once, with all its tensors in memory, or in many files. Here it writes
a few tensors at a time; their bytes come into one data file, and their places into one index. That
is a table of LevelDB's kind: sorted keys with their values in a block, behind it an index of blocks
and a footer that tells where that is.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

PIECE = 256 * 2**20  # bytes of tensors that are held at once, or one tensor
DATA, INDEX = ".data-00000-of-00001", ".index"
_HEADER = b""  # the key of what is said of the whole bundle
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER = 48  # bytes: two places, zeros, and the magic number


def write_bundle(prefix: Path, tensors: Iterable[tuple[str, Any]]) -> None:
    """Write named tensors, taken one by one, as `PREFIX.index` and `PREFIX.data-00000-of-00001`.

    Raises TensorFlow's errors and OSError, and leaves what it began.
    """
    entries: dict[bytes, bytes] = {}
    part = prefix.with_name(prefix.name + ".piece")
    with open(f"{prefix}{DATA}", "wb") as whole:
        for piece in _pieces(tensors):
            tf.raw_ops.SaveV2(
                prefix=str(part),
                tensor_names=list(piece),
                shape_and_slices=[""] * len(piece),
                tensors=list(piece.values()),
            )
            start = whole.tell()
            for key, value in _read_table(Path(f"{part}{INDEX}").read_bytes()):
                if key != _HEADER:
                    entry = BundleEntryProto.FromString(value)
                    entry.offset += start
                    value = entry.SerializeToString()
                entries[key] = value
            with open(f"{part}{DATA}", "rb") as file:
                shutil.copyfileobj(file, whole, 2**20)
            os.remove(f"{part}{DATA}")
    os.remove(f"{part}{INDEX}")
    Path(f"{prefix}{INDEX}").write_bytes(_table(sorted(entries.items())))


def _pieces(tensors: Iterable[tuple[str, Any]]) -> Iterator[dict[str, tf.Tensor]]:
    """Tensors by their names, a few at a time."""
    piece: dict[str, tf.Tensor] = {}
    size = 0
    for name, value in tensors:
        piece[name] = tensor = tf.convert_to_tensor(value)
        size += tensor.dtype.size * int(tf.size(tensor))
        if size >= PIECE:
            yield piece
            piece, size = {}, 0
    if piece:
        yield piece


def _read_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a table, in order."""
    footer = table[-_FOOTER:]
    _, position = _number(footer, 0)
    _, position = _number(footer, position)  # past the place of a block that is always empty
    for _, place in _read_block(table, *_place(footer, position)):
        yield from _read_block(table, *_place(place, 0))


def _read_block(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack_from("<I", table, start + size - 4)
    end = start + size - 4 * (restarts + 1)
    key, position = b"", start
    while position < end:  # each key tells how much of the one before it begins with
        shared, position = _number(table, position)
        own, position = _number(table, position)
        length, position = _number(table, position)
        key = key[:shared] + table[position : position + own]
        position += own
        yield key, table[position : position + length]
        position += length


def _table(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A table of one block."""
    data = _block(entries)
    last = entries[-1][0] if entries else b""
    nothing = _block([])
    index = _block([(last, _varint(0) + _varint(len(data) - 5))])
    places = b""
    for start, block in ((len(data), nothing), (len(data) + len(nothing), index)):
        places += _varint(start) + _varint(len(block) - 5)
    return data + nothing + index + places.ljust(_FOOTER - 8, b"\0") + _MAGIC


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries, where each begins, and five bytes more: that nothing is compressed, and a sum."""
    block, starts = b"", []
    for key, value in entries:
        starts.append(len(block))
        block += _varint(0) + _varint(len(key)) + _varint(len(value)) + key + value
    starts = starts or [0]
    block += struct.pack(f"<{len(starts) + 1}I", *starts, len(starts)) + b"\0"
    return block + struct.pack("<I", _masked_sum(block))


def _masked_sum(block: bytes) -> int:
    """The CRC-32C of a block, turned as LevelDB stores it."""
    crc = 0xFFFFFFFF
    for byte in block:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC = [_crc_of(byte) for byte in range(256)]


def _place(table: bytes, position: int) -> tuple[int, int]:
    """Where a block begins, and how long it is."""
    start, position = _number(table, position)
    return start, _number(table, position)[0]


def _number(table: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the position behind it."""
    number, shift = 0, 0
    while True:
        byte = table[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position


def _varint(number: int) -> bytes:
    """
    >>> _varint(300)
    b'\\xac\\x02'
    """
    low = []
    while number >= 0x80:
        low.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*low, number])
