"""Ranges and fast sorting of arrays of integers. NumPy only."""

from __future__ import annotations

import numpy as np

from gpt2_helpers.types import Indexes


def ranges(starts: Indexes, counts: Indexes) -> Indexes:
    """All indexes of several ranges, one range after the other.

    >>> ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist()
    [5, 6, 9, 10, 11]
    """
    shift = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return shift + np.arange(len(shift))


def stable_order(keys: Indexes) -> Indexes:
    """The indexes that sort the keys; those of equal keys stay in order.

    Args:
        keys: Numbers from 0.

    >>> stable_order(np.array([7, 5, 7, 0])).tolist()
    [3, 1, 0, 2]
    """
    bits = max(1, len(keys) - 1).bit_length()
    if int(keys.max(initial=0)).bit_length() + bits > 63:
        return np.argsort(keys, kind="stable")
    # Several times as fast, since only numbers are sorted.
    packed = keys.astype(np.int64) << bits | np.arange(len(keys))
    packed.sort()
    order: Indexes = packed & ((1 << bits) - 1)
    return order
