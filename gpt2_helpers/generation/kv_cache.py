"""Keys and values of the tokens so far, and the attention of a decode step over them in NumPy.

A row's results do not depend on the other rows, not even in the last bit: attention weights are
always summed in blocks of one size.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.generation import prompt_attention
from gpt2_helpers.system.threads import parallel_for
from gpt2_helpers.types import Floats

# Attention reads keys up to a multiple of this number, those not yet stored masked. It is bound by
# memory bandwidth, so small blocks are better than large ones.
KEY_BLOCK = 8
MIN_PARALLEL_PRODUCTS = 1_000_000  # of an attention that a second thread makes faster
MASKED = np.float32(-1e9)


class KeyValueCache:
    """Room for the keys and values of `capacity` tokens in each of `batch_size` rows.

    Memory is used only as rows grow, since the system provides zeroed pages on first access. The
    unused part must be zeros: masked values are multiplied by 0, and NaN times 0 is NaN.
    """

    def __init__(self, config: ModelConfig, batch_size: int, capacity: int) -> None:
        self.batch_size, self.capacity = batch_size, capacity
        capacity = _round_up(capacity, math.lcm(KEY_BLOCK, prompt_attention.KEY_BLOCK))
        # (layer, key or value, row, head, token, head_dim)
        shape = (config.n_layer, 2, batch_size, config.n_head, capacity, config.head_dim)
        self._cache = np.zeros(shape, np.float32)

    def store(
        self, layer: int, rows: NDArray[Any], positions: NDArray[Any], keys_values: Floats
    ) -> None:
        """Store the keys and values (n, 2, head, head_dim) of n tokens, which are in `rows` (n) at
        `positions` (n)."""
        self._cache[layer][:, rows, :, positions] = keys_values

    def row(self, row: int) -> Floats:
        """The keys and values of a row, not copied: (layer, 2, head, token, head_dim)."""
        return self._cache[:, :, row]

    def read(self, layer: int, rows: slice, tokens: int) -> tuple[Floats, Floats]:
        """The keys and the values of the first `tokens` in `rows`, not copied: (row * head, tokens,
        head_dim) each, so that threads can share rows and heads evenly."""
        keys, values = (
            part[rows].reshape(-1, *part.shape[2:])[:, :tokens] for part in self._cache[layer]
        )
        return keys, values

    def attend(self, layer: int, query: Floats, mask: Floats) -> Floats:
        """Attention of a token in each of the first rows, query (row, head, head_dim), over the
        keys in its row -> the same shape.

        `mask` (row * head, 1, keys) is made by `additive_mask`. Its size is the number of keys to
        read.
        """
        batch, _, head_dim = query.shape
        n_keys = mask.shape[-1]
        keys, values = self.read(layer, slice(batch), n_keys)
        # (row * head, 1, head_dim)
        scaled = (query * np.float32(head_dim**-0.5)).reshape(-1, 1, head_dim)
        output = np.empty_like(scaled)

        def attend(part: slice) -> None:
            output[part] = _attention(scaled[part], keys[part], values[part], mask[part])

        parallel_for(attend, len(scaled), scaled.size * n_keys >= MIN_PARALLEL_PRODUCTS)
        return output.reshape(query.shape)


def additive_mask(positions: NDArray[Any], block: int = KEY_BLOCK) -> Floats:
    """The causal mask of tokens at `positions` (...), to be added to their scores (..., keys): 0
    for keys up to the token's own, `MASKED` for later ones up to a multiple of `block`."""
    n_keys = _round_up(int(positions.max()) + 1, block)
    return np.where(np.arange(n_keys) > positions[..., None], MASKED, np.float32(0))


def _attention(query: Floats, keys: Floats, values: Floats, mask: Floats) -> Floats:
    """query (n, time, head_dim), keys and values (n, keys, head_dim) -> (n, time, head_dim)."""
    weights = np.matmul(query, keys.swapaxes(1, 2))  # (n, time, keys)
    weights += mask
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    output = np.matmul(weights, values)
    # Summed block by block, so that the order does not depend on the number of masked keys.
    blocks = weights.reshape(*weights.shape[:2], -1, KEY_BLOCK)
    output /= np.add.reduce(blocks.transpose(2, 0, 1, 3)).sum(axis=-1, keepdims=True)
    return output


def _round_up(tokens: int, block: int) -> int:
    """The next multiple of `block`."""
    return math.ceil(tokens / block) * block
