"""Levels of probability, in Python and in the page's script."""

from __future__ import annotations

import re

import pytest

from gpt2_helpers.evaluation.probability_levels import LEVELS, as_percent, level_of
from paths import ROOT


@pytest.mark.parametrize(
    ("probability", "level"),
    [(1.0, 0), (0.5, 0), (0.4999, 1), (0.1, 1), (0.01, 2), (0.001, 3), (0.0009, 4), (0.0, 4)],
)
def test_levels_have_lower_bounds(probability: float, level: int) -> None:
    assert level_of(probability) == level


def test_small_probabilities_are_readable() -> None:
    shown = [as_percent(p) for p in (1.0, 0.123, 0.00042, 1.2e-5, 0.0)]
    assert shown == ["100%", "12%", "0.042%", "0.0012%", "less than 0.001%"]


def test_the_page_has_the_same_levels() -> None:
    script = ROOT / "gpt2_helpers" / "web" / "static" / "probabilities.js"
    found = re.findall(r'^  \[([\d.]+), "(.*)"\],$', script.read_text("utf-8"), re.MULTILINE)
    assert tuple((float(lowest), name) for lowest, name in found) == LEVELS
