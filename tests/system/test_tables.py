"""Aligned columns."""

from __future__ import annotations

from gpt2_helpers.system.tables import aligned


def test_a_last_column_without_a_head_is_text() -> None:
    lines = aligned([["", "loss", ""], ["a", "10.5", "first"], ["b", "2", "second\x1b[0m"]])
    assert lines[1:] == ["a  10.5  first", "b     2  second\\x1b[0m"]
