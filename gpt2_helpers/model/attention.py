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

QUERIES = 128  # a block
UNSEEN = -1e9  # a score; finite, since a row of minus infinities is no odds


def causal_masks(time: int) -> list[tf.Tensor]:
    """What is added to the scores of each block of queries, (queries, keys) in fp32: `UNSEEN` for
    keys that come after the query. Made once for all layers."""
    return [
        tf.where(tf.range(last) > tf.range(first, last)[:, None], UNSEEN, 0.0)
        for first, last in itertools.pairwise([*range(0, time, QUERIES), time])
    ]


def causal_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, masks: Sequence[tf.Tensor]
) -> tf.Tensor:
    """Scaled dot-product attention of each token over itself and those before it ("Attention is all
    you need", Vaswani et al. 2017, equation 1). Differentiable once.

    All are (batch, head, time, head_dim), and so is what returns; `masks` is `causal_masks(time)`.
    """
    sizes, ends = zip(*(mask.shape for mask in masks), strict=True)  # of the blocks
    time, scale = ends[-1], tf.constant(1 / math.sqrt(query.shape[-1]), query.dtype)

    @tf.custom_gradient
    def attend(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> Any:
        queries = tf.split(query * scale, sizes, axis=2)
        odds = [
            _odds(some, _first(key, last), mask)
            for some, mask, last in zip(queries, masks, ends, strict=True)
        ]
        blocks = [
            tf.matmul(part, _first(value, last)) for part, last in zip(odds, ends, strict=True)
        ]
        mixed = tf.concat(blocks, axis=2)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            # Of softmax: odds (gradient - the mean of gradients by these odds), and that mean is a
            # product of two short vectors, since the odds have mixed the values already.
            means = tf.reduce_sum(upstream * mixed, axis=-1, keepdims=True)
            to_queries, to_keys, to_values = [], [], []
            for some, part, up, mean, last in zip(
                queries,
                odds,
                tf.split(upstream, sizes, axis=2),
                tf.split(means, sizes, axis=2),
                ends,
                strict=True,
            ):
                to_values.append(_padded(tf.matmul(part, up, transpose_a=True), time))
                # Cut off anew: what the way there has cut off, or was cut off there already for
                # the way back, would be kept in between.
                with tf.control_dependencies([up]):
                    keys, values = _first(key, last), _first(value, last)
                slope = tf.matmul(up, values, transpose_b=True)
                slope = (slope - mean) * part  # (batch, head, queries, keys)
                to_queries.append(tf.matmul(slope, keys))
                to_keys.append(_padded(tf.matmul(slope, some, transpose_a=True), time))
            return tf.concat(to_queries, 2) * scale, tf.add_n(to_keys), tf.add_n(to_values)

        return mixed, gradient

    return attend(query, key, value)


def _odds(query: tf.Tensor, key: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Those of a block of queries (batch, head, queries, head_dim) for the keys it may see."""
    scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)
    return tf.cast(tf.nn.softmax(scores + mask), query.dtype)  # (batch, head, queries, keys)


def _first(x: tf.Tensor, last: int) -> tf.Tensor:
    """x (batch, head, time, head_dim) to `last` in time."""
    return x if last == x.shape[2] else tf.slice(x, [0, 0, 0, 0], [-1, -1, last, -1])


def _padded(x: tf.Tensor, time: int) -> tf.Tensor:
    """x (batch, head, keys, head_dim), which begins at the first key, with zeros up to `time`."""
    later = time - x.shape[2]
    return x if later == 0 else tf.pad(x, [[0, 0], [0, 0], [0, later], [0, 0]])
