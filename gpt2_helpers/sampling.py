"""Next-token sampling. Logits in, ids out: knows nothing of text, models or files.

Each row brings one uniform number and takes the token whose share of the cumulated odds it falls
into, so that a row's choice depends on its own logits and its own number alone.
"""

from __future__ import annotations

import tensorflow as tf

from gpt2_helpers.config import SamplingConfig

BLOCK = 256  # the whole vocabulary is searched in blocks of so many ids
NUCLEUS_CANDIDATES = (128, 2048)  # top-p looks among so many ids before it sorts them all
COLDEST = 1e-6  # what is colder is as good as this, and would leave the range of fp32
_BELOW_ONE = 1.0 - 1e-6  # keeps the product with the total under the total, whatever the rounding


def next_ids(logits: tf.Tensor, uniforms: tf.Tensor, config: SamplingConfig) -> tf.Tensor:
    """logits (batch, n_vocab) fp32 and uniforms (batch) in [0, 1) -> ids (batch).

    Temperature first, then top-p where it is over 0 (it overrides top-k), else top-k. Temperature
    0 is greedy. Nucleus sampling is that of Holtzman et al. 2019: the smallest set of likeliest
    tokens whose odds reach p, the token that crosses the line included.
    """
    if config.temperature == 0.0:
        return tf.argmax(logits, axis=-1, output_type=tf.int32)
    temperature = tf.constant(max(config.temperature, COLDEST), tf.float32)
    if 0.0 < config.top_p < 1.0:
        return _from_nucleus(logits, uniforms, temperature, tf.constant(config.top_p, tf.float32))
    if config.top_p == 0.0 and 0 < config.top_k < logits.shape[-1]:
        return _from_likeliest(logits, uniforms, temperature, tf.constant(config.top_k, tf.int32))
    return _from_all(logits, uniforms, temperature)


# Options are tensors, and so are sizes: each of these is compiled once, whatever is asked for.
_ROWS = [tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.float32)]
_NUMBER = tf.TensorSpec([], tf.float32)


@tf.function(input_signature=[*_ROWS, _NUMBER])
def _from_all(logits: tf.Tensor, uniforms: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """One id each row: first the block of ids, then the id within it.

    Faster than one sum over 50,257 numbers, and its rounding errors don't add up as far.
    """
    odds = _odds(logits, tf.reduce_max(logits, axis=-1, keepdims=True), temperature)
    batch, n_vocab = tf.unstack(tf.shape(logits))
    blocks = (n_vocab + BLOCK - 1) // BLOCK
    padded = tf.pad(odds, [[0, 0], [0, blocks * BLOCK - n_vocab]])
    grid = tf.reshape(padded, [batch, blocks, BLOCK])
    block, rest = _search(tf.reduce_sum(grid, axis=-1), uniforms)
    index, _ = _search(tf.gather(grid, block, batch_dims=1), rest)
    return block * BLOCK + index


@tf.function(input_signature=[*_ROWS, _NUMBER, tf.TensorSpec([], tf.int32)])
def _from_likeliest(
    logits: tf.Tensor, uniforms: tf.Tensor, temperature: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """One id each row from its `count` likeliest."""
    values, ids = tf.math.top_k(logits, count)  # (batch, count), likeliest first
    index, _ = _search(_odds(values, values[:, :1], temperature), uniforms)
    return tf.gather(ids, index, batch_dims=1)


@tf.function(input_signature=[*_ROWS, _NUMBER, _NUMBER])
def _from_nucleus(
    logits: tf.Tensor, uniforms: tf.Tensor, temperature: tf.Tensor, top_p: tf.Tensor
) -> tf.Tensor:
    """One id each row from the likeliest that make up `top_p`. Sorting a whole vocabulary costs
    more than the rest of sampling: it is done only for the rows where fewer are not enough."""
    batch, n_vocab = tf.unstack(tf.shape(logits))
    most = tf.reduce_max(logits, axis=-1, keepdims=True)
    needed = top_p * tf.reduce_sum(_odds(logits, most, temperature), axis=-1, keepdims=True)
    found = tf.zeros([batch], tf.int32)
    rows = tf.range(batch)  # those without an id yet
    for candidates in (*NUCLEUS_CANDIDATES, n_vocab):
        count = tf.minimum(candidates, n_vocab)
        values, ids = tf.math.top_k(tf.gather(logits, rows), count)  # (rows, count)
        odds = _odds(values, values[:, :1], temperature)
        before = tf.cumsum(odds, axis=-1, exclusive=True)
        # The likeliest is in, however small p is.
        inside = (before < tf.gather(needed, rows)) | (tf.range(count) == 0)
        index, _ = _search(tf.where(inside, odds, 0.0), tf.gather(uniforms, rows))
        choice = tf.gather(ids, index, batch_dims=1)
        found = tf.tensor_scatter_nd_update(found, rows[:, None], choice)
        short = tf.reduce_sum(odds, axis=-1) < tf.gather(needed, rows)[:, 0]
        rows = tf.boolean_mask(rows, short)
    return found


def _odds(logits: tf.Tensor, most: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """Numbers in proportion to the softmax; `most`, each row's largest logit, gets 1."""
    return tf.exp((logits - most) / temperature)


def _search(odds: tf.Tensor, uniforms: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which of odds (batch, n), that need not add up to 1, the uniforms (batch) fall into; and how
    far into it, from 0 to 1."""
    sums = tf.cumsum(odds, axis=-1)
    targets = uniforms * tf.reduce_max(sums, axis=-1) * _BELOW_ONE
    # Sums that are added up in parallel may rise a little where the odds are zero.
    index = tf.argmax((sums > targets[:, None]) & (odds > 0.0), axis=-1, output_type=tf.int32)
    chosen, reached = (tf.gather(numbers, index, batch_dims=1) for numbers in (odds, sums))
    return index, tf.clip_by_value(1.0 - (reached - targets) / chosen, 0.0, 1.0)
