"""The vocabulary of synthetic text."""

from __future__ import annotations

from scaling.synthetic_text import lines


def test_new_words_keep_appearing_at_a_falling_rate() -> None:
    words = [f"word{number}" for number in range(20_000)]
    drawn = []
    for line in lines(words):
        drawn += line.lower().replace(",", "").replace(".", "").split()
        if len(drawn) > 40_000:
            break
    first, second = set(drawn[:20_000]), set(drawn[:40_000])
    assert 1_000 < len(first) < len(second) < 1.8 * len(first)
