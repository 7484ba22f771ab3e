"""Attention of prompts against the same computation in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.generation.kv_cache import additive_mask
from gpt2_helpers.generation.prompt_attention import KEY_BLOCK, PromptAttention
from gpt2_helpers.types import Floats

RANDOM = np.random.default_rng(1)
HEADS, HEAD_DIM, TOKENS = 3, 64, 5 * KEY_BLOCK
QUERY, KEYS, VALUES = RANDOM.standard_normal((3, HEADS, TOKENS, HEAD_DIM), np.float32)


@pytest.fixture(scope="module")
def attention() -> PromptAttention:
    return PromptAttention(HEAD_DIM, threads=2)


def attend(attention: PromptAttention, start: int, stop: int) -> Floats:
    """Attention of the tokens from `start` to `stop` -> (head, token, head_dim)."""
    mask = additive_mask(np.arange(start, stop), KEY_BLOCK)
    n_keys = mask.shape[-1]
    assert n_keys < stop + KEY_BLOCK
    return attention(QUERY[:, start:stop], KEYS[:, :n_keys], VALUES[:, :n_keys], mask)


def test_it_is_causal_softmax_attention(attention: PromptAttention) -> None:
    scores = QUERY @ KEYS.swapaxes(1, 2) / 8  # by the square root of head_dim
    weights = np.exp(np.where(np.tri(TOKENS, dtype=bool), scores, -np.inf))
    expected = weights @ VALUES / weights.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(attend(attention, 0, TOKENS), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (0, 7), (63, 64), (63, 66), (64, 65), (100, 230), (319, 320)]
)
def test_a_token_is_the_same_to_the_last_bit_whichever_others_are_computed_with_it(
    attention: PromptAttention, start: int, stop: int
) -> None:
    together = attend(attention, 0, TOKENS)
    np.testing.assert_array_equal(attend(attention, start, stop), together[:, start:stop])
