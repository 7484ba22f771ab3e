"""Next-token sampling. Logits in, ids out: knows nothing of text, models or files.

Each row brings one uniform number and takes the token whose share of the cumulated odds it falls
into, so that a row's choice depends on its own logits and its own number alone.
"""

from __future__ import annotations

import tensorflow as tf

from gpt2_helpers.config import SamplingConfig

BLOCK = 256  # the whole vocabulary is searched in blocks of so many ids
NUCLEUS_CANDIDATES = 512  # top-p looks among so many ids before it sorts them all
_BELOW_ONE = 1.0 - 1e-6  # keeps the product with the total under the total, whatever the rounding


def next_ids(logits: tf.Tensor, uniforms: tf.Tensor, config: SamplingConfig) -> tf.Tensor:
    """logits (batch, n_vocab) fp32 and uniforms (batch) in [0, 1) -> ids (batch).

    Temperature first, then top-p where it is over 0 (it overrides top-k), else top-k. Temperature
    0 is greedy. Nucleus sampling is that of Holtzman et al. 2019: the smallest set of likeliest
    tokens whose odds reach p, the token that crosses the line included.
    """
    if config.temperature == 0.0:
        return tf.argmax(logits, axis=-1, output_type=tf.int32)
    logits = logits / config.temperature
    if config.top_p > 0.0:
        return _from_nucleus(logits, uniforms, config.top_p)
    if 0 < config.top_k < logits.shape[-1]:
        values, ids = tf.math.top_k(logits, config.top_k)  # (batch, k), likeliest first
        return _pick(tf.nn.softmax(values), ids, uniforms)
    return _from_all(tf.nn.softmax(logits), uniforms)


def _search(odds: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the cumulated odds (batch, n) first exceed targets (batch): that index, and what of
    the target is left within it."""
    sums = tf.cumsum(odds, axis=-1)
    index = tf.reduce_sum(tf.cast(sums <= targets[:, None], tf.int32), axis=-1)
    index = tf.minimum(index, odds.shape[-1] - 1)
    below = tf.gather(tf.cumsum(odds, axis=-1, exclusive=True), index, batch_dims=1)
    return index, targets - below


def _pick(odds: tf.Tensor, ids: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """One of ids (batch, k) each row, with odds (batch, k) that need not add up to 1."""
    targets = uniforms * tf.reduce_sum(odds, axis=-1) * _BELOW_ONE
    index, _ = _search(odds, targets)
    return tf.gather(ids, index, batch_dims=1)


def _from_all(odds: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """One id each row from odds (batch, n_vocab): first the block of ids, then the id within it.

    Faster than one sum over 50,257 numbers, and its rounding errors don't add up as far.
    """
    n_vocab = odds.shape[-1]
    blocks = -(-n_vocab // BLOCK)
    padded = tf.pad(odds, [[0, 0], [0, blocks * BLOCK - n_vocab]])
    grid = tf.reshape(padded, [-1, blocks, BLOCK])
    masses = tf.reduce_sum(grid, axis=-1)  # (batch, blocks)
    block, left = _search(masses, uniforms * tf.reduce_sum(masses, axis=-1) * _BELOW_ONE)
    within = tf.gather(grid, block, batch_dims=1)  # (batch, BLOCK)
    # Block sums and running sums may round differently: stay inside the block's own mass.
    total = tf.reduce_sum(within, axis=-1)
    index, _ = _search(within, tf.clip_by_value(left, 0.0, total * _BELOW_ONE))
    return tf.minimum(block * BLOCK + index, n_vocab - 1)


def _from_nucleus(logits: tf.Tensor, uniforms: tf.Tensor, top_p: float) -> tf.Tensor:
    """One id each row from the likeliest that make up `top_p`. A sort of the whole vocabulary
    costs more than the rest of sampling, and is done only where the first candidates are short."""
    odds = tf.nn.softmax(logits)

    def from_likeliest(count: int) -> tf.Tensor:
        values, ids = tf.math.top_k(odds, count)
        before = tf.cumsum(values, axis=-1, exclusive=True)
        return _pick(tf.where(before < top_p, values, 0.0), ids, uniforms)

    n_vocab = logits.shape[-1]
    few = min(NUCLEUS_CANDIDATES, n_vocab)
    if few == n_vocab:
        return from_likeliest(n_vocab)
    reached = tf.reduce_sum(tf.math.top_k(odds, few).values, axis=-1) >= top_p
    return tf.cond(
        tf.reduce_all(reached), lambda: from_likeliest(few), lambda: from_likeliest(n_vocab)
    )
