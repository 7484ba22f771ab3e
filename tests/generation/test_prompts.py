"""Prompt prefixes and example prompts."""

from __future__ import annotations

import pytest

from gpt2_helpers.generation.prompts import (
    encode_prompt,
    example_prompts,
    split_prompt,
    starts_with_marker,
)
from toy import toy_tokenizer


@pytest.mark.parametrize(
    ("prompt", "prefix", "expected"),
    [
        ("", "<|startoftext|>", ("<|startoftext|>", "")),
        ("What", "<|startoftext|>", ("<|startoftext|>What", "What")),
        ("<|startoftext|>What", "<|startoftext|>", ("<|startoftext|>What", "What")),
        ("<|startoftext|>What", "", ("<|startoftext|>What", "<|startoftext|>What")),
        ("The cat", "The ", ("The The cat", "The cat")),
    ],
)
def test_a_prompt_prefix_is_not_shown_and_a_marker_not_repeated(
    prompt: str, prefix: str, expected: tuple[str, str]
) -> None:
    assert split_prompt(prompt, prefix) == expected


def test_the_rows_of_a_table_start_with_a_marker() -> None:
    assert starts_with_marker("\n<|startoftext|>One<|endoftext|>\n")
    assert not starts_with_marker("One <|startoftext|>")


def test_examples_are_the_most_common_openings() -> None:
    rows = [
        *("If you could eat only one thing", "What is the best way to sleep?"),
        *("If you could fly, what would you do?", "A title of four"),
    ]
    text = "".join(f"<|startoftext|>{row}<|endoftext|>\n" for row in rows)
    assert example_prompts(text) == ("If you could", "What is the")
    assert example_prompts(text, count=1) == ("If you could",)


@pytest.mark.parametrize("text", ["", "one", "word " * 2, "\n\n", "x" * 100 + " b c d e f g"])
def test_a_text_without_paragraphs_has_no_examples(text: str) -> None:
    assert example_prompts(text) == ()


def test_examples_of_prompts_are_prompts() -> None:
    pair = "<|startoftext|>{}\n<|completion|>\nWhat is the best way to sleep?<|endoftext|>\n"
    text = "cut off\n<|completion|>\nx<|endoftext|>\n" + "".join(
        pair.format(prompt) for prompt in ("fox", "sea, barn", "fox", "long " * 50)
    )
    assert example_prompts(text, has_prompts=True) == ("fox", "sea, barn")


def test_a_prompt_with_a_suffix_is_hidden() -> None:
    tokenizer = toy_tokenizer()
    plain = encode_prompt(tokenizer, "What", "<|startoftext|>", "")
    assert plain.ids == tokenizer.encode("<|startoftext|>What", True)
    assert (plain.text, plain.hidden) == ("What", len(tokenizer.encode("<|startoftext|>")))
    pair = encode_prompt(tokenizer, "<|startoftext|>What\n", "<|startoftext|>", "!!")
    assert pair.ids == tokenizer.encode("<|startoftext|>What!!", True)
    assert (pair.text, pair.hidden) == ("What\n", len(pair.ids))
