"""Cuts token ids into training and validation windows. Stateless."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.types import AnyIds


class WindowSource(Protocol):
    """Where a trainer takes its windows from.

    Attributes:
        tokens: All token ids of the data, (count,).
        shape: Shape of a window.
        tokens_per_window: Predicted ids per window, on average.
    """

    tokens: AnyIds
    shape: tuple[int, ...]
    tokens_per_window: float

    def batch(
        self, seed: int, step: int, count: int, numbers: NDArray[np.int64] | None = None
    ) -> NDArray[np.int32]:
        """The `count` windows of a training step, which depend only on the arguments.

        With `numbers`, only those of them, each between 0 and `count - 1`.
        """

    def validation(self, max_windows: int) -> list[NDArray[np.int32]]:
        """At most `max_windows` windows from all over the data."""


class StreamWindows:
    """Windows of consecutive ids that start anywhere, even in the middle of a document."""

    def __init__(self, tokens: AnyIds, n_ctx: int) -> None:
        self.tokens = tokens
        self.shape: tuple[int, ...] = (window_length(len(tokens), n_ctx),)
        self.tokens_per_window = float(self.shape[0] - 1)

    def batch(
        self, seed: int, step: int, count: int, numbers: NDArray[np.int64] | None = None
    ) -> NDArray[np.int32]:
        """See `random_windows`."""
        return random_windows(self.tokens, seed, step, count, self.shape[0], numbers)

    def validation(self, max_windows: int) -> list[NDArray[np.int32]]:
        """See `consecutive_windows`."""
        return consecutive_windows(self.tokens, self.shape[0], max_windows)


def window_length(n_tokens: int, n_ctx: int) -> int:
    """Length of a training window: `n_ctx` inputs and one more id to predict, or the whole text.

    >>> window_length(100_000, 1024), window_length(60, 1024)
    (1025, 60)
    """
    return min(n_tokens, n_ctx + 1)


def random_windows(
    tokens: NDArray[np.integer],
    seed: int,
    step: int,
    batch_size: int,
    length: int,
    numbers: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """Pick the windows of one training step at random positions.

    They depend only on `seed` and `step`, so a run can be resumed without a saved position.

    Args:
        tokens: All token ids, (count,).
        seed: Random seed of the run.
        step: Number of the optimizer step.
        batch_size: Number of windows.
        length: Ids per window.
        numbers: Which of these windows are read and returned, (n). Default: all.

    Returns:
        The windows, (batch_size, length) or (n, length).

    Example:
        >>> random_windows(np.arange(9), seed=1, step=5, batch_size=2, length=3).shape
        (2, 3)
    """
    random = np.random.Generator(np.random.Philox(key=[seed, step]))
    starts = random.integers(0, len(tokens) - length + 1, size=batch_size)
    starts = starts if numbers is None else starts[numbers]
    # (batch, length)
    return np.stack([np.asarray(tokens[start : start + length], np.int32) for start in starts])


def consecutive_windows(
    tokens: NDArray[np.integer], length: int, max_windows: int
) -> list[NDArray[np.int32]]:
    """Cut the ids into windows for validation, evenly spaced if there are too many.

    Args:
        tokens: All token ids, (count,).
        length: Ids per window. Adjacent windows share one id: the last id of one is the first
            of the next, so every id but the first is predicted once.
        max_windows: Maximum number of windows.

    Returns:
        The windows, each (length,); none if there are fewer than `length` ids.

    Example:
        >>> windows = consecutive_windows(np.arange(7), length=3, max_windows=9)
        >>> [window.tolist() for window in windows]
        [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    """
    starts = np.arange(0, len(tokens) - 1, max(1, length - 1))
    starts = starts[starts + length <= len(tokens)]
    if len(starts) > max_windows:
        starts = starts[np.linspace(0, len(starts) - 1, max_windows).astype(int)]
    return [np.asarray(tokens[start : start + length], np.int32) for start in starts]
