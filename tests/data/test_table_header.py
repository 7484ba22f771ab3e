"""The detection of a header in the first row of a table."""

from __future__ import annotations

import pytest

from gpt2_helpers.data.table_header import looks_like_header

SENTENCES = [["What is it?"], ["Who ate the last of my biscuits?"], ["Why?"]]


@pytest.mark.parametrize(
    ("first", "below", "expected"),
    [
        (["title"], SENTENCES, True),
        (["Title"], SENTENCES, True),
        ([" Tweet text "], SENTENCES, True),
        (["title"], [], True),
        (["pokemon_name"], [["Bulbasaur"], ["Mr. Mime"]], True),
        (["limerick"], SENTENCES, True),
        (["заголовок"], [["Все счастливые семьи."], ["Дети бегали."]], True),
        (["id", "title", "score"], [["1", "What?", "12"]], True),
        (["Rating", "Review body"], [["4", "Good enough, I suppose."]], True),
        (["Unnamed: 0", "Jokes"], [["0", "A man walks into a bar."]], True),
        (["", "lines"], [["0", "A man walks into a bar."]], True),
        (["Who invented toast?"], SENTENCES, False),
        (["Tell me a joke"], SENTENCES, False),
        (["Love story"], SENTENCES, False),
        (["Help"], SENTENCES, False),
        (["red"], [["green"], ["blue"], ["light grey"]], False),
        (["1"], [["2"], ["3"]], False),
        (["1", "What is it?"], [["2", "Who was that?"]], False),
        (["text", "text"], [["one", "two"]], False),
        (["A long first line of a poem without a header"], SENTENCES, False),
        # At most four words and 40 characters:
        (["title text title text"], SENTENCES, True),
        (["title text title text title"], SENTENCES, False),
        (["n" * 40], SENTENCES, True),
        (["n" * 41], SENTENCES, False),
        # An identifier is a name if most, not half, of the cells below are none:
        (["limerick"], [["There was an old man"], ["sonnet"]], False),
        (["limerick"], [["There was an old man"], ["sonnet"], ["Why?"]], True),
        # Any other name needs numbers in all cells below that are not empty, and at least one:
        (["Stars"], [["4"], [" "], ["5"]], True),
        (["Stars"], [["4"], ["five"]], False),
        (["Stars"], [["four"], ["5"]], False),
        (["Stars"], [[""]], False),
        (["Stars"], [], False),
        (["Place", "Stars"], [["Rome"], ["Oslo", "5"]], True),  # the first row below is too short
        # All cells must be names:
        (["title", "What is it?"], [["a", "b"]], False),
        ([""], SENTENCES, False),
        ([" ", ""], SENTENCES, False),
    ],
)
def test_headers_are_distinguished_from_texts(
    first: list[str], below: list[list[str]], expected: bool
) -> None:
    assert looks_like_header(first, below) is expected
