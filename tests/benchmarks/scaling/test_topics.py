"""Points made of measured steps."""

from __future__ import annotations

from scaling.limits import Rates
from scaling.topics import windows

RATES = Rates(bandwidth=10e9, float32=100e9, bfloat16=50e9, int8=200e9)


def test_windows_use_the_median_step() -> None:
    steps = [0.5] * 64 + [0.25] * 63 + [9.0]  # the median ignores one long step
    first, second = windows(2, [steps, steps], "int8", RATES)
    assert (first.x, first.rounds, second.x, second.rounds) == (64, [4, 4], 128, [8, 8])
    assert first.limit > second.limit
