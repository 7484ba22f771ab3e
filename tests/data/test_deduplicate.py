"""Leaving out copies: exact and near ones, in any chunks, with bounded memory."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpt2_helpers.data import deduplicate as module
from gpt2_helpers.data.deduplicate import Deduplicator, describe_duplicates
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

STORY = """\
The keeper of the weather had a ledger, and in it he wrote the rain. On Mondays he gave it to the
farmers, who wanted it, and on Sundays to the people at the shore, who did not. Nobody in the town
had ever seen him write. They saw the lamp in his window and heard, when the wind was from the
harbour, the scratching of a pen; and in the morning the streets were wet or they were dry. One
evening in March a girl from Ropewalk climbed the hundred steps to ask him for a single day without
clouds, because her brother was coming home, and he looked at her for a long time before he turned
the page.
"""
OTHER = """\
Margit had sold clocks for thirty years, and every one of them was wrong. It was a matter of pride.
A clock that is right, she told the customers, has nothing more to say to you, but one that is four
minutes slow needs a person in the house. Abel came in on Thursdays to wind what had stopped, and to
tell her what the ships had brought, and which of the captains had asked about her this time.
"""


@pytest.fixture
def near() -> None:
    pytest.importorskip("datasketch", reason="needs the package datasketch")


def kept(documents: list[str], size: int | None = None) -> tuple[list[str], Deduplicator]:
    """The documents that are kept of a stream in chunks of `size` characters."""
    text = "".join(document + END_OF_TEXT for document in documents)
    chunks = [text] if size is None else [text[i : i + size] for i in range(0, len(text), size)]
    duplicates = Deduplicator()
    result = "".join(duplicates.filter(chunks)).split(END_OF_TEXT)
    assert result[-1] == ""
    assert len(documents) == len(result) - 1 + duplicates.copies + duplicates.near_copies
    return result[:-1], duplicates


# -- Exact copies ------------------------------------------------------------------------------


def test_the_first_of_equal_documents_is_kept() -> None:
    assert kept(["one", "two", "one", "three", "two", "one"])[0] == ["one", "two", "three"]


@pytest.mark.parametrize(
    "copy",
    [
        "Where IS the lamp?",
        "  where is\n\tthe   lamp?\n",
        f"\n{START_OF_TEXT}Where is the lamp?",
        "Where\u00a0is\u2003the lamp?",
    ],
)
def test_case_and_white_space_do_not_matter(copy: str) -> None:
    documents, duplicates = kept(["Where is the lamp?", copy, "Where is thelamp?"])
    assert documents == ["Where is the lamp?", "Where is thelamp?"]
    assert duplicates.copies == 1


def test_case_is_folded_in_all_languages() -> None:
    assert kept(["Straße", "STRASSE", "Ёжик", "ёжик"])[0] == ["Straße", "Ёжик"]


def test_empty_documents_are_not_copies() -> None:
    documents = ["", " ", "\n", "one", "", f"\n{START_OF_TEXT}"]
    assert kept(documents)[0] == documents


def test_the_last_document_may_have_no_end() -> None:
    duplicates = Deduplicator()
    text = f"one{END_OF_TEXT}two{END_OF_TEXT}"
    assert "".join(duplicates.filter([f"{text}one"])) == text
    assert "".join(duplicates.filter(["three"])) == "three"  # the memory is kept between streams
    assert "".join(duplicates.filter([f"two{END_OF_TEXT}THREE"])) == ""
    assert duplicates.copies == 3
    assert "".join(duplicates.filter([])) == ""


documents = st.lists(
    st.text("ab \n<|>", max_size=6) | st.sampled_from(["one", "<|endof", "text|>"]), max_size=12
)


@given(documents=documents, size=st.integers(1, 30))
def test_the_chunks_do_not_matter(documents: list[str], size: int) -> None:
    text = "".join(document + END_OF_TEXT for document in documents)
    expected: dict[str, str] = {}
    for number, document in enumerate(text.split(END_OF_TEXT)[:-1]):
        words = " ".join(document.split())
        expected.setdefault(words or f"empty {number}", document)
    assert kept(text.split(END_OF_TEXT)[:-1], size)[0] == list(expected.values())


def test_long_documents_wait_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    long = " ".join(f"word{number}\r\n\u2028\ud800" for number in range(5000))
    monkeypatch.setattr(module, "_HELD_BYTES", 1000)
    assert kept([long, "one", long, long + " more"], size=100)[0][:2] == [long, "one"]


def test_a_word_without_end_is_not_held() -> None:
    word = "x" * 1_000_000
    assert kept([word, "one", word], size=10_000)[0] == [word, "one"]


# -- Near copies -------------------------------------------------------------------------------


@pytest.mark.usefixtures("near")
def test_near_copies_are_left_out() -> None:
    corrected = STORY.replace("ledger", "notebook")
    shortened = STORY.rpartition(", and he looked")[0] + "."
    framed = f"From the collection: {STORY} (1889)"
    documents, duplicates = kept([STORY, OTHER, corrected, framed, STORY.upper(), shortened])
    assert documents[:2] == [STORY, OTHER]
    assert len(documents) <= 3  # the shortened one is a case for debate
    assert duplicates.copies == 1
    assert duplicates.near_copies >= 2


@pytest.mark.usefixtures("near")
def test_documents_that_share_half_of_their_text_are_kept() -> None:
    first, second = STORY.split(". ", 3)[:2], STORY.split(". ", 3)[2:]
    different = [". ".join(first) + OTHER, ". ".join(second) + OTHER, STORY, OTHER]
    assert kept(different)[0] == different


@pytest.mark.usefixtures("near")
def test_short_documents_that_differ_in_a_word_are_kept() -> None:
    titles = [f"What is the best {thing} that you have ever seen?" for thing in ("film", "play")]
    assert kept([*titles, "one two", "one", "two"])[0] == [*titles, "one two", "one", "two"]


@pytest.mark.usefixtures("near")
def test_most_near_copies_and_nothing_else_are_found_among_many() -> None:
    order = random.Random(1)
    words = [f"word{number}" for number in range(3000)]
    texts = [order.choices(words, k=200) for _ in range(300)]
    copies = []
    for text in texts[:100]:
        changed = text.copy()
        changed[order.randrange(200)] = "changed"
        copies.append(" ".join(changed))
    _, duplicates = kept([*map(" ".join, texts), *copies])
    assert duplicates.near_copies >= 99
    assert duplicates.copies == 0


def test_without_datasketch_only_exact_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    documents, duplicates = kept([STORY, STORY.replace("rain", "snow"), STORY])
    assert len(documents) == 2
    assert not duplicates.finds_near_copies
    assert describe_duplicates(duplicates) == (
        'left out 1 copy of earlier documents (near copies need pip install "gpt2-helpers[data]")'
    )


@pytest.mark.usefixtures("near")
def test_what_was_left_out_is_described() -> None:
    duplicates = Deduplicator()
    duplicates.copies, duplicates.near_copies = 1200, 1
    assert describe_duplicates(duplicates) == (
        "left out 1,200 copies of earlier documents, and 1 near copy"
    )


# -- Memory ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("near")
def test_only_the_latest_documents_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EXACT_LIMIT", 10)
    monkeypatch.setattr(module, "_NEAR_LIMIT", 10)
    duplicates = Deduplicator()

    def stream(numbers: range) -> Iterator[str]:
        for number in numbers:
            yield f"a text of its own, number {number}{END_OF_TEXT}"

    list(duplicates.filter(stream(range(105))))
    assert sum(map(len, duplicates._exact)) <= 20
    assert sum(generation.count for generation in duplicates._near) <= 20
    list(duplicates.filter(stream(range(95, 105))))
    assert duplicates.copies == 10
    list(duplicates.filter(stream(range(5))))
    assert duplicates.copies == 10


@pytest.mark.usefixtures("near")
def test_documents_with_the_same_template_are_compared_with_few_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each would be compared with all earlier ones, so that the time would grow with the square."""
    monkeypatch.setattr(module, "MAX_CANDIDATES", 5)
    compared: list[int] = []
    are_similar = module.are_similar

    def counting(some: NDArray[np.uint32], other: NDArray[np.uint32]) -> bool:
        compared.append(len(some))
        return are_similar(some, other)

    monkeypatch.setattr(module, "are_similar", counting)
    source = random.Random(1)
    template = " ".join(f"word{number}" for number in range(30))
    words = [f"other{number}" for number in range(1000)]
    rows = [f"{template} {' '.join(source.sample(words, 8))}" for _ in range(200)]
    near = [f"{row} end" for row in rows[150:]]
    duplicates = Deduplicator()
    left = "".join(duplicates.filter(f"{row}<|endoftext|>" for row in [*rows, *near]))
    assert max(compared) <= 5 * 10  # of the bands
    assert sum(left.count(row) for row in rows) > 190
    assert duplicates.near_copies > 45  # of 50, although they are not among the first
