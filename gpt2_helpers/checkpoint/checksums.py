"""CRC-32C, the checksum of TensorFlow's files, in NumPy.

A message is a polynomial over two values, its checksum the remainder by another, P. Any multiple of
P leaves the same remainder, and x^5685 + x^1362 + x^426 + 1 is one of few terms. So is its every
power 2^k, where each exponent is 2^k times as large: whole bytes. A byte may thus be added (by
exclusive or) to three later ones and forgotten, and so may thousands at once; only the last 5685
are looked at bit by bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]

_POLYNOMIAL = 0x82F63B78  # P by Castagnoli et al. 1993; its lowest bit is the highest power
_DEGREE, _LOWER = 5685, (1362, 426, 0)  # the exponents of that multiple
_WIDE = 32  # bytes that an exponent stands for at first: few calls, and all stays in the cache
_AT_ONCE = 1 << 20  # bytes
_START = 0x641F6454  # four bytes before the message, after which the remainder is all ones


def masked_crc32c(data: NDArray[Any]) -> int:
    """The CRC-32C of an array's bytes as it is stored: turned and added to, so that what holds
    checksums can have one itself.

    >>> hex(masked_crc32c(np.frombuffer(b"123456789", np.uint8)))
    '0xc78ab0e5'
    """
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: NDArray[Any]) -> int:
    """The CRC-32C of an array's bytes (RFC 3720, section 12.1).

    >>> hex(crc32c(np.frombuffer(b"123456789", np.uint8)))
    '0xe3069283'
    """
    message = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    start = np.array([_START], "<u4").view(np.uint8)
    if len(message) > _WIDE * _DEGREE:
        rest = _folded(start, message, _WIDE)
    else:
        rest = np.concatenate([start, message])
    return _remainder(_folded(rest[:0], rest, 1)) ^ 0xFFFFFFFF


def _folded(before: Bytes, message: Bytes, wide: int) -> Bytes:
    """A shorter message with the same remainder as `before` (few bytes) and `message` together:
    `wide` times 5685 bytes."""
    kept = wide * _DEGREE
    if len(message) <= kept:
        return message
    steps = [wide * (_DEGREE - lower) for lower in _LOWER]
    # What is kept of the message so far, and what comes next.
    window = np.zeros(kept + min(_AT_ONCE, len(message)), np.uint8)
    window[kept - len(before) : kept] = before
    for first in range(0, len(message), _AT_ONCE):
        fresh = message[first : first + _AT_ONCE]
        window[kept : kept + len(fresh)] = fresh
        for place in range(0, len(fresh), steps[0]):  # no further, where they would meet themselves
            high = window[place : min(place + steps[0], len(fresh))]
            for step in steps:
                low = window[place + step : place + step + len(high)]
                np.bitwise_xor(low, high, out=low)
        window[:kept] = window[len(fresh) : len(fresh) + kept].copy()
    return window[:kept]


def _remainder(message: Bytes) -> int:
    bits = np.unpackbits(message, bitorder="little")
    powers = _powers()[: len(bits)][::-1]
    return int(np.bitwise_xor.reduce(powers[bits == 1], initial=0))


@lru_cache(maxsize=1)
def _powers() -> NDArray[np.uint32]:
    """The remainders of x^32, x^33 and on."""
    power, powers = _POLYNOMIAL, []
    for _ in range(8 * _DEGREE):
        powers.append(power)
        power = (power >> 1) ^ (_POLYNOMIAL if power & 1 else 0)
    return np.array(powers, np.uint32)
