"""Searching tokens by their bytes, against a scan of the vocabulary."""

from __future__ import annotations

import pytest

from gpt2_helpers.generation.token_table import token_table
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()
TABLE = token_table(TOKENIZER)


@pytest.mark.parametrize("text", [b" ", b"t", b" the", b"th", b"\xff", b"nothing", b"|>"])
def test_tokens_are_found_by_their_bytes(text: bytes) -> None:
    tokens = [b"" if n == TOKENIZER.end_of_text else t for n, t in enumerate(TOKENIZER.tokens)]
    starting = {n for n, token in enumerate(tokens) if token.startswith(text)}
    assert set(TABLE.starting_with(text).tolist()) == starting
    containing = {n for n, token in enumerate(tokens) if text in token}
    assert set(TABLE.containing(text).tolist()) == containing


def test_the_table_of_a_tokenizer_is_made_once() -> None:
    assert token_table(TOKENIZER) is TABLE
    assert token_table(toy_tokenizer()) is not TABLE
    assert all(TABLE.tokens[index] == token for token, index in TABLE.ids.items())
