"""The benchmark of the memorization check, with few titles."""

from __future__ import annotations

import itertools
from pathlib import Path

import memorization


def test_titles_are_long_enough_and_differ() -> None:
    found = list(itertools.islice(memorization.titles(1), 2000))
    assert len(set(found)) > 1990
    assert 50 < sum(map(len, found)) / len(found) < 75
    assert found[:5] == list(itertools.islice(memorization.titles(1), 5))


def test_copies_are_counted_and_a_process_is_measured(tmp_path: Path) -> None:
    paths = memorization.write_files(tmp_path, 200, 1000)
    found = memorization.measure(*paths)
    assert found["copies"] >= 20
    assert found["near copies"] >= 10
    assert found["copies"] + found["near copies"] + found["novel"] == 200
    assert found["processor seconds"] > 0
    assert 10 < found["peak memory"] / 2**20 < 1000
