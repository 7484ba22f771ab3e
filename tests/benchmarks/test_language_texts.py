"""Texts in other languages for benchmarks."""

from __future__ import annotations

import pytest

from language_texts import LANGUAGES, make_text


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_text_has_its_size_and_is_the_same_each_time(name: str) -> None:
    text = make_text(name, 20_000)
    assert 20_000 <= len(text.encode()) < 22_000
    assert text == make_text(name, 20_000)
    assert text != make_text(name, 20_000, seed=2)
    lines = text.splitlines()
    assert len(set(lines)) == len(lines)
    assert "{}" not in text
