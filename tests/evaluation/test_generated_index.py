"""Generated texts that are compared with training text in blocks, and a plain slow reference."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2_helpers.evaluation.generated_index import GeneratedIndex, ShortTexts
from gpt2_helpers.evaluation.memorization import TrainingTextIndex
from gpt2_helpers.evaluation.similarity import Match, normalize
from gpt2_helpers.evaluation.word_overlap import WordIndex
from gpt2_helpers.evaluation.words import split_words

STORY = (
    "The lamp on the headland had burned for forty years before anyone thought to ask who paid for "
    "the oil. When they did ask, the keeper laughed, shut the door, and put out the light.\n"
)


def trigrams(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}


def dice(first: str, second: str) -> float:
    a, b = trigrams(first), trigrams(second)
    return 2.0 * len(a & b) / (len(a) + len(b))


def runs(text: Sequence[str], other: Sequence[str]) -> list[int]:
    """For each word of a text, how many words from there on also follow each other in the other."""
    lengths = []
    for start in range(len(text)):
        longest = 0
        for place in range(len(other)):
            length = 0
            while text[start : start + length + 1] == other[place : place + length + 1] and (
                max(start, place - len(other) + len(text)) + length < len(text)
            ):
                length += 1
            longest = max(longest, length)
        lengths.append(longest)
    return lengths


def reference(text: str, short: Sequence[str], long: Sequence[str]) -> Match:
    """The definitions of docs/evaluation.md, word by word."""
    words, normalized = split_words(text), normalize(text)
    in_short = [max(runs(words, split_words(other)), default=0) for other in short]
    in_long = [runs(words, split_words(other)) for other in long]
    short_run = max((run for run in in_short if run >= 3), default=0)
    long_run = max((max(found, default=0) for found in in_long), default=0)
    long_run = long_run if long_run >= 3 else 0
    run = max(short_run, long_run)
    shingles = max(0, len(words) - 7)
    known = sum(any(found[start] >= 8 for found in in_long) for start in range(shingles))
    share = known / shingles if shingles else 0.0
    similar = [(dice(normalized, normalize(t)), -n) for n, t in enumerate(short) if normalize(t)]
    similarity, number = max(similar, default=(0.0, 0))
    if not normalized or similarity < 0.8:
        similarity = 0.0
    complete = len(words) - (text[-1:].isalnum() and bool(words))
    for other in short:
        if normalized and normalize(other) == normalized:
            return Match("copy", other.strip(), 1.0, run)
    if long_run >= complete >= 5:
        return Match("copy", text.strip(), 1.0, run)
    if similarity and similarity >= (share if share >= 0.5 else 0):
        return Match("near copy", short[-number].strip(), similarity, run)
    if share >= 0.5:
        return Match("near copy", "", share, run)
    return Match("novel", "", share if long_run > short_run else 0.0, run)


def add_short(index: GeneratedIndex, texts: Sequence[str]) -> None:
    block = ShortTexts.of(texts)
    index.add(index.find_similar(block))
    index.add(index.find_short_runs(block))


def check(texts: Sequence[str], short: Sequence[str], long: Sequence[str], block: int) -> set[str]:
    """Compare both indexes with the reference; returns the kinds of the texts."""
    index = GeneratedIndex(texts)
    for start in range(0, len(short), block):
        add_short(index, short[start : start + block])
    for start in range(0, len(long), block):
        index.add(index.find_long_runs(long[start : start + block]))
    training = TrainingTextIndex(short, long)
    for text, found in zip(texts, index.matches(), strict=True):
        expected, online = reference(text, short, long), training.compare(text)
        assert (found.kind, found.run) == (expected.kind, expected.run), text
        assert (online.kind, online.run) == (expected.kind, expected.run), text
        assert found.words == online.words
        if found.kind == "novel":
            # The nearest is a text with the longest run, and of several either one.
            sources = [t.strip() for t in short if expected.run in runs_of(text, t)] or [""]
            for nearest, similarity in ((found.nearest, found.similarity), (online.nearest, 0)):
                assert nearest in sources or normalize(nearest) in normalize(text)
                if similarity and nearest in sources:
                    assert similarity == dice(normalize(text), normalize(nearest))
        else:
            assert found.similarity == online.similarity == expected.similarity
            assert not expected.nearest or found.nearest == online.nearest == expected.nearest
    return {match.kind for match in index.matches()}


def runs_of(text: str, other: str) -> list[int]:
    return runs(split_words(text), split_words(other))


def titles(source: random.Random, count: int) -> list[str]:
    words = [
        "why",
        "what",
        "is",
        "the",
        "sky",
        "blue",
        "so",
        "do",
        "you",
        "think",
        "about",
        "it",
        "dog",
        "cat",
        "über",
        "公园",
    ]
    found: list[str] = []
    for _ in range(count):
        title = source.choices(words, k=source.randint(1, 9))
        if found and source.random() < 0.5:
            title = source.choice(found).split()
            title[source.randrange(len(title))] = source.choice(words)
        found.append(" ".join(title) + source.choice(["?", "", "!", "  "]))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_titles_are_compared_as_by_the_reference(seed: int) -> None:
    source = random.Random(seed)
    pool = titles(source, 60)
    kinds = check(pool[:20], [*pool[20:], pool[3].upper()], [], block=source.randint(1, 40))
    assert kinds == {"copy", "near copy", "novel"}


@pytest.mark.parametrize("seed", range(6))
def test_passages_are_compared_as_by_the_reference(seed: int) -> None:
    source = random.Random(seed)
    words = STORY.split()
    texts = []
    for _ in range(12):
        start = source.randrange(len(words) - 12)
        text = words[start : start + source.randint(4, 30)]
        for _ in range(source.randint(0, 3)):
            text[source.randrange(len(text))] = source.choice(["new", "the", "lamp"])
        texts.append(" ".join(text))
    texts.append(STORY[4:120])  # the last word is truncated
    kinds = check(texts, titles(source, 5), [STORY, STORY[::-1], "short"], block=2)
    assert kinds >= {"copy", "novel"}


@settings(max_examples=40)
@given(
    st.lists(st.text("ab é.<|", max_size=20), min_size=1, max_size=4),
    st.lists(st.text("ab é.", max_size=20), max_size=4),
    st.lists(st.text("ab é.", max_size=60), max_size=2),
    st.integers(1, 3),
)
def test_any_texts(texts: list[str], short: list[str], long: list[str], block: int) -> None:
    check(texts, short, long, block)


def test_duplicates_share_the_result_but_not_the_words_in_their_own_spelling() -> None:
    index = GeneratedIndex([STORY[:60], STORY[:60].upper(), ""])
    index.add(index.find_long_runs([STORY]))
    first, second, empty = index.matches()
    assert first.nearest == STORY[:60].strip()
    assert second.nearest == STORY[:60].strip().upper()
    assert (empty.kind, empty.run, empty.nearest) == ("novel", 0, "")


def test_the_order_of_blocks_does_not_matter_to_what_is_found_first() -> None:
    index = GeneratedIndex(["Why is the sky blue today"])
    blocks = [["Why is the sky blue Today?"], ["why is the sky blue today"]]
    found = [index.find_similar(ShortTexts.of(block)) for block in blocks]
    index.add(found[0])
    index.add(found[1])
    assert index.matches()[0].nearest == "Why is the sky blue Today?"


def test_known_words_are_those_of_the_whole_training_text() -> None:
    texts = ["The cat sat on a zebra.", "Dogs.", "", "_the_ cat_ zeb", "...", "THE CAT\n"]
    index = GeneratedIndex(texts)
    add_short(index, ["The cat sat"])
    index.add(index.find_long_runs(["on a mat. dogs, cat_ and zeb"]))
    expected = WordIndex(["The cat sat", "on a mat. dogs, cat_ and zeb"])
    assert [match.words for match in index.matches()] == [expected.compare(t) for t in texts]
