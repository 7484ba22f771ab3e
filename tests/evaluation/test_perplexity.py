"""Bits per byte, compared with predicting each token on its own."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.model_files import save_model
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.evaluation.perplexity import bits_per_byte, measure
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import Tokenizer
from toy import toy_model, toy_tokenizer

# More tokens than the toy model's context, and characters of several bytes.
LONG = "What is the best thing that people would ever have to start? Ça va, the café 😀 and you."
SHORT = "the end."


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return toy_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> GPT2:
    return toy_model(ModelConfig(tokenizer.n_vocab, n_ctx=12, n_embd=16, n_head=2, n_layer=2))


def reference(model: GPT2, ids: list[int], text: str, contexts: list[int]) -> float:
    """Bits per byte, predicting each token alone from `contexts[position]` tokens before it."""
    bits = 0.0
    for position in range(1, len(ids)):
        before = ids[position - contexts[position] : position]
        logits = np.asarray(model.logits([before]))[0, -1].astype(np.float64)
        weights = np.exp(logits - logits.max())
        bits -= np.log2(weights[ids[position]] / weights.sum())
    return float(bits) / len(text.encode("utf-8"))


@pytest.mark.parametrize("text", [SHORT, LONG, "é", "a"])
def test_stride_one_gives_each_token_the_full_context(
    model: GPT2, tokenizer: Tokenizer, text: str
) -> None:
    ids = [tokenizer.end_of_text, *tokenizer.encode(text)]
    n_ctx = model.config.n_ctx
    assert (len(ids) > 3 * n_ctx) == (text == LONG)
    contexts = [min(position, n_ctx) for position in range(len(ids))]
    expected = reference(model, ids, text, contexts)
    assert bits_per_byte(model, tokenizer, text, stride=1) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("stride", [None, 1, 5, 6, 12])
def test_context_depends_on_the_stride(
    model: GPT2, tokenizer: Tokenizer, stride: int | None
) -> None:
    ids = [tokenizer.end_of_text, *tokenizer.encode(LONG)]
    n_ctx = model.config.n_ctx
    # The first n_ctx tokens see all before them; then each stride ends with a full context.
    contexts = list(range(n_ctx + 1))
    while len(contexts) < len(ids):
        count = min(stride or n_ctx // 2, len(ids) - len(contexts))
        contexts += range(n_ctx - count + 1, n_ctx + 1)
    expected = reference(model, ids, LONG, contexts)
    assert bits_per_byte(model, tokenizer, LONG, stride) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("stride", [None, 7, 12])
@pytest.mark.parametrize("length", [1, 12, 13, 24, 31])
def test_each_token_is_predicted_once_at_every_length(
    model: GPT2, tokenizer: Tokenizer, length: int, stride: int | None
) -> None:
    """With uniform probabilities, the bits count the predictions."""
    weights = {name: np.zeros(variable.shape) for name, variable in model.variables.items()}
    uniform = GPT2(model.config, weights)
    text = "z" * length  # one token per character
    expected = math.log2(tokenizer.n_vocab)
    assert bits_per_byte(uniform, tokenizer, text, stride) == pytest.approx(expected)


def test_bytes_are_counted_instead_of_characters(model: GPT2, tokenizer: Tokenizer) -> None:
    weights = {name: np.zeros(variable.shape) for name, variable in model.variables.items()}
    uniform = GPT2(model.config, weights)
    per_token = math.log2(tokenizer.n_vocab)
    assert len(tokenizer.encode("😀")) == 4
    assert bits_per_byte(uniform, tokenizer, "😀") == pytest.approx(per_token)
    assert len(tokenizer.encode(" people")) == 1
    assert bits_per_byte(uniform, tokenizer, " people") == pytest.approx(per_token / 7)


def test_empty_text_is_rejected(model: GPT2, tokenizer: Tokenizer) -> None:
    with pytest.raises(DatasetError, match="empty text"):
        bits_per_byte(model, tokenizer, "")


@pytest.mark.parametrize(
    ("stride", "message"), [(0, "at least 1, got 0"), (13, "the window of 12 tokens, got 13")]
)
def test_stride_outside_the_context_is_rejected(
    model: GPT2, tokenizer: Tokenizer, stride: int, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        bits_per_byte(model, tokenizer, "some text", stride)


def test_measure_loads_the_model_and_its_tokenizer(
    model: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    save_model(model, tmp_path)
    tokenizer.save(tmp_path)
    assert measure(tmp_path, SHORT) == pytest.approx(bits_per_byte(model, tokenizer, SHORT))
