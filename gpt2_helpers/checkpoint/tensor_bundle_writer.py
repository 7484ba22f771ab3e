"""Writes TensorFlow checkpoint files ("tensor bundles") tensor by tensor.

TensorFlow's own writer needs all tensors in memory, or writes many files, and logs its own messages
when the disk is full. The formats are described in `tensor_bundle`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.checkpoint.tensor_bundle import (
    DATA,
    DTYPES,
    FOOTER_SIZE,
    INDEX,
    MAGIC,
    masked_crc32c,
)

_NUMBERS = {name: number for number, name in DTYPES.items()}
# One data file, little-endian, version 1 of the format: BundleHeaderProto in tensor_bundle.proto.
_HEADER = b"\x08\x01\x1a\x02\x08\x01"


def write_bundle(prefix: Path, tensors: Iterable[tuple[str, Any]]) -> None:
    """Write `PREFIX.index` and `PREFIX.data-00000-of-00001`.

    Args:
        prefix: Path of the files without their suffixes.
        tensors: Names and values; consumed one by one.

    Raises:
        OSError: Writing failed; incomplete files may remain.
    """
    entries = {b"": _HEADER}
    with open(f"{prefix}{DATA}", "wb") as data_file:
        for name, value in tensors:
            array = np.asarray(value)
            dtype = array.dtype.name
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            entries[name.encode()] = _entry(dtype, array.shape, data_file.tell(), content)
            data_file.write(content)
            del value, array, content  # before the next one is made
    Path(f"{prefix}{INDEX}").write_bytes(_table(sorted(entries.items())))


def _entry(dtype: str, shape: Sequence[int], offset: int, content: np.ndarray) -> bytes:
    """A BundleEntryProto, see tensor_bundle.proto."""
    dimensions = b"".join(_message(2, _number(1, size)) for size in shape)
    position = _number(4, offset) + _number(5, len(content))
    checksum = struct.pack("<BI", 6 << 3 | 5, masked_crc32c(content))
    return _number(1, _NUMBERS[dtype]) + _message(2, dimensions) + position + checksum


def _number(field: int, value: int) -> bytes:
    """A field of a protocol buffer; 0 is the default and left out."""
    return _varint(field << 3) + _varint(value) if value else b""


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _table(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A table with one data block, an empty metaindex block, an index block and the footer."""
    data = _block(entries)
    last = entries[-1][0] if entries else b""
    metaindex = _block([])
    index = _block([(last, _varint(0) + _varint(len(data) - 5))])
    handles = b""
    for start, block in ((len(data), metaindex), (len(data) + len(metaindex), index)):
        handles += _varint(start) + _varint(len(block) - 5)
    footer = handles.ljust(FOOTER_SIZE - 8, b"\0") + struct.pack("<Q", MAGIC)
    return data + metaindex + index + footer


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries, their offsets, and a trailer: compression type 0 (none) and the checksum."""
    block, starts = b"", []
    for key, value in entries:
        starts.append(len(block))
        block += _varint(0) + _varint(len(key)) + _varint(len(value)) + key + value
    starts = starts or [0]
    block += struct.pack(f"<{len(starts) + 1}I", *starts, len(starts)) + b"\0"
    return block + struct.pack("<I", masked_crc32c(np.frombuffer(block, np.uint8)))


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
