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

import numpy as np

from gpt2_helpers.checkpoint.tensor_bundle import (
    DATA,
    FOOTER,
    INDEX,
    MAGIC,
    masked_crc32c,
    read_table,
)

PIECE = 256 * 2**20  # bytes of tensors that are held at once, or one tensor
_HEADER = b""  # the key of what is said of the whole bundle


def write_bundle(prefix: Path, tensors: Iterable[tuple[str, Any]]) -> None:
    """Write named tensors, taken one by one, as `PREFIX.index` and `PREFIX.data-00000-of-00001`.

    Raises TensorFlow's errors and OSError, and leaves what it began.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

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
            for key, value in read_table(Path(f"{part}{INDEX}").read_bytes()):
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


def _pieces(tensors: Iterable[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tensors by their names, a few at a time."""
    import tensorflow as tf

    piece: dict[str, Any] = {}
    size = 0
    for name, value in tensors:
        piece[name] = tensor = tf.convert_to_tensor(value)
        size += tensor.dtype.size * int(tf.size(tensor))
        if size >= PIECE:
            yield piece
            piece, size = {}, 0
    if piece:
        yield piece


def _table(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A table of one block."""
    data = _block(entries)
    last = entries[-1][0] if entries else b""
    nothing = _block([])
    index = _block([(last, _varint(0) + _varint(len(data) - 5))])
    places = b""
    for start, block in ((len(data), nothing), (len(data) + len(nothing), index)):
        places += _varint(start) + _varint(len(block) - 5)
    return data + nothing + index + places.ljust(FOOTER - 8, b"\0") + struct.pack("<Q", MAGIC)


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries, where each begins, and five bytes more: that nothing is compressed, and a sum."""
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
