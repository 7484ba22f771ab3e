"""Sets of trigrams, and their signatures."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.evaluation import trigram_sets
from gpt2_helpers.evaluation.trigram_sets import Alphabet, distinct_in_rows, fold


def test_trigrams_are_ranked_from_the_rarest() -> None:
    alphabet = Alphabet(["abc", "abd", "abe"])
    found = alphabet.sets(["abc", "abcabc", "xyz"])
    # " ab" is in all of them; "abc", "bc " and so on in one each.
    assert found.sizes.tolist() == [3, 5, 3]
    assert found.ranks[found.rows == 0].max() == alphabet.count - 1
    assert found.indexed.tolist() == [3, 3, 0], "others are not in the alphabet"


def test_similar_texts_share_a_trigram_of_their_prefixes() -> None:
    alphabet = Alphabet(["why is the sky blue", "why is the sky so blue"])
    found = alphabet.sets(["why is the sky blue", "why is the sky so blue"])
    places, ranks, positions = found.prefixes(np.arange(2), 0.8)
    assert set(ranks[places == 0]) & set(ranks[places == 1])
    for text in (0, 1):
        size = int(found.sizes[text])
        assert positions[places == text].tolist() == [*range(size - int(np.ceil(0.8 * size)) + 1)]


def test_signatures_differ_in_at_most_as_many_bits_as_the_sets() -> None:
    texts = ["why is the sky blue", "why is the sky so blue", "", "who"]
    found = Alphabet(texts).sets(texts)
    both = [set(found.ranks[found.rows == text].tolist()) for text in range(4)]
    long = found.signatures(np.arange(4), 8)
    for bits in (long, found.signatures(np.arange(4), 2), found.signatures(np.arange(4), 1)):
        for first in range(4):
            for second in range(4):
                differing = int(np.bitwise_count(bits[first] ^ bits[second]).sum())
                assert differing <= len(both[first] ^ both[second])


def test_folded_signatures_are_the_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["why is the sky blue", "", "who", "why is the sky so blue"]
    found = Alphabet(texts).sets(texts)
    rows = np.array([3, 1, 0])
    long = found.signatures(rows, 8)
    assert fold(long, 8).tolist() == long.tolist()
    for words in (1, 2, 4):
        assert fold(long, words).tolist() == found.signatures(rows, words).tolist()
    monkeypatch.setattr(trigram_sets, "_SIGNED", 1)  # one text at a time
    assert found.signatures(rows, 8).tolist() == long.tolist()
    assert fold(found.signatures(rows[:0], 8), 2).shape == (0, 2)


def test_values_are_sorted_within_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    rows = np.sort(random.integers(0, 50, 900))
    rows = rows[rows != 7]  # an empty row
    values = random.integers(0, 30, len(rows))
    expected = sorted(set(zip(rows.tolist(), values.tolist(), strict=True)))
    for size in (1, 40, 10**6):
        monkeypatch.setattr(trigram_sets, "_SORTED", size)
        found = distinct_in_rows(rows, values, 52)
        assert list(zip(*(side.tolist() for side in found), strict=True)) == expected
    empty = np.empty(0, np.int64)
    assert [side.tolist() for side in distinct_in_rows(empty, empty, 0)] == [[], []]
    assert [side.tolist() for side in distinct_in_rows(empty, empty, 3)] == [[], []]
