"""Cross-entropy over a large vocabulary, in blocks of tokens. Hidden states in, a loss out.

The logits of 1,024 tokens over 50,257 ids take 200 MB in fp32, and a training step would hold them
several times. Here only a block of them exists at any time, and each block's gradients are computed
at once, in the forward pass: the gradient of the logits is their softmax probabilities, minus one
for the target.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from gpt2_helpers.model.block_sizes import LOSS_IDS, LOSS_TOKENS, LOSS_TOKENS_SAVING
from gpt2_helpers.model.layers import scatter_add
from gpt2_helpers.system import xla


def mean_cross_entropy(
    hidden: tf.Tensor,
    embeddings: tf.Tensor,
    targets: tf.Tensor,
    train_embeddings: bool = True,
    save_memory: bool = False,
    n_targets: tf.Tensor | None = None,
) -> tf.Tensor:
    """The mean of -log softmax(logits)[target], in nats. Differentiable once.

    Args:
        hidden: Last hidden states (tokens, n_embd).
        embeddings: Output matrix (n_vocab, n_embd).
        targets: The id that follows each token (tokens); a negative one is not predicted.
        train_embeddings: Whether `embeddings` gets a gradient; `hidden` always does.
        save_memory: Use smaller blocks.
        n_targets: Divides the sum of the losses. Default: the number of targets.
    """
    block = LOSS_TOKENS_SAVING if save_memory else LOSS_TOKENS

    @tf.custom_gradient
    def compute(hidden: tf.Tensor, embeddings: tf.Tensor) -> Any:
        total, d_hidden, d_embeddings = _loss_and_gradients(
            hidden, embeddings, targets, train_embeddings, block
        )
        count = count_targets(targets) if n_targets is None else n_targets

        def gradient(d_mean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
            # Divided by the number of targets here and not earlier: fp16 would underflow.
            share = tf.cast(d_mean, tf.float32) / count
            scaled = tf.cast(tf.cast(d_hidden, tf.float32) * share, hidden.dtype)
            if d_embeddings is None:
                return scaled, None
            return scaled, tf.cast(d_embeddings * share, embeddings.dtype)

        return total / count, gradient

    return compute(hidden, embeddings)


def count_targets(targets: tf.Tensor) -> tf.Tensor:
    """The number of targets that are predicted, at least 1, as a fp32 scalar."""
    return tf.maximum(1.0, tf.reduce_sum(tf.cast(targets >= 0, tf.float32)))


def evaluation_cross_entropy(
    hidden: tf.Tensor, embeddings: tf.Tensor, targets: tf.Tensor
) -> tf.Tensor:
    """The same mean without gradients, at a third of the FLOPs."""
    tokens = tf.shape(hidden)[0]

    def add(first: Any, total: Any) -> Any:
        last = tf.minimum(tokens, first + LOSS_TOKENS)
        losses, _ = _losses_and_d_logits(hidden[first:last], embeddings, targets[first:last])
        return last, total + tf.reduce_sum(losses)

    _, total = tf.while_loop(lambda first, _: first < tokens, add, [0, 0.0], parallel_iterations=1)
    return total / count_targets(targets)


def _loss_and_gradients(
    hidden: tf.Tensor,
    embeddings: tf.Tensor,
    targets: tf.Tensor,
    train_embeddings: bool,
    block: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """The sum of the losses and its gradients for hidden and, in fp32, for embeddings."""
    if xla.is_tracing():
        return _unrolled_loss_and_gradients(hidden, embeddings, targets, train_embeddings, block)
    tokens, n_embd = tf.shape(hidden)[0], hidden.shape[-1]
    d_hidden = tf.TensorArray(
        hidden.dtype,
        (tokens + block - 1) // block,
        infer_shape=False,
        element_shape=[None, n_embd],
    )

    def add(number: Any, total: Any, d_hidden: Any, d_embeddings: tf.Tensor | None) -> Any:
        first = number * block
        last = tf.minimum(tokens, first + block)
        block_hidden = hidden[first:last]
        losses, d_logits = _losses_and_d_logits(block_hidden, embeddings, targets[first:last])
        d_hidden = d_hidden.write(number, tf.matmul(d_logits, embeddings, transpose_a=True))
        if train_embeddings and d_embeddings is None:
            d_embeddings = tf.cast(tf.matmul(d_logits, block_hidden), tf.float32)
        elif train_embeddings:
            d_embeddings = _add_d_embeddings(d_embeddings, d_logits, block_hidden)
        return number + 1, total + tf.reduce_sum(losses), d_hidden, d_embeddings

    # The first block is computed outside the loop, which would otherwise hold a matrix of zeros as
    # its start value for as long as it runs. The loop starts when that block is done, and what it
    # allocates for itself is not there before.
    initial = None if train_embeddings else tf.zeros([])
    number, total, d_hidden, d_embeddings = add(0, 0.0, d_hidden, initial)
    with tf.control_dependencies([total, d_hidden.flow, d_embeddings]):
        number = tf.identity(number)
    _, total, d_hidden, d_embeddings = tf.while_loop(
        lambda number, *_: number * block < tokens,
        add,
        [number, total, d_hidden, d_embeddings],
        parallel_iterations=1,
    )
    return total, d_hidden.concat(), d_embeddings if train_embeddings else None


def _unrolled_loss_and_gradients(
    hidden: tf.Tensor,
    embeddings: tf.Tensor,
    targets: tf.Tensor,
    train_embeddings: bool,
    block: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """The same without a loop: in XLA's loops all blocks would have to be of one size."""
    total, d_hidden = tf.zeros([]), []
    d_embeddings = tf.zeros(embeddings.shape) if train_embeddings else None
    for first in range(0, hidden.shape[0], block):
        block_hidden = hidden[first : first + block]
        losses, d_logits = _losses_and_d_logits(
            block_hidden, embeddings, targets[first : first + block]
        )
        total += tf.reduce_sum(losses)
        d_hidden.append(tf.matmul(d_logits, embeddings, transpose_a=True))
        if d_embeddings is not None:
            d_embeddings += tf.cast(tf.matmul(d_logits, block_hidden), tf.float32)
    return total, tf.concat(d_hidden, 0), d_embeddings


def _add_d_embeddings(d_embeddings: tf.Tensor, d_logits: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    """d_embeddings (n_vocab, n_embd) + d_logits (n_vocab, tokens) by hidden (tokens, n_embd), added
    in place for `LOSS_IDS` ids at a time: the whole product would take as much memory as the sum.
    """
    n_vocab = d_logits.shape[0]
    for first in range(0, n_vocab, LOSS_IDS):
        last = min(first + LOSS_IDS, n_vocab)
        with tf.control_dependencies([d_embeddings]):  # else all matmuls are computed at once
            block = tf.identity(d_logits[first:last])
        product = tf.cast(tf.matmul(block, hidden), tf.float32)
        d_embeddings = scatter_add(d_embeddings, tf.range(first, last)[:, None], product)
    return d_embeddings


def _losses_and_d_logits(
    hidden: tf.Tensor, embeddings: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss of each token (tokens), and the gradients of its logits (n_vocab, tokens). Both are
    0 where the target is negative.

    The vocabulary is the first axis, so that the large matrix is multiplied as it is stored, which
    takes half as long on a CPU as multiplying its transpose.
    """
    logits = tf.cast(tf.matmul(embeddings, hidden, transpose_b=True), tf.float32)
    predicted = tf.cast(targets >= 0, tf.float32)
    rows = tf.maximum(tf.cast(targets, tf.int32), 0)
    indices = tf.stack([rows, tf.range(tf.size(targets))], axis=1)  # of the targets, (tokens, 2)
    highest = tf.reduce_max(logits, axis=0)  # (tokens)
    target_logits = tf.gather_nd(logits, indices)
    exponentials = tf.exp(logits - highest)  # (n_vocab, tokens)
    sums = tf.reduce_sum(exponentials, axis=0)
    d_logits = scatter_add(exponentials * (predicted / sums), indices, -predicted)
    losses = (tf.math.log(sums) + highest - target_logits) * predicted
    return losses, tf.cast(d_logits, hidden.dtype)
