"""The KV cache: attention over stored keys against attention in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.generation import kv_cache
from gpt2_helpers.generation.kv_cache import KEY_BLOCK, MASKED, KeyValueCache, additive_mask
from gpt2_helpers.types import Floats

CONFIG = ModelConfig(n_vocab=8, n_ctx=40, n_embd=12, n_head=3, n_layer=2)
RANDOM = np.random.default_rng(1)


def normal(*shape: int) -> Floats:
    return RANDOM.standard_normal(shape, np.float32)


def test_the_mask_allows_keys_up_to_the_tokens_own_position() -> None:
    mask = additive_mask(np.array([0, KEY_BLOCK]))
    assert mask.shape == (2, 2 * KEY_BLOCK)  # whole blocks of keys
    assert (mask == 0).sum(axis=-1).tolist() == [1, KEY_BLOCK + 1]
    assert set(mask.ravel()) == {np.float32(0), MASKED}


@pytest.mark.parametrize("min_parallel", [1, 10**9])
def test_attention_over_the_cache_is_softmax_attention(
    monkeypatch: pytest.MonkeyPatch, min_parallel: int
) -> None:
    monkeypatch.setattr(kv_cache, "MIN_PARALLEL_PRODUCTS", min_parallel)
    tokens = KEY_BLOCK + 3
    cache = KeyValueCache(CONFIG, batch_size=3, capacity=CONFIG.n_ctx)
    keys_values = normal(tokens, 2, 3, 4)
    positions = np.arange(tokens)
    cache.store(1, np.ones(tokens, int), positions, keys_values)
    query = normal(2, 3, 4)
    mask = np.repeat(additive_mask(np.array([[0], [tokens - 2]])), 3, axis=0)
    output = cache.attend(1, query, mask)[1]
    keys, values = keys_values[:-1].transpose(1, 2, 0, 3)  # (head, time, head_dim) each
    scores = query[1][:, None] @ keys.swapaxes(1, 2) / 2  # by the square root of head_dim
    weights = np.exp(scores)
    expected = weights @ values / weights.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(output, expected[:, 0], rtol=0, atol=1e-5)


def test_a_copied_row_has_the_same_keys_and_values() -> None:
    cache = KeyValueCache(CONFIG, batch_size=3, capacity=CONFIG.n_ctx)
    for layer in range(CONFIG.n_layer):
        cache.store(layer, np.zeros(5, int), np.arange(5), normal(5, 2, 3, 4))
    cache.row(2)[..., :5, :] = cache.row(0)[..., :5, :]
    mask = np.repeat(additive_mask(np.array([[4], [4], [4]])), 3, axis=0)
    query = np.repeat(normal(1, 3, 4), 3, axis=0)
    first, empty, copied = cache.attend(1, query, mask)
    np.testing.assert_array_equal(first, copied)
    assert not empty.any()
