"""Keys and values of the tokens so far, row by row, and attention over them in NumPy.

A row's numbers do not depend on those beside it, not in their last bit either: odds are summed in
blocks of one size.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.system.threads import parallel_for
from gpt2_helpers.types import Floats

# Attention looks at a multiple of so many keys, those not yet written masked. Most of its time goes
# into reading them out of memory, so that fewer to a block are better than more.
KEYS_AT_ONCE = 8
WORTH_THREADS = 1_000_000  # products of an attention that are worth a second thread
UNSEEN = np.float32(-1e9)


class KeyValueCache:
    """Room for `capacity` tokens in each of `batch_size` rows.

    Memory is taken as rows grow: what the system hands out as zeros is not there until then. Zeros
    they must be, since no odds make nothing of what is no number.
    """

    def __init__(self, config: ModelConfig, batch_size: int, capacity: int) -> None:
        capacity = _in_blocks(capacity)
        # Keys and values: (layer, 2, row, head, slot, head_dim)
        shape = (config.n_layer, 2, batch_size, config.n_head, capacity, config.head_dim)
        self._numbers = np.zeros(shape, np.float32)

    def keep(self, layer: int, rows: NDArray[Any], positions: NDArray[Any], fresh: Floats) -> None:
        """Keys and values `fresh` (n, 2, head, head_dim) of n tokens, which stand in `rows` (n) at
        `positions` (n)."""
        self._numbers[layer][:, rows, :, positions] = fresh

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Let row `target` begin with the first `tokens` of row `source`."""
        self._numbers[:, :, target, :, :tokens] = self._numbers[:, :, source, :, :tokens]

    def attend(self, layer: int, rows: slice, query: Floats, unseen: Floats) -> Floats:
        """query (row, head, time, head_dim) of `rows` over their first keys -> the same shape.

        `unseen` (row * head, time, used) is as `unseen_after` makes it, and tells by its size how
        many keys there are to look at.
        """
        *_, time, head_dim = query.shape
        used = unseen.shape[-1]
        # A row and a head in one, so that threads share them evenly: (row * head, used, head_dim)
        keys, values = (
            part[rows].reshape(-1, *part.shape[2:])[:, :used] for part in self._numbers[layer]
        )
        scaled = (query * np.float32(head_dim**-0.5)).reshape(-1, time, head_dim)
        mixed = np.empty_like(scaled)

        def attend(part: slice) -> None:
            mixed[part] = _attended(scaled[part], keys[part], values[part], unseen[part])

        parallel_for(attend, len(scaled), scaled.size * used >= WORTH_THREADS)
        return mixed.reshape(query.shape)


def unseen_after(positions: NDArray[Any]) -> Floats:
    """For tokens at `positions` (...), each of which sees those before it and itself: 0 for a key
    that may be seen, else `UNSEEN` (..., used)."""
    used = _in_blocks(int(positions.max()) + 1)
    return np.where(np.arange(used) > positions[..., None], UNSEEN, np.float32(0))


def _attended(query: Floats, keys: Floats, values: Floats, unseen: Floats) -> Floats:
    """Attention of query (n, time, head_dim) over keys and values (n, used, head_dim)."""
    odds = np.matmul(query, keys.swapaxes(1, 2))
    odds += unseen  # (n, time, used)
    odds -= odds.max(axis=-1, keepdims=True)
    np.exp(odds, out=odds)
    mixed = np.matmul(odds, values)
    # Block by block, so that the order does not depend on how many zeros follow.
    blocks = odds.reshape(*odds.shape[:2], -1, KEYS_AT_ONCE)
    mixed /= np.add.reduce(blocks.transpose(2, 0, 1, 3)).sum(axis=-1, keepdims=True)
    return mixed


def _in_blocks(tokens: int) -> int:
    """So many tokens, rounded up to what attention looks at."""
    return math.ceil(tokens / KEYS_AT_ONCE) * KEYS_AT_ONCE
