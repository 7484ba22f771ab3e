"""Causal self-attention for training: in blocks of queries, each over those keys alone that it may
see, and with its own gradient. Tensors in, a tensor out.

A block of queries skips the keys that come after it, which is nearly half of all products and of
all odds. What is kept for the way back are the odds, once; the library's gradient keeps the scores
with and without a mask as well, and passes through each of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

QUERIES = 256  # a block
UNSEEN = -1e9  # a score; finite, since a row of minus infinities is no odds


def causal_attention(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Scaled dot-product attention of each token over itself and those before it ("Attention is all
    you need", Vaswani et al. 2017, equation 1). Differentiable once.

    All are (batch, head, time, head_dim), and so is what returns; `time` must be known.
    """
    time, head_dim = query.shape[2:]
    bounds = [*range(0, time, QUERIES), time]
    blocks = list(itertools.pairwise(bounds))
    scale = tf.constant(1 / math.sqrt(head_dim), query.dtype)

    @tf.custom_gradient
    def attend(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> Any:
        query *= scale
        queries = tf.split(query, [last - first for first, last in blocks], axis=2)
        odds = [
            _odds(some, key[:, :, :last], first, last)
            for some, (first, last) in zip(queries, blocks, strict=True)
        ]
        mixed = [
            tf.matmul(part, value[:, :, :last])
            for part, (_, last) in zip(odds, blocks, strict=True)
        ]

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            to_queries, to_keys, to_values = [], [], []
            for some, part, out, (first, last) in zip(queries, odds, mixed, blocks, strict=True):
                up = upstream[:, :, first:last]
                to_values.append(tf.matmul(part, up, transpose_a=True))
                # Of softmax: odds (gradient - the mean of gradients by these odds), and that mean
                # is a product of two short vectors, since the odds have mixed the values already.
                mean = tf.reduce_sum(up * out, axis=-1, keepdims=True)
                slope = tf.matmul(up, value[:, :, :last], transpose_b=True)
                slope = (slope - mean) * part  # (batch, head, queries, keys)
                to_queries.append(tf.matmul(slope, key[:, :, :last]) * scale)
                to_keys.append(tf.matmul(slope, some, transpose_a=True))
            return tf.concat(to_queries, 2), _sum(to_keys, time), _sum(to_values, time)

        return tf.concat(mixed, axis=2), gradient

    return attend(query, key, value)


def _odds(query: tf.Tensor, key: tf.Tensor, first: int, last: int) -> tf.Tensor:
    """Those of queries from `first` on (batch, head, queries, head_dim) for the keys to `last`."""
    later = tf.range(last)[None, :] > tf.range(first, last)[:, None]
    scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)
    scores += tf.where(later, UNSEEN, 0.0)  # (batch, head, queries, keys)
    return tf.cast(tf.nn.softmax(scores), query.dtype)


def _sum(parts: Sequence[tf.Tensor], time: int) -> tf.Tensor:
    """The sum of parts (batch, head, keys, head_dim), which all begin at the first key."""
    return tf.add_n(
        [tf.pad(part, [[0, 0], [0, 0], [0, time - part.shape[2]], [0, 0]]) for part in parts]
    )
