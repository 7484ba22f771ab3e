"""The longest runs of words in common: the same ones as by comparing all places."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2_helpers.evaluation.word_runs import MIN_RUN, RunIndex
from gpt2_helpers.evaluation.words import GAP, split_texts


def longest_run(first: list[str], second: list[str]) -> int:
    best = 0
    lengths = [0] * (len(second) + 1)  # of the runs that end at each word of the second
    for word in first:
        lengths = [0, *(lengths[i] + 1 if word == other else 0 for i, other in enumerate(second))]
        best = max(best, *lengths)
    return best if best >= MIN_RUN else 0


def check(indexed: list[str], texts: list[str]) -> int:
    """Compare with the reference, in both directions; returns the length of the longest run."""
    index = RunIndex(indexed)
    ids = index.vocabulary.find(split_texts(texts))
    ours, theirs = index.in_other(ids), index.in_indexed(ids)
    for runs, own, other in ((ours, index.words, ids), (theirs, ids, index.words)):
        for place, length, there in zip(runs.places, runs.lengths, runs.others, strict=True):
            run = own[place : place + length]
            assert (run >= 0).all()
            assert run.tolist() == other[there : there + length].tolist()
    starts = np.append(0, np.flatnonzero(ids == GAP) + 1)
    longest = [np.zeros(len(indexed), int), np.zeros(len(texts), int)]
    np.maximum.at(longest[0], index.text_of(ours.places), ours.lengths)
    np.maximum.at(longest[1], starts.searchsorted(theirs.places, side="right") - 1, theirs.lengths)
    table = np.array([[longest_run(a.split(), b.split()) for b in texts] for a in indexed])
    assert longest[0].tolist() == table.max(axis=1).tolist()
    assert longest[1].tolist() == table.max(axis=0).tolist()
    return int(table.max())


def random_texts(source: random.Random, words: int, length: int) -> list[str]:
    alphabet = "abcdefghijklmnopqrst"[:words]
    return [
        " ".join(source.choices(alphabet, k=source.randint(0, length)))
        for _ in range(source.randint(1, 8))
    ]


@pytest.mark.parametrize("words", [1, 2, 3, 8, 20])
def test_the_same_runs_are_found_as_by_comparing_all(words: int) -> None:
    source = random.Random(words)
    longest = 0
    for _ in range(40):
        longest = max(
            longest, check(random_texts(source, words, 25), random_texts(source, words, 25))
        )
    assert longest >= MIN_RUN


@settings(max_examples=60)
@given(
    st.lists(st.text("ab ", max_size=40), min_size=1, max_size=5),
    st.lists(st.text("abc ", max_size=40), min_size=1, max_size=5),
)
def test_any_texts(indexed: list[str], texts: list[str]) -> None:
    check(indexed, texts)


def test_a_run_does_not_cross_from_one_text_into_the_next() -> None:
    assert check(["one two three", "four five"], ["two three four five"]) == 0
    assert check(["two three four five"], ["one two three", "four five"]) == 0


def test_a_long_run() -> None:
    text = " ".join(f"word{number}" for number in range(1000))
    assert check([text, "short"], ["before it", f"another {text} end"]) == 1000


def test_the_longest_run_of_each_text_is_its_first() -> None:
    index = RunIndex(["x a b c y d e f", "a b c"])
    runs = index.in_other(index.vocabulary.find(["a", "b", "c", "-", "d", "e", "f"]))
    best = runs.longest(index.text_of(runs.places))
    assert (best.places.tolist(), best.lengths.tolist()) == ([1, 9], [3, 3])
    assert index.counts.tolist() == [8, 3]


def test_words_that_were_numbered_later_are_unknown() -> None:
    index = RunIndex(["a b c d"])
    RunIndex(["e f g h"], index.vocabulary)
    runs = index.in_indexed(index.vocabulary.find(["e", "f", "g", "a", "b", "c"]))
    assert (runs.places.tolist(), runs.lengths.tolist()) == ([3], [3])


def test_without_words_nothing_is_found() -> None:
    index = RunIndex(["", "..."])
    assert index.counts.tolist() == [0, 0]
    assert not len(index.in_other(index.vocabulary.find(["a", "b", "c"])).places)
    assert not len(RunIndex([]).in_indexed(np.zeros(9, np.int32)).places)
