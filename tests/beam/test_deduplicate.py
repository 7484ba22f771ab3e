"""Copies of documents, found by Beam transforms."""

from __future__ import annotations

import random

import pytest

from beam_pipelines import collect
from gpt2_helpers.data.deduplicate import Deduplicator
from gpt2_helpers.tokenizer import END_OF_TEXT

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam.deduplicate import FindCopies, resolve, sign  # noqa: E402


def texts_with_copies() -> list[str]:
    """Texts of 60 words, some of which are copies or near copies of earlier ones."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(500)]
    texts: list[str] = []
    for number in range(120):
        text = " ".join(chance.choices(words, k=60))
        if number and number % 3 == 0:
            text = chance.choice(texts)
            if number % 2:
                place = chance.randrange(50) * 4
                text = text[:place] + "changed " + text[place:]
            else:
                text = f" {text.upper()}  "
        texts.append(text)
    return texts


def test_the_same_copies_are_found_as_in_one_process() -> None:
    texts = texts_with_copies()
    kept = "".join(Deduplicator().filter([END_OF_TEXT.join(texts)])).split(END_OF_TEXT)
    documents = [sign((0, number), text) for number, text in enumerate(texts)]
    random.Random(2).shuffle(documents)
    found = collect(lambda p: p | beam.Create(documents) | FindCopies())
    assert len(found) == len(set(found)) > 30
    left = [text for number, text in enumerate(texts) if (0, number) not in found]
    # The last document of a text has no end, and it may have been left out.
    assert left == [text for text in kept if text]


def test_blank_documents_are_no_copies() -> None:
    assert sign((0, 1), "\n ") is None


def test_a_document_that_is_similar_only_to_a_copy_is_kept() -> None:
    pairs = [((0, 5), (1, 0)), ((0, 1), (0, 5)), ((1, 0), (1, 2)), ((0, 1), (1, 2))]
    assert [*resolve(pairs)] == [(0, 5), (1, 2)]
