"""Writes TensorFlow checkpoint files ("tensor bundles") part by part.

TensorFlow writes a bundle either with all tensors in memory or into many files. Here TensorFlow
writes a few tensors at a time; their data is appended to one data file, and their entries are
collected in one index, a table in LevelDB's format (see `tensor_bundle`).
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
    FOOTER_SIZE,
    INDEX,
    MAGIC,
    masked_crc32c,
    read_table,
)

PART_SIZE = 256 * 2**20  # bytes of tensors in memory; more if a single tensor is larger
_HEADER = b""  # key of the bundle's header


def write_bundle(prefix: Path, tensors: Iterable[tuple[str, Any]]) -> None:
    """Write `PREFIX.index` and `PREFIX.data-00000-of-00001`.

    Args:
        prefix: Path of the files without their suffixes.
        tensors: Names and values; consumed one by one.

    Raises:
        OSError, tf.errors.OpError: Writing failed; incomplete files may remain.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

    entries: dict[bytes, bytes] = {}
    temporary = prefix.with_name(prefix.name + ".part")
    with open(f"{prefix}{DATA}", "wb") as data_file:
        for part in _parts(tensors):
            tf.raw_ops.SaveV2(
                prefix=str(temporary),
                tensor_names=list(part),
                shape_and_slices=[""] * len(part),
                tensors=list(part.values()),
            )
            start = data_file.tell()
            for key, value in read_table(Path(f"{temporary}{INDEX}").read_bytes()):
                if key != _HEADER:
                    entry = BundleEntryProto.FromString(value)
                    entry.offset += start
                    value = entry.SerializeToString()
                entries[key] = value
            with open(f"{temporary}{DATA}", "rb") as file:
                shutil.copyfileobj(file, data_file, 2**20)
            os.remove(f"{temporary}{DATA}")
    os.remove(f"{temporary}{INDEX}")
    Path(f"{prefix}{INDEX}").write_bytes(_table(sorted(entries.items())))


def _parts(tensors: Iterable[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    """Group tensors by name into parts of about PART_SIZE bytes."""
    import tensorflow as tf

    part: dict[str, Any] = {}
    size = 0
    for name, value in tensors:
        part[name] = tensor = tf.convert_to_tensor(value)
        size += tensor.dtype.size * int(tf.size(tensor))
        if size >= PART_SIZE:
            yield part
            part, size = {}, 0
    if part:
        yield part


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
