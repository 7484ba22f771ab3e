"""Token ids -> windows of ids to train on. NumPy only; the same seed and step, the same windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def window_length(n_tokens: int, n_ctx: int) -> int:
    """Ids in one training window: `n_ctx` to read and one more to predict, fewer in a short text.

    >>> window_length(100_000, 1024), window_length(60, 1024)
    (1025, 60)
    """
    return min(n_tokens, n_ctx + 1)


def random_windows(
    tokens: NDArray[np.integer], seed: int, step: int, batch_size: int, length: int
) -> NDArray[np.int32]:
    """The windows of one step: `batch_size` runs of `length` ids from random places in `tokens`.

    They depend on nothing but `seed` and `step`, so that resuming needs no saved position.

    >>> random_windows(np.arange(9), seed=1, step=5, batch_size=2, length=3).shape
    (2, 3)
    """
    random = np.random.Generator(np.random.Philox(key=[seed, step]))
    starts = random.integers(0, len(tokens) - length + 1, size=batch_size)
    # (batch, length)
    return np.stack([np.asarray(tokens[start : start + length], np.int32) for start in starts])


def consecutive_windows(
    tokens: NDArray[np.integer], length: int, max_windows: int
) -> list[NDArray[np.int32]]:
    """Up to `max_windows` windows that don't overlap, spread evenly over `tokens`: for validation.

    >>> [window.tolist() for window in consecutive_windows(np.arange(7), length=3, max_windows=9)]
    [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    """
    # Each window's last id is the next one's first: every id but the first is predicted once.
    starts = np.arange(0, len(tokens) - 1, max(1, length - 1))
    starts = starts[starts + length <= len(tokens)]
    if len(starts) > max_windows:
        starts = starts[np.linspace(0, len(starts) - 1, max_windows).astype(int)]
    return [np.asarray(tokens[start : start + length], np.int32) for start in starts]
