"""Pairs of similar texts: the same ones as by comparing every text with every other."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2_helpers.evaluation import trigram_index, trigram_sets
from gpt2_helpers.evaluation.trigram_index import TrigramIndex


def trigrams(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}


def dice(first: str, second: str) -> float:
    a, b = trigrams(first), trigrams(second)
    return 2.0 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


def reference(indexed: list[str], texts: list[str], threshold: float) -> list[tuple[int, int]]:
    return [
        (i, row)
        for i, first in enumerate(indexed)
        for row, second in enumerate(texts)
        if dice(first, second) >= threshold
    ]


def check(indexed: list[str], texts: list[str], threshold: float = 0.8) -> int:
    """Compare with the reference; returns the number of pairs."""
    pairs = TrigramIndex(indexed, threshold).search(texts)
    found = list(zip(pairs.indexed.tolist(), pairs.rows.tolist(), strict=True))
    assert found == reference(indexed, texts, threshold)
    for (i, row), similarity in zip(found, pairs.similarity.tolist(), strict=True):
        assert similarity == dice(indexed[i], texts[row])
    return len(found)


def variants(count: int, length: int, seed: int, letters: str = "abcdeß漢\U0001f600 ") -> list[str]:
    """Texts of which many are similar: each is an earlier one with a few changes, or new."""
    source = random.Random(seed)
    texts: list[str] = []
    for _ in range(count):
        if texts and source.random() < 0.7:
            text = list(source.choice(texts))
            for _ in range(source.randint(0, 3)):
                place = source.randint(0, len(text))
                text[place : place + source.randint(0, 2)] = source.choices(letters, k=1)
        else:
            text = source.choices(letters, k=source.randint(1, length))
        texts.append("".join(text))
    return texts


@pytest.mark.parametrize(("length", "count"), [(8, 120), (40, 120), (200, 60), (1500, 24)])
def test_the_same_pairs_are_found_as_by_comparing_all(length: int, count: int) -> None:
    total = 0
    for seed in range(4):
        texts = variants(count, length, seed)
        total += check(texts[::2], texts[1::2])
    assert total > 20


def test_groups_that_are_compared_in_several_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigram_index, "_CELLS", 8)
    monkeypatch.setattr(trigram_index, "_VERIFIED", 30)
    texts = variants(150, 25, seed=9, letters="ab ")
    assert check(texts[::2], texts[1::2]) > 50


def test_an_alphabet_that_is_too_large_for_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigram_sets, "_MAX_TABLE", 1)
    texts = variants(120, 30, seed=3)
    assert check(texts[::2], texts[1::2]) > 10


@settings(max_examples=60)
@given(
    st.lists(st.text("abc é漢\0", max_size=12), max_size=8),
    st.lists(st.text("abc é漢\0d", max_size=12), max_size=8),
    st.sampled_from([0.5, 0.8, 1.0]),
)
def test_any_texts(indexed: list[str], texts: list[str], threshold: float) -> None:
    indexed, texts = [text for text in indexed if text], [text for text in texts if text]
    check(indexed, texts, threshold)


def test_a_similarity_of_exactly_the_bound_is_found() -> None:
    # Six different trigrams: " ab", "abc", "bcd", "cd ", "d a", "ab ". The first four are shared.
    pairs = TrigramIndex(["abcd ab"], 0.8).search(["abcd"])
    assert pairs.similarity.tolist() == [0.8]


def test_pairs_below_a_higher_bound_may_be_left_out_but_not_above() -> None:
    texts = variants(200, 30, seed=5)
    index = TrigramIndex(texts[::2], 0.8)
    at_least = np.linspace(0.8, 1.0, 100)
    every, some = index.search(texts[1::2]), index.search(texts[1::2], at_least)
    wanted = every.similarity >= at_least[every.indexed]
    left = set(zip(some.indexed.tolist(), some.rows.tolist(), strict=True))
    assert (
        set(zip(every.indexed[wanted].tolist(), every.rows[wanted].tolist(), strict=True)) <= left
    )
    assert len(left) < len(every.rows)


def test_the_similarity_of_given_pairs() -> None:
    indexed, texts = ["why is the sky blue", "who"], ["why not", "who are you", "xyz"]
    found = TrigramIndex(indexed, 0.8).similarity(texts, np.array([0, 1, 0]))
    assert found.tolist() == [dice(indexed[0], texts[0]), dice("who", texts[1]), 0.0]


def test_empty_texts_and_an_empty_index_match_nothing() -> None:
    assert not len(TrigramIndex(["", "a"], 0.8).search(["", "b"]).rows)
    assert not len(TrigramIndex([], 0.8).search(["a"]).rows)
    assert not len(TrigramIndex(["a"], 0.8).search([]).rows)


def test_the_size_of_numpy_s_buffer_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    index = TrigramIndex([f"why is the sky number {number}" for number in range(100)], 0.8)
    before = np.getbufsize()
    index.search([f"who is the sky number {number}" for number in range(100)])
    assert np.getbufsize() == before

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "bitwise_xor", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trigram_index._xor(np.zeros(2, np.uint64), np.zeros((2, 1), np.uint64), np.zeros((2, 2)))
    assert np.getbufsize() == before
