"""Cross-entropy over a large vocabulary, in slices of rows. Hidden states in, a loss out.

All logits of 1,024 tokens for 50,257 ids take 200 MB in fp32, and a training step would hold them
several times over. Here only a slice of them stands at any time, and the way back is gone at once:
a slice's odds less one for the right id are the gradients of its logits.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Tokens a slice; `memory` counts with them. The more of them, the less often are gradients of the
# embeddings added up.
ROWS, SAVING_ROWS = 1024, 256
IDS = 8192  # of the vocabulary, for which a slice's share of those gradients stands at once


def mean_cross_entropy(
    hidden: tf.Tensor,
    embeddings: tf.Tensor,
    targets: tf.Tensor,
    train_embeddings: bool = True,
    save_memory: bool = False,
) -> tf.Tensor:
    """hidden (rows, n_embd) and embeddings (n_vocab, n_embd) -> the mean of -log softmax at targets
    (rows), in nats. Differentiable once; without `train_embeddings` only for `hidden`.
    """
    at_once = SAVING_ROWS if save_memory else ROWS

    @tf.custom_gradient
    def compute(hidden: tf.Tensor, embeddings: tf.Tensor) -> Any:
        total, to_hidden, to_embeddings = _in_slices(
            hidden, embeddings, targets, train_embeddings, at_once
        )
        rows = tf.cast(tf.shape(hidden)[0], tf.float32)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
            # Divided by the rows only here: in fp16 that would come out as nothing.
            share = tf.cast(upstream, tf.float32) / rows
            back = tf.cast(tf.cast(to_hidden, tf.float32) * share, hidden.dtype)
            if to_embeddings is None:
                return back, None
            return back, tf.cast(to_embeddings * share, embeddings.dtype)

        return total / rows, gradient

    return compute(hidden, embeddings)


def measured_cross_entropy(
    hidden: tf.Tensor, embeddings: tf.Tensor, targets: tf.Tensor
) -> tf.Tensor:
    """The same mean for those who only want to know it: nothing is computed for a way back, which
    would be twice as many products again."""
    rows = tf.shape(hidden)[0]

    def add(first: Any, total: Any) -> Any:
        last = tf.minimum(rows, first + ROWS)
        losses, _ = _losses(hidden[first:last], embeddings, targets[first:last])
        return last, total + tf.reduce_sum(losses)

    _, total = tf.while_loop(lambda first, _: first < rows, add, [0, 0.0], parallel_iterations=1)
    return total / tf.cast(rows, tf.float32)


def _in_slices(
    hidden: tf.Tensor,
    embeddings: tf.Tensor,
    targets: tf.Tensor,
    train_embeddings: bool,
    at_once: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """The sum of the losses, and its gradients for hidden and, in fp32, for embeddings."""
    rows, n_embd = tf.shape(hidden)[0], hidden.shape[-1]
    backs = tf.TensorArray(
        hidden.dtype,
        (rows + at_once - 1) // at_once,
        infer_shape=False,
        element_shape=[None, n_embd],
    )

    def add(order: Any, total: Any, backs: Any, sums: tf.Tensor | None) -> Any:
        first = order * at_once
        last = tf.minimum(rows, first + at_once)
        some, wanted = hidden[first:last], targets[first:last]
        losses, towards = _losses(some, embeddings, wanted)
        backs = backs.write(order, tf.matmul(towards, embeddings, transpose_a=True))
        if train_embeddings and sums is None:
            sums = tf.cast(tf.matmul(towards, some), tf.float32)
        elif train_embeddings:
            sums = _with_products(sums, towards, some)
        return order + 1, total + tf.reduce_sum(losses), backs, sums

    # The first slice stands before the loop, which would hold zeros to begin with for as long as it
    # runs. And the loop begins once that slice is done: what it needs of its own is there before.
    order, total, backs, sums = add(0, 0.0, backs, None if train_embeddings else tf.zeros([]))
    with tf.control_dependencies([total, backs.flow, sums]):
        order = tf.identity(order)
    _, total, backs, sums = tf.while_loop(
        lambda order, *_: order * at_once < rows,
        add,
        [order, total, backs, sums],
        parallel_iterations=1,
    )
    return total, backs.concat(), sums if train_embeddings else None


def added_at(tensor: tf.Tensor, places: tf.Tensor, more: tf.Tensor) -> tf.Tensor:
    """`tf.tensor_scatter_nd_add`, which copies `tensor`, where it lies if nobody else needs it."""
    return tf.raw_ops.ScatterNdNonAliasingAdd(input=tensor, indices=places, updates=more)


def _with_products(sums: tf.Tensor, towards: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    """sums (n_vocab, n_embd) + towards (n_vocab, rows) by hidden (rows, n_embd), added where the
    sums lie, some ids after others: the products of all would take as much memory as the sums."""
    n_vocab = towards.shape[0]
    for first in range(0, n_vocab, IDS):
        last = min(first + IDS, n_vocab)
        with tf.control_dependencies([sums]):  # else all products would be computed at once
            some = tf.identity(towards[first:last])
        more = tf.cast(tf.matmul(some, hidden), tf.float32)
        sums = added_at(sums, tf.range(first, last)[:, None], more)
    return sums


def _losses(
    hidden: tf.Tensor, embeddings: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss of each row (rows), and the gradients of its logits (n_vocab, rows).

    The vocabulary stands first: so the large matrix is multiplied as it lies in memory, which takes
    a processor half as long as turning it.
    """
    logits = tf.cast(tf.matmul(embeddings, hidden, transpose_b=True), tf.float32)
    places = tf.stack(
        [tf.cast(targets, tf.int32), tf.range(tf.size(targets))], axis=1
    )  # of the right ids
    highest = tf.reduce_max(logits, axis=0)  # (rows)
    right = tf.gather_nd(logits, places)
    odds = tf.exp(logits - highest)  # (n_vocab, rows), not yet divided by their sums
    sums = tf.reduce_sum(odds, axis=0)
    towards = added_at(odds * (1 / sums), places, -tf.ones_like(right))
    return tf.math.log(sums) + highest - right, tf.cast(towards, hidden.dtype)
