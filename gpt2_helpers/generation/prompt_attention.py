"""Attention of many tokens at a time, as a TensorFlow Lite program: for prompts and scoring.

A token's result is the same to the last bit whichever other tokens are computed with it. Products
are summed key by key. Softmax is summed in blocks that `KEY_BLOCK` is a multiple of, and a masked
key adds 0. So a prompt may be read in parts of any size, or continue one that was read before.
"""

from __future__ import annotations

import numpy as np

from gpt2_helpers.generation.tflite import Builder
from gpt2_helpers.types import Floats

KEY_BLOCK = 64  # the number of keys must be a multiple of it


class PromptAttention:
    """Softmax attention over stored keys. Not thread-safe.

    attention = PromptAttention(head_dim=64, threads=2)
    attended = attention(query, keys, values, additive_mask(positions, KEY_BLOCK))

    Args:
        head_dim: Width of a head.
        threads: Threads that it runs on.
    """

    def __init__(self, head_dim: int, threads: int) -> None:
        build = Builder()
        query, keys, values = (build.input(1, KEY_BLOCK, head_dim) for _ in range(3))
        mask = build.input(1, KEY_BLOCK, KEY_BLOCK)
        scores = build.add(build.matmul(query, keys, transpose_b=True), mask)
        attended = build.matmul(build.softmax(scores), values)
        self._program = build.program([query, keys, values, mask], [attended], threads)
        self._scale = np.float32(head_dim**-0.5)

    def __call__(self, query: Floats, keys: Floats, values: Floats, mask: Floats) -> Floats:
        """Attend.

        Args:
            query: (row * head, time, head_dim).
            keys: (row * head, keys, head_dim). Those that are masked must be finite, too.
            values: Like `keys`.
            mask: Added to the scores of all heads (time, keys).

        Returns:
            (row * head, time, head_dim).
        """
        (attended,) = self._program(query * self._scale, keys, values, mask[None])
        return attended
