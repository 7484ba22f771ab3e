"""The options of `gpt2-helpers bench`."""

from __future__ import annotations

import pytest

from gpt2_helpers.bench.config import BenchConfig


@pytest.mark.parametrize(("quick", "minutes"), [(True, 2), (False, 10)])
def test_it_ends_within_its_minutes(quick: bool, minutes: int) -> None:
    assert BenchConfig(quick=quick).seconds < 60 * minutes
