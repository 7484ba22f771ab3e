"""Keywords: the characteristic words of a text, drawn at random but the same in every run."""

from __future__ import annotations

import pytest

from gpt2_helpers.data.keywords import MAX_KEYWORDS, KeywordExtractor

TEXTS = ["the old fox", "the old barn and the fox", "the old sea", "the Barn, the BARN and the sea"]


def test_the_words_of_few_texts_come_first() -> None:
    extractor = KeywordExtractor(TEXTS)
    assert extractor.ranked(TEXTS[3]) == ["barn", "and", "sea"]
    assert extractor.ranked("the the old zebra") == ["zebra", "old", "the"]
    assert extractor.ranked("12 ? a") == []


def test_keywords_are_shuffled_and_few_and_the_same_each_time() -> None:
    text = "one two three four five six"
    first, second = KeywordExtractor(TEXTS), KeywordExtractor(TEXTS)
    drawn = [first.draw(text) for _ in range(100)]
    assert drawn == [second.draw(text) for _ in range(100)]
    words = [keywords.split(", ") for keywords in drawn]
    assert {len(part) for part in words} == {*range(1, MAX_KEYWORDS + 1)}
    assert len({part[0] for part in words}) == MAX_KEYWORDS
    assert all(len({*part}) == len(part) for part in words)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt2_helpers.data.keywords._MAX_WORDS", 100)
    texts = (f"word{number}x common" for number in range(10_000))
    extractor = KeywordExtractor(texts)
    assert len(extractor._documents) <= 100
    assert extractor.ranked("common rare") == ["rare", "common"]
