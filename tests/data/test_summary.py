"""What is said of a dataset's documents before training."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.data import summary
from gpt2_helpers.data.summary import summarize
from gpt2_helpers.tokenizer import Tokenizer
from toy import toy_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return toy_tokenizer()


def lines_of(text: str, tokenizer: Tokenizer, end_of_text: bool = True) -> list[str]:
    tokens = np.array(tokenizer.encode(text, end_of_text), np.uint16)
    return summarize(tokens, tokenizer, tokenizer.end_of_text if end_of_text else None)


def test_rows_of_a_table(tokenizer: Tokenizer) -> None:
    rows = ["the and", "is that", "of", "to", "in you"]
    text = "".join(f"<|startoftext|>{row}<|endoftext|>\n" for row in rows)
    lines = lines_of(text, tokenizer)
    assert lines[0].startswith("the longest documents have ")
    assert lines[1:] == [
        "example: <|startoftext|>the and<|endoftext|>",
        "example: <|startoftext|>of<|endoftext|>",
        "example: <|startoftext|>in you<|endoftext|>",
    ]


def test_lengths_count_the_end_of_text(tokenizer: Tokenizer) -> None:
    lines = lines_of("abcd<|endoftext|>abc<|endoftext|>ab<|endoftext|>a", tokenizer)
    assert lines[0] == "the longest documents have 5, 4 and 3 tokens"


def test_a_book_is_one_document_with_its_start_as_example(tokenizer: Tokenizer) -> None:
    lines = lines_of("x\ny" * 200, tokenizer)
    start = "x\\ny" * 33 + "x"
    assert lines == [f"example: {start} ..."]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a<|endoftext|>b<|endoftext|>a<|endoftext|>a", "2 of the 4 documents are copies"),
        ("a<|endoftext|>b<|endoftext|>a", "1 of the 3 documents is a copy"),
        ("a<|endoftext|>b<|endoftext|>c", None),
    ],
)
def test_copies_are_counted(tokenizer: Tokenizer, text: str, line: str | None) -> None:
    found = [found for found in lines_of(text, tokenizer) if "cop" in found]
    assert found == (
        [f"{line} of an earlier one: deduplicate=True leaves copies out"] if line else []
    )


def test_only_so_many_documents_are_compared(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "_MAX_COMPARED", 3)
    lines = lines_of("a<|endoftext|>" * 5, tokenizer)
    assert lines[1].startswith("2 of the 3 first documents are copies of an earlier one")


def test_without_ends_there_is_one_example(tokenizer: Tokenizer) -> None:
    (line,) = lines_of("a<|endoftext|>b", tokenizer, end_of_text=False)
    assert line == "example: a<|endoftext|>b"
