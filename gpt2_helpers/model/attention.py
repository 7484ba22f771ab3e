"""Causal self-attention: in one block, or in blocks of queries with a gradient of its own.

Tensors in, a tensor out. A block of queries skips the keys that come after it, which saves nearly
half of all FLOPs and attention weights. A GPU computes one block, since it would wait for the start
of many small operations. For the backward pass only the attention weights are kept; TensorFlow's
gradient also keeps the scores with and without a mask.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from gpt2_helpers.model.block_sizes import QUERIES
from gpt2_helpers.model.layers import dropout
from gpt2_helpers.system import device

MASKED = -1e9  # finite, since the softmax of a row of minus infinities is NaN


def additive_masks(time: int, starts: tf.Tensor | None = None) -> list[tf.Tensor]:
    """The mask of each block of queries, to be added to its scores in fp32: `MASKED` for keys
    after the query and for keys of other documents, else 0. All layers share them.

    Args:
        time: Length of the windows.
        starts: For windows of several documents: where the document of each position starts
            (batch, time).

    Returns:
        Masks of (queries, keys), or with `starts` (batch, 1, queries, keys).
    """
    masks, steps = [], _positions(time)
    block = time if device.gpus() else QUERIES
    for first, last in itertools.pairwise([*range(0, time, block), time]):
        keys = steps[:last]
        hidden = keys > steps[first:last, None]  # (queries, keys)
        if starts is not None:
            # (batch, 1, queries, keys)
            hidden |= keys < tf.cast(starts, steps.dtype)[:, None, first:last, None]
        masks.append(tf.where(hidden, MASKED, 0.0))
    return masks


def causal_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, masks: Sequence[tf.Tensor]
) -> tf.Tensor:
    """Scaled dot-product attention of each token over itself and the tokens before it.

    "Attention is all you need", Vaswani et al. 2017, equation 1. Differentiable once.

    Args:
        query: (batch, head, time, head_dim), like `key`, `value` and the result.
        key: Keys.
        value: Values.
        masks: The `additive_masks` of the windows.
    """
    sizes, ends = zip(*(mask.shape[-2:] for mask in masks), strict=True)  # of the blocks
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


def causal_mask(time: tf.Tensor, starts: tf.Tensor | None = None) -> tf.Tensor:
    """(time, time), or with `starts` (batch, 1, time, time): True where the key is not later than
    the query, and in the same document."""
    steps = _positions(time)
    mask = steps[:, None] >= steps[None, :]
    if starts is None:
        return mask
    return mask & (steps >= tf.cast(starts, steps.dtype)[:, None, :, None])


def dot_product_attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    mask: tf.Tensor,
    dropout_rate: float = 0.0,
    seed: tf.Tensor | None = None,
    salt: int = 0,
) -> tf.Tensor:
    """Softmax(query key^T / sqrt(head_dim)) value, over the keys that `mask` allows.

    Args:
        query: (batch, head, time, head_dim).
        key: (batch, head, keys, head_dim).
        value: (batch, head, keys, head_dim).
        mask: True where a query may attend to a key; broadcasts to (batch, head, time, keys).
        dropout_rate: Dropout rate of the attention weights.
        seed: Dropout's seed (3), see `layers.dropout`; without it nothing is dropped.
        salt: Distinguishes dropout layers that share a seed.

    Returns:
        (batch, head, time, head_dim).
    """
    scale = 1.0 / math.sqrt(query.shape[-1])
    scores = tf.matmul(query * tf.cast(scale, query.dtype), key, transpose_b=True)
    scores = tf.where(mask, tf.cast(scores, tf.float32), tf.constant(MASKED))
    weights = tf.cast(tf.nn.softmax(scores), value.dtype)  # (batch, head, time, keys)
    batch = weights.shape[0] or tf.shape(weights)[0]
    return tf.matmul(dropout(weights, dropout_rate, seed, salt, batch), value)


def _positions(time: tf.Tensor | int) -> tf.Tensor:
    """0 to time - 1 (time), in fp32: even on a GPU, TensorFlow compares int32 in main memory."""
    return tf.cast(tf.range(time), tf.float32)


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
