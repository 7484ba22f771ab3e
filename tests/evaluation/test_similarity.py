"""The definitions: what is a copy, a near copy, novel."""

from __future__ import annotations

import dataclasses

import pytest

from gpt2_helpers.evaluation.similarity import (
    Evidence,
    Match,
    classify,
    count_shingles,
    distinct,
    normalize,
    passage,
    without_markers,
)
from gpt2_helpers.evaluation.word_overlap import WordOverlap

STORY = (
    "The lamp on the headland had burned for forty years before anyone thought to ask who paid for "
    "the oil. When they did ask, the keeper laughed, shut the door, and put out the light.\n"
)


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("<|startoftext|>Who ARE\n you?<|endoftext|>", "who are you"),
        ("Straße", "strasse"),
        ("?!", "?!"),
        ("", ""),
    ],
)
def test_normalize_drops_case_whitespace_markers_and_end_punctuation(
    text: str, normalized: str
) -> None:
    assert normalize(text) == normalized


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("Why?", Evidence(), Match("novel", "", 0.0)),
        ("Why?", Evidence(copied=" why "), Match("copy", "why", 1.0)),
        (STORY, Evidence(similar="a", similarity=0.8), Match("near copy", "a", 0.8)),
        # All words of a long text; a last word may be truncated, but not others.
        ("One two three four five.", Evidence(long_run=5), Match("copy", "", 1.0)),
        ("One two three four five si", Evidence(long_run=5), Match("copy", "", 1.0)),
        ("One two three four five s", Evidence(long_run=5), Match("copy", "", 1.0)),
        ("One two three four five six.", Evidence(long_run=5), Match("novel", "", 0.0)),
        ("One two three four.", Evidence(long_run=4), Match("novel", "", 0.0)),
        # Half of the shingles.
        (STORY, Evidence(share=0.5, long_run=8), Match("near copy", "", 0.5)),
        (STORY, Evidence(share=0.49, long_run=8), Match("novel", "", 0.49)),
        # The more similar of both kinds of training text.
        (STORY, Evidence(None, "a", 0.8, share=0.9, long_run=9), Match("near copy", "", 0.9)),
        (STORY, Evidence(None, "a", 0.9, share=0.9, long_run=9), Match("near copy", "a", 0.9)),
        # A novel text is shown with the longest run.
        (STORY, Evidence(short_run=4, short_source="b", short_similarity=0.3, long_run=4),
         Match("novel", "b", 0.3)),
    ],
)  # fmt: skip
def test_the_kind_of_a_text(text: str, found: Evidence, expected: Match) -> None:
    match = classify(text, found)
    assert (match.kind, match.similarity) == (expected.kind, expected.similarity)
    assert match.run == max(found.short_run, found.long_run)
    if expected.nearest:
        assert match.nearest == expected.nearest


def test_evidence_starts_with_nothing_found() -> None:
    nothing = Evidence(None, "", 0.0, 0, 0, "", 0.0, 0, 0, 0.0, None)
    assert Evidence() == nothing
    assert classify("Why?", Evidence()).run_start == 0


def test_matches_are_equal_if_kind_nearest_and_similarity_are() -> None:
    match = Match("copy", "why", 1.0)
    assert (match.run, match.run_start, match.words) == (0, 0, None)
    assert match == Match("copy", "why", 1.0, 3, 1, WordOverlap(1, 2, 0.9))
    assert match != Match("copy", "who", 1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        match.kind = "novel"  # type: ignore[misc]


def test_the_nearest_of_a_passage_is_the_passage() -> None:
    found = Evidence(share=0.6, long_run=3, long_start=1)
    assert classify("<|startoftext|>One, two -- three four", found).nearest == "two -- three four"
    assert classify("One, TWO -- three four.", Evidence(long_run=3)).nearest == "One, TWO -- three"


def test_the_run_is_the_longer_one() -> None:
    found = Evidence(short_run=4, short_start=7, long_run=5, long_start=2)
    match = classify(STORY, found)
    assert (match.run, match.run_start) == (5, 2)
    match = classify(STORY, Evidence(short_run=4, short_start=7, long_run=4, long_start=2))
    assert (match.run, match.run_start) == (4, 7)


def test_passages() -> None:
    assert passage("我们今天去公园", 2, 3) == "今天去"
    assert passage("One two", 1, 0) == ""
    assert passage("", 0, 3) == ""


def test_markers_are_replaced_by_spaces() -> None:
    assert without_markers("<|startoftext|>a<|endoftext|>b") == " a b"
    assert without_markers("a <| b") == "a <| b"


def test_shingles_have_eight_words() -> None:
    assert [count_shingles(words) for words in (0, 7, 8, 20)] == [0, 0, 1, 13]


def test_the_first_of_equal_texts_counts() -> None:
    assert distinct(["A", "b", "a!", ""]) == {"a": 0, "b": 1, "": 3}
