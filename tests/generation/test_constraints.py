"""Choices and regular expressions: which tokens may follow, against a search for completions."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import regex

from gpt2_helpers.errors import MissingPackageError, OptionError
from gpt2_helpers.generation.constraints import Choices, Regex
from gpt2_helpers.generation.token_table import token_table
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()
TABLE = token_table(TOKENIZER)
LOGITS = np.random.default_rng(1).normal(0, 2, TOKENIZER.n_vocab + 3).astype(np.float32)


def allowed(processor: Choices | Regex) -> set[int]:
    """The ids that a processor keeps; their logits must be unchanged."""
    logits = LOGITS.copy()
    processor.apply(logits)
    kept = logits > -np.inf
    np.testing.assert_array_equal(logits[kept], LOGITS[kept])
    return set(np.flatnonzero(kept).tolist())


def random_text(processor: Choices | Regex, seed: int) -> bytes:
    """A text of random allowed tokens, until it ends."""
    random, text = np.random.default_rng(seed), b""
    while True:
        token = int(random.choice(sorted(allowed(processor))))
        if token == TOKENIZER.end_of_text:
            return text
        text += TOKENIZER.tokens[token]
        assert len(text) < 200
        processor.append(token)


CHOICES = ["yes", "no", " the", " the best", "日本", "yesterday"]


def test_choices_allow_every_token_that_continues_one() -> None:
    processor = Choices(CHOICES, TABLE)
    text = b""
    for token in TOKENIZER.encode(" the best"):
        expected = {
            index
            for index, added in enumerate(TABLE.tokens)
            if added and any(choice.encode().startswith(text + added) for choice in CHOICES)
        }
        if text.decode() in CHOICES:
            expected.add(TOKENIZER.end_of_text)
        assert allowed(processor) == expected
        text += TOKENIZER.tokens[token]
        processor.append(token)
    assert allowed(processor) == {TOKENIZER.end_of_text}


def test_every_choice_is_possible_and_nothing_else() -> None:
    texts = {random_text(Choices(CHOICES, TABLE), seed).decode() for seed in range(100)}
    assert texts == set(CHOICES)


@pytest.mark.parametrize("expression", [r"[0-9]{2}-[0-9]", r"( the| of)+\.", "a|aab", "(日|本)+"])
@pytest.mark.parametrize("seed", range(4))
def test_an_expression_allows_every_token_that_can_be_completed(expression: str, seed: int) -> None:
    pytest.importorskip("llguidance")
    processor, pattern = Regex(expression, TABLE), expression.encode()
    random, text = np.random.default_rng(seed), b""
    for _ in range(6):
        expected = {
            index
            for index, added in enumerate(TABLE.tokens)
            if added and regex.fullmatch(pattern, text + added, partial=True)
        }
        if regex.fullmatch(pattern, text):
            expected.add(TOKENIZER.end_of_text)
        found = allowed(processor)
        assert found == expected
        token = int(random.choice(sorted(found)))
        if token == TOKENIZER.end_of_text:
            break
        text += TOKENIZER.tokens[token]
        processor.append(token)


@pytest.mark.parametrize(
    "expression", [r"(yes|no)\.", r"[A-Z][a-z]{1,4}", r"日本|中国", r"\p{Lu}{2}", r"(?i)end"]
)
def test_texts_match_the_expression(expression: str) -> None:
    pytest.importorskip("llguidance")
    for seed in range(5):
        text = random_text(Regex(expression, TABLE), seed).decode()
        assert regex.fullmatch(expression, text), text


@pytest.mark.parametrize("expression", ["[", "(?=a)b", r"(a)\1", "a{2,1}", "\ud800"])
def test_an_invalid_expression_is_an_error_of_one_line(expression: str) -> None:
    pytest.importorskip("llguidance")
    with pytest.raises(OptionError, match="^regex .* cannot be used: ") as caught:
        Regex(expression, TABLE)
    assert "\n" not in str(caught.value)


def test_an_expression_that_would_take_seconds_to_compile_is_refused() -> None:
    pytest.importorskip("llguidance")
    words = "|".join(f"word{n}" for n in range(40_000))
    with pytest.raises(OptionError, match="cannot be used: .*too big"):
        Regex(words, TABLE)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingPackageError, match=r"gpt2-helpers\[constrained\]"):
        Regex("a", token_table(toy_tokenizer()))
