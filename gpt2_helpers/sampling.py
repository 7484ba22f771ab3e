"""Next-token sampling. Logits in, ids out: knows nothing of text, models or files.

Each row brings one random number, from which noise for each id is made. The id whose logit and
noise add up to the most is drawn: with noise of Gumbel's distribution that is a draw from the
softmax (Gumbel 1954). A row's choice depends on its own logits and its own number alone; and where
logits are rounded otherwise, as in batches of another size, it hardly ever changes. Looking a
uniform number up in cumulated odds would not do: each id's share moves with all those before it.
"""

from __future__ import annotations

import tensorflow as tf

from gpt2_helpers.config import SamplingConfig

NUCLEUS_CANDIDATES = (128, 2048)  # top-p looks among so many ids before it sorts them all
COLDEST = 1e-6  # what is colder is as good as this, and would leave the range of fp32


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
    """One id each row."""
    ids = tf.range(tf.shape(logits)[1])[None]
    return _draw(_scaled(logits, temperature), ids, uniforms)


@tf.function(input_signature=[*_ROWS, _NUMBER, tf.TensorSpec([], tf.int32)])
def _from_likeliest(
    logits: tf.Tensor, uniforms: tf.Tensor, temperature: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """One id each row from its `count` likeliest."""
    values, ids = tf.math.top_k(logits, count)  # (batch, count), likeliest first
    return tf.gather(ids, _draw(_scaled(values, temperature), ids, uniforms), batch_dims=1)


@tf.function(input_signature=[*_ROWS, _NUMBER, _NUMBER])
def _from_nucleus(
    logits: tf.Tensor, uniforms: tf.Tensor, temperature: tf.Tensor, top_p: tf.Tensor
) -> tf.Tensor:
    """One id each row from the likeliest that make up `top_p`. Sorting a whole vocabulary costs
    more than the rest of sampling: it is done only for the rows where fewer are not enough."""
    batch, n_vocab = tf.unstack(tf.shape(logits))
    # Odds in proportion to the softmax; each row's likeliest id has 1.
    needed = top_p * tf.reduce_sum(tf.exp(_scaled(logits, temperature)), axis=-1, keepdims=True)
    found = tf.zeros([batch], tf.int32)
    rows = tf.range(batch)  # those without an id yet
    for candidates in (*NUCLEUS_CANDIDATES, n_vocab):
        count = tf.minimum(candidates, n_vocab)
        values, ids = tf.math.top_k(tf.gather(logits, rows), count)  # (rows, count)
        scaled = _scaled(values, temperature)
        odds = tf.exp(scaled)
        before = tf.cumsum(odds, axis=-1, exclusive=True)
        # The likeliest is in, however small p is.
        inside = (before < tf.gather(needed, rows)) | (tf.range(count) == 0)
        index = _draw(tf.where(inside, scaled, -float("inf")), ids, tf.gather(uniforms, rows))
        choice = tf.gather(ids, index, batch_dims=1)
        found = tf.tensor_scatter_nd_update(found, rows[:, None], choice)
        short = tf.reduce_sum(odds, axis=-1) < tf.gather(needed, rows)[:, 0]
        rows = tf.boolean_mask(rows, short)
    return found


def _scaled(logits: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """logits (rows, n) over the temperature, with 0 for each row's likeliest."""
    return (logits - tf.reduce_max(logits, axis=-1, keepdims=True)) / temperature


def _draw(scaled: tf.Tensor, ids: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """Which of scaled (rows, n) is drawn: the index (rows). ids (rows, n) or (1, n), since an id's
    noise must not depend on its rank, which rounding may change."""
    golden_ratio = tf.constant(0x9E3779B1, tf.uint32)
    row = _hash(tf.bitcast(uniforms, tf.uint32))[:, None]
    bits = _hash(row + tf.cast(ids, tf.uint32) * golden_ratio)
    # Nearly 0 comes out exact, and 1 never.
    uniform = tf.minimum((tf.cast(bits, tf.float32) + 0.5) * 2.0**-32, 1.0 - 2.0**-24)
    noise = -tf.math.log(-tf.math.log1p(-uniform))
    return tf.argmax(scaled + noise, axis=-1, output_type=tf.int32)


def _hash(numbers: tf.Tensor) -> tf.Tensor:
    """uint32 -> uint32, one to one, whose upper bits look random: shifts and products in the manner
    of MurmurHash3 with the multipliers of Wellons's lowbias32."""
    for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        shifted = tf.bitwise.right_shift(numbers, tf.constant(shift, tf.uint32))
        numbers = tf.bitwise.bitwise_xor(numbers, shifted) * tf.constant(multiplier, tf.uint32)
    return numbers
