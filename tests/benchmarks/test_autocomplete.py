"""Typing into `/api/complete`, on a server with the bundled model."""

from __future__ import annotations

import asyncio

import autocomplete
import load


def test_each_keystroke_is_measured_both_ways() -> None:
    text = "It was a dark and stormy night. " * 40
    parameters = {"count": 1, "max_new_tokens": 2}
    with load.server("--batch-size", "4") as (address, pid):
        found = asyncio.run(autocomplete.measure(address, pid, text, 3, parameters))
    assert list(found) == list(autocomplete.LENGTHS)
    for ways in found.values():
        assert [len(keystrokes) for keystrokes in ways.values()] == [3, 3]
        for keystroke in ways["typed"] + ways["other start"]:
            assert keystroke.seconds > 0
            assert keystroke.cpu_seconds >= 0
    head, line, *rows = autocomplete.table(found).splitlines()
    assert len(rows) == len(autocomplete.LENGTHS)
    assert {row.count("|") for row in (head, line, *rows)} == {6}
