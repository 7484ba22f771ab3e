"""Causal self-attention for training: in blocks of queries, with a gradient of its own.

Tensors in, a tensor out. A block of queries skips the keys that come after it, which saves nearly
half of all FLOPs and attention weights. For the backward pass only the attention weights are kept;
TensorFlow's gradient also keeps the scores with and without a mask.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from gpt2_helpers.model.block_sizes import QUERIES

MASKED = -1e9  # finite, since the softmax of a row of minus infinities is NaN


def additive_masks(time: int) -> list[tf.Tensor]:
    """The mask of each block of queries, to be added to its scores (queries, keys) in fp32:
    `MASKED` for keys after the query, else 0. All layers share them."""
    return [
        tf.where(tf.range(last) > tf.range(first, last)[:, None], MASKED, 0.0)
        for first, last in itertools.pairwise([*range(0, time, QUERIES), time])
    ]


def causal_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, masks: Sequence[tf.Tensor]
) -> tf.Tensor:
    """Scaled dot-product attention of each token over itself and the tokens before it.

    "Attention is all you need", Vaswani et al. 2017, equation 1. Differentiable once.

    Args:
        query: (batch, head, time, head_dim), like `key`, `value` and the result.
        key: Keys.
        value: Values.
        masks: `additive_masks(time)`.
    """
    sizes, ends = zip(*(mask.shape for mask in masks), strict=True)  # of the blocks
    time, scale = ends[-1], tf.constant(1 / math.sqrt(query.shape[-1]), query.dtype)

    @tf.custom_gradient
    def attend(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> Any:
        queries = tf.split(query * scale, sizes, axis=2)
        weights = [
            _attention_weights(block, _first_keys(key, end), mask)
            for block, mask, end in zip(queries, masks, ends, strict=True)
        ]
        outputs = [
            tf.matmul(block, _first_keys(value, end))
            for block, end in zip(weights, ends, strict=True)
        ]
        output = tf.concat(outputs, axis=2)

        def gradient(d_output: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            # The gradient of softmax is weights * (d_weights - mean), with the mean of d_weights
            # under the weights. As the weights have averaged the values already, that mean is the
            # product of two short vectors.
            means = tf.reduce_sum(d_output * output, axis=-1, keepdims=True)
            d_query, d_key, d_value = [], [], []
            for block, block_weights, d_block, mean, end in zip(
                queries,
                weights,
                tf.split(d_output, sizes, axis=2),
                tf.split(means, sizes, axis=2),
                ends,
                strict=True,
            ):
                d_value.append(_pad_keys(tf.matmul(block_weights, d_block, transpose_a=True), time))
                # Slice again, and only now: slices of the forward pass, or made early in it for
                # the backward pass, would be kept in between.
                with tf.control_dependencies([d_block]):
                    keys, values = _first_keys(key, end), _first_keys(value, end)
                d_weights = tf.matmul(d_block, values, transpose_b=True)
                d_scores = (d_weights - mean) * block_weights  # (batch, head, queries, keys)
                d_query.append(tf.matmul(d_scores, keys))
                d_key.append(_pad_keys(tf.matmul(d_scores, block, transpose_a=True), time))
            return tf.concat(d_query, 2) * scale, tf.add_n(d_key), tf.add_n(d_value)

        return output, gradient

    return attend(query, key, value)


def _attention_weights(query: tf.Tensor, key: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The weights of a block of queries (batch, head, queries, head_dim) for its keys."""
    scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)
    return tf.cast(tf.nn.softmax(scores + mask), query.dtype)  # (batch, head, queries, keys)


def _first_keys(x: tf.Tensor, end: int) -> tf.Tensor:
    """x (batch, head, time, head_dim) up to time `end`."""
    return x if end == x.shape[2] else tf.slice(x, [0, 0, 0, 0], [-1, -1, end, -1])


def _pad_keys(x: tf.Tensor, time: int) -> tf.Tensor:
    """x (batch, head, keys, head_dim) for the first keys, padded with zeros up to `time`."""
    missing = time - x.shape[2]
    return x if missing == 0 else tf.pad(x, [[0, 0], [0, 0], [0, missing], [0, 0]])
