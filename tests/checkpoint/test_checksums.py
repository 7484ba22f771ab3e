"""Checksums against the standard's examples, and against a plain table, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.checkpoint.checksums import crc32c, masked_crc32c

POLYNOMIAL = 0x82F63B78


def by_table(message: bytes) -> int:
    """CRC-32C a byte at a time, as it is usually written."""
    table = []
    for entry in range(256):
        for _ in range(8):
            entry = (entry >> 1) ^ (POLYNOMIAL if entry & 1 else 0)
        table.append(entry)
    crc = 0xFFFFFFFF
    for byte in message:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("message", "expected"),
    [  # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_the_examples_of_the_standard(message: bytes, expected: int) -> None:
    assert crc32c(np.frombuffer(message, np.uint8)) == expected


# Below and above each number of bytes at which another way is taken.
@pytest.mark.parametrize(
    "size",
    [1, 2, 3, 4, 5, 5680, 5681, 5682, 5685, 5686, 181_916, 181_920, 181_921, 1_048_576, 1_300_001],
)
def test_messages_of_any_size(size: int) -> None:
    message = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    assert crc32c(message) == by_table(message.tobytes())


def test_an_arrays_checksum_is_that_of_its_bytes() -> None:
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    assert crc32c(array) == by_table(array.tobytes())
    assert crc32c(array.T) == by_table(array.T.tobytes())


def test_the_mask_is_tensorflows() -> None:
    # tensorflow/core/lib/hash/crc32c.h: turned right by 15 bits, plus a constant
    crc = by_table(b"foo")
    expected = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc32c(np.frombuffer(b"foo", np.uint8)) == expected
