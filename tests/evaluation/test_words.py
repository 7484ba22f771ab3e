"""Words: the same by the fast way for ASCII and by the pattern, one text or many."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2_helpers.evaluation import words
from gpt2_helpers.evaluation.words import (
    GAP,
    UNKNOWN,
    WORD,
    Vocabulary,
    batches_of_words,
    last_gap,
    split_texts,
    split_words,
)
from hard_strings import HARD_STRINGS

SEPARATOR = "\0"


@settings(max_examples=100)
@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_split_as_by_the_pattern(text: str) -> None:
    assert split_words(text) == WORD.findall(text.casefold())


def test_characters_of_scripts_without_spaces_are_words() -> None:
    assert split_words("Go 公园, now") == ["go", "公", "园", "now"]


@pytest.mark.parametrize("batch", [1100, 1 << 20])
def test_texts_are_split_one_by_one(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_BATCH", batch)
    texts = ["", "a\0b", "Straße, 7", "one two three " * 300, *HARD_STRINGS]
    expected: list[str] = []
    for text in texts:
        expected += [*split_words(text.replace("\0", " ")), SEPARATOR]
    assert split_texts(texts) == expected[:-1]
    assert sum(batches_of_words(texts), []) == expected
    assert split_texts([]) == []


def test_a_word_that_is_longer_than_a_batch_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_BATCH", 4)
    assert list(batches_of_words(["abcdefg", "h"])) == [
        ["abcd"],
        ["efg", SEPARATOR],
        ["h", SEPARATOR],
    ]


def test_a_text_is_cut_between_two_words_if_there_are_some() -> None:
    assert last_gap("one two") == 3
    assert last_gap("one") == last_gap(" on") == 3


def test_words_are_numbered_once() -> None:
    vocabulary = Vocabulary()
    assert vocabulary.add(split_texts(["b a", "b"])).tolist() == [0, 1, GAP, 0]
    assert vocabulary.add(["c", "a"]).tolist() == [2, 1]
    assert vocabulary.find(["a", "z", SEPARATOR]).tolist() == [1, UNKNOWN, GAP]
    assert vocabulary.words() == ["b", "a", "c"]
    assert len(vocabulary) == 3
    assert "a" in vocabulary
    assert "z" not in vocabulary
