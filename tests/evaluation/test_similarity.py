"""Near-duplicate indexes: short texts by trigrams, long texts by shingles."""

from __future__ import annotations

import pytest

from gpt2_helpers.evaluation import similarity
from gpt2_helpers.evaluation.similarity import LongTextIndex, Match, ShortTextIndex, normalize

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


# --- Short texts


def test_similarity_of_short_texts_is_dice_coefficient_of_trigrams() -> None:
    index = ShortTextIndex(["abc"])  # " ab", "abc", "bc "
    assert index.compare("abd") == Match("novel", "abc", 2 * 1 / (3 + 3))
    assert index.compare("ABC!") == Match("copy", "abc", 1.0)
    assert index.compare("xyz") == Match("novel", "", 0.0)


def test_texts_with_the_same_trigrams_are_not_copies() -> None:
    index = ShortTextIndex(["ha ha", "ha ha ha ha"])
    assert index.compare("Ha ha ha ha!") == Match("copy", "ha ha ha ha", 1.0)
    assert index.compare("Ha ha ha!").kind == "near copy"


def test_many_short_texts_are_spread_over_several_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_CHUNK", 100)
    texts = [f"What would you do with {count} old shoes?" for count in range(200)]
    index = ShortTextIndex(texts)
    assert len(index._tables) > 1
    assert [index.compare(text).nearest for text in texts] == texts
    assert index.compare("What would you do with 1000 old shoes?").kind == "near copy"


def test_texts_without_content_are_not_indexed() -> None:
    index = ShortTextIndex(["", "  \n", "<|endoftext|>", "one"])
    assert len(index) == 1
    assert index.compare("").similarity == 0.0


def test_texts_of_more_than_twice_the_length_of_a_short_one_are_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similarity, "MAX_SHORT_TEXT", 10)
    index = ShortTextIndex(["a" * 20, "a" * 21])
    assert index.compare("a" * 20).kind == "copy"
    assert index.compare("a" * 21) == Match("novel", "", 0.0)


def test_a_similarity_of_exactly_the_bound_makes_a_near_copy() -> None:
    # Six different trigrams: " ab", "abc", "bcd", "cd ", "d a", "ab ". The first four are shared.
    assert ShortTextIndex(["abcd ab"]).compare("abcd") == Match("near copy", "abcd ab", 0.8)


# --- Long texts


def test_half_of_the_shingles_make_a_near_copy() -> None:
    index = LongTextIndex([STORY])
    words = STORY.split()[:20]  # 13 shingles; a wrong word changes the shingles around it
    changed = index.compare(" ".join([*words[:17], "never", *words[18:]]))
    assert changed == Match("near copy", " ".join(words[:17]), 10 / 13)
    mixed = index.compare(" ".join([*words[:9], "never", *words[10:]]))
    assert mixed == Match("novel", " ".join(words[10:]).rstrip("."), 5 / 13)
    assert index.compare("A completely different text about something else.").similarity == 0.0


def test_a_passage_does_not_cross_from_one_text_into_the_next() -> None:
    index = LongTextIndex(["one two three four five six", "seven eight nine ten"])
    assert index.compare("four five six seven eight").kind == "novel"
    assert index.compare("two three four five six").kind == "copy"


def test_shingles_cross_the_chunks_of_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_CHUNK", 30)
    words = STORY.split()
    match = LongTextIndex([STORY]).compare(" ".join([*words, "and", "more"]))
    assert match.similarity == pytest.approx((len(words) - 7) / (len(words) - 5))


def test_characters_of_scripts_without_spaces_count_as_words() -> None:
    text = "我们今天去公园散步，天气很好，大家都很高兴。"
    match = LongTextIndex([text]).compare("他说：我们今天去公园散步，天气很好。")
    assert match.kind == "near copy"
    assert match.nearest == "我们今天去公园散步，天气很好"


def test_an_empty_index_finds_nothing() -> None:
    assert LongTextIndex([]).compare(STORY) == Match("novel", "", 0.0)
    assert ShortTextIndex([]).compare("Why?") == Match("novel", "", 0.0)
