"""Sizes as text."""

from __future__ import annotations

import re

import pytest

from gpt2_helpers.system.sizes import file_size, memory_size


@pytest.mark.parametrize("exponent", range(12))
@pytest.mark.parametrize("size", [memory_size, file_size])
def test_no_size_is_shown_as_zero_of_a_unit(size: object, exponent: int) -> None:
    assert callable(size)
    assert float(re.sub("[^0-9.]", "", size(10**exponent))) > 0


def test_nothing_is_zero() -> None:
    assert (memory_size(0), file_size(0)) == ("0 MB", "0 KB")
