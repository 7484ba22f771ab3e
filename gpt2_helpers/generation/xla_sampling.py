"""Next-token sampling on a GPU, as part of a compiled decode step.

The same ids as `sampling` samples, by the same noise: see there for the method. All rows are
sampled in every way, and each takes the result of its own options, so that the program has no
branches and all shapes are static. Only the `MAX_CANDIDATES` likeliest ids of a row are sorted.
Rows that need more get `UNDECIDED`, and are sampled from their logits by `sampling`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.sampling import (
    BLOCK,
    BLOCK_NOISE,
    GOLDEN_RATIO,
    HASH_ROUNDS,
    MAX_UNIFORM,
    MIN_TEMPERATURE,
    TOP_P_CANDIDATES,
)
from gpt2_helpers.types import Floats

MAX_CANDIDATES = TOP_P_CANDIDATES
UNDECIDED = -1
N_OPTIONS = 5  # numbers per row in `packed_options`


def packed_options(
    configs: Sequence[SamplingConfig], uniform_samples: Floats, batch_size: int
) -> Floats:
    """The options of rows as one array, which is copied to the GPU at once.

    Args:
        configs: The options of each row (row). Typical-p is left out: see `needs_logits`.
        uniform_samples: A random number in [0, 1) for each row (row).
        batch_size: Rows of the result, free ones included.

    Returns:
        Random number, temperature, top-k, top-p and min-p of each row (batch_size, N_OPTIONS).
    """
    packed = np.zeros((batch_size, N_OPTIONS), np.float32)
    for row, config in enumerate(configs):
        options = (config.temperature, config.top_k, config.top_p, config.min_p)
        packed[row] = (uniform_samples[row], *options)
    return packed


def needs_logits(config: SamplingConfig) -> bool:
    """Whether these options cannot be sampled here."""
    return config.temperature > 0.0 and 0.0 < config.typical_p < 1.0


def sample_ids(logits: tf.Tensor, options: tf.Tensor) -> tf.Tensor:
    """Sample the next id of each row. For use inside a program that XLA compiles.

    Args:
        logits: fp32 (batch, n_vocab).
        options: See `packed_options`.

    Returns:
        Ids (batch), or `UNDECIDED` for rows that need more candidates.
    """
    n_vocab = logits.shape[1]
    uniform, temperature, top_k, top_p, min_p = tf.unstack(options, axis=1)
    scaled = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    scaled /= tf.maximum(temperature, MIN_TEMPERATURE)[:, None]
    blocks = _in_blocks(scaled)
    sums = tf.reduce_sum(tf.exp(blocks), axis=-1)  # (batch, blocks)
    values, ids = _likeliest(blocks, min(MAX_CANDIDATES, n_vocab))

    has_top_p = (top_p > 0.0) & (top_p < 1.0)
    has_top_k = (top_p == 0.0) & (top_k > 0.0) & (top_k < n_vocab)
    has_min_p = min_p > 0.0
    # Candidates are sorted, so each option keeps the first ones.
    weights = tf.exp(values)
    threshold = top_p * tf.reduce_sum(sums, axis=-1)  # (batch)
    before = tf.cumsum(weights, axis=-1, exclusive=True)  # weight of likelier candidates
    lowest = tf.math.log(min_p)[:, None]  # minus infinity without min-p
    rank = tf.range(ids.shape[1], dtype=tf.float32)
    kept = (values >= lowest) & (~has_top_k[:, None] | (rank < top_k[:, None]))
    # The likeliest id is always in the nucleus, as is the one that crosses the threshold.
    kept &= ~has_top_p[:, None] | (rank == 0.0) | (before < threshold[:, None])
    from_candidates = _sample(tf.where(kept, values, -np.inf), ids, uniform)

    # If the last candidate is kept, others may be too.
    is_complete = ~kept[:, -1] | (has_top_k & (top_k <= ids.shape[1]))
    if ids.shape[1] == n_vocab:
        is_complete = tf.ones_like(is_complete)
    limited = has_top_p | has_top_k | has_min_p
    sampled = tf.where(limited, from_candidates, _sample_all(blocks, sums, uniform))
    sampled = tf.where(limited & ~is_complete, UNDECIDED, sampled)
    return tf.where(temperature == 0.0, tf.argmax(logits, axis=1, output_type=tf.int32), sampled)


def _in_blocks(rows: tf.Tensor) -> tf.Tensor:
    """rows (batch, n) -> (batch, blocks, BLOCK), the last block padded with minus infinity."""
    batch, size = rows.shape
    padding = [[0, 0], [0, -size % BLOCK]]
    return tf.reshape(tf.pad(rows, padding, constant_values=-np.inf), [batch, -1, BLOCK])


def _likeliest(blocks: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The `count` highest values of each row of blocks (batch, blocks, BLOCK), highest first, and
    their ids: (batch, count) each. Of equal values those of lower ids."""
    batch, n_blocks, _ = blocks.shape
    # They are in the `count` blocks with the highest maxima.
    _, best = tf.math.top_k(tf.reduce_max(blocks, axis=-1), min(count, n_blocks))
    best = tf.sort(best, axis=-1)  # in the order of ids
    values = tf.reshape(tf.gather(blocks, best, batch_dims=1), [batch, -1])
    ids = tf.reshape(best[..., None] * BLOCK + tf.range(BLOCK), [batch, -1])
    values, places = tf.math.top_k(values, count)
    return values, tf.gather(ids, places, batch_dims=1)


def _sample_all(blocks: tf.Tensor, sums: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Sample an id of each row of blocks (batch, blocks, BLOCK), whose sums of weights are `sums`
    (batch, blocks): first a block, then an id of it."""
    numbers = tf.range(blocks.shape[1])[None]
    block = _sample(tf.math.log(sums), numbers + BLOCK_NOISE, uniform) - BLOCK_NOISE  # (batch)
    ids = block[:, None] * BLOCK + tf.range(BLOCK)
    return _sample(tf.gather(blocks, block, batch_dims=1), ids, uniform)


def _sample(scaled: tf.Tensor, ids: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Sample one of `ids`, (batch, n) or (1, n), for each row of scaled logits (batch, n)."""
    index = tf.argmax(scaled + _noise(ids, uniform), axis=1, output_type=tf.int32)
    return tf.gather(tf.broadcast_to(ids, scaled.shape), index, batch_dims=1)


def _noise(ids: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Gumbel noise of ids, (batch, n) or (1, n), for each row's random number (batch)."""
    row = _hash(tf.bitcast(uniform, tf.uint32))[:, None]
    bits = _hash(row + tf.bitcast(ids, tf.uint32) * tf.constant(GOLDEN_RATIO, tf.uint32))
    number = (tf.cast(bits, tf.float32) + 0.5) * 2.0**-32
    return -tf.math.log(-tf.math.log1p(-tf.minimum(number, MAX_UNIFORM)))


def _hash(numbers: tf.Tensor) -> tf.Tensor:
    """`sampling`'s hash of uint32."""
    for shift, multiplier in HASH_ROUNDS:
        shifted = tf.bitwise.right_shift(numbers, tf.constant(shift, tf.uint32))
        numbers = tf.bitwise.bitwise_xor(numbers, shifted) * tf.constant(multiplier, tf.uint32)
    return numbers
