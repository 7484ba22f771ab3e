"""Ranges and sorting: the same as NumPy's, also where keys do not fit next to their indexes."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.evaluation.sorting import ranges, stable_order


def test_ranges_follow_each_other() -> None:
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert ranges(np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []


@pytest.mark.parametrize("largest", [0, 1, 40, 2**31, 2**54, 2**62])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 257, 1000])
def test_the_order_is_that_of_a_stable_sort(largest: int, count: int) -> None:
    random = np.random.default_rng(count)
    keys = random.integers(0, largest, count, endpoint=True)
    keys[::3] = keys[: len(keys[::3])]  # equal keys
    assert stable_order(keys).tolist() == np.argsort(keys, kind="stable").tolist()


def test_narrow_keys_are_sorted_too() -> None:
    keys = np.array([3, 1, 3, 2], np.int32)
    assert stable_order(keys).tolist() == [1, 3, 0, 2]
