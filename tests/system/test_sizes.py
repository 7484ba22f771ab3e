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


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (999_499, "999 KB"),
        (999_501, "1.0 MB"),
        (999_900_000, "999.9 MB"),
        (999_950_000, "1.00 GB"),
        (1_250_000_000, "1.25 GB"),
        (9_994_000_000, "9.99 GB"),
        (9_995_000_000, "10.0 GB"),
        (1_500_000_000_000, "1,500.0 GB"),
    ],
)
def test_no_size_is_shown_in_thousands_of_a_smaller_unit(size: int, text: str) -> None:
    assert file_size(size) == text
