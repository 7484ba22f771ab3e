"""Primitives of the model with gradients that need less memory than TensorFlow's own.

Tensors in, tensors out. TensorFlow's gradients of layer norm and GELU keep several tensors as large
as the activations and pass over them a dozen times. TensorFlow also never frees a custom gradient,
nor the graph it was defined in, nor what that graph reads. So these two are defined in small graphs
of their own, made once for each dtype.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from gpt2_helpers.model.variables import LAYER_NORM_EPSILON
from gpt2_helpers.system import xla

PRECISIONS = ("float32", "bfloat16", "float16")
_PHILOX = 1  # TensorFlow's number of the algorithm


def matmul(x: tf.Tensor, weight: Any) -> tf.Tensor:
    """x (rows, n_in) by weight (n_in, n_out) -> (rows, n_out), in x's dtype.

    A frozen weight may be stored in half precision, which takes half the memory. It is cast to x's
    dtype for each matmul, once in the forward and once in the backward pass, and then gets no
    gradient.
    """
    if weight.dtype == x.dtype:
        return tf.matmul(x, weight)

    @tf.custom_gradient
    def compute(x: tf.Tensor) -> Any:
        def gradient(d_out: tf.Tensor) -> tf.Tensor:
            return tf.matmul(d_out, _cast_after(d_out, weight), transpose_b=True)

        return tf.matmul(x, _cast_after(x, weight)), gradient

    return compute(x)


def _cast_after(x: tf.Tensor, weight: Any) -> tf.Tensor:
    """`weight` in x's dtype, cast only when x is there: TensorFlow would otherwise cast all weights
    at the start and keep them."""
    with tf.control_dependencies([x]):
        return tf.cast(weight, x.dtype)


def layer_norm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Normalize each vector of x (rows, n_embd) to mean 0 and variance 1, then scale it by `gain`
    (n_embd) and shift it by `bias` (n_embd). Computed in fp32, returned in x's dtype.

    "Layer Normalization", Ba et al. 2016. `layer_norm(x, tf.ones(4), tf.zeros(4))` of
    `[[1., 2., 3., 4.]]` is about `[[-1.34, -0.45, 0.45, 1.34]]`.
    """
    matrix, vector = tf.TensorSpec([None, None], x.dtype), tf.TensorSpec([None], gain.dtype)
    scaled = _scaled_norm.get_concrete_function(matrix, vector)(x, gain)
    scaled.set_shape(x.shape)
    # Not in that graph: `matmul` casts a weight after its input, and an operation that waits for
    # the call of a graph does not wait for what the graph returns.
    return tf.cast(scaled + tf.cast(bias, tf.float32), x.dtype)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """GELU in its tanh form: x / 2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    "Gaussian Error Linear Units", Hendrycks and Gimpel 2016. Computed with the sigmoid, since
    (1 + tanh(z / 2)) / 2 = sigmoid(z). Its input is the model's widest activation: TensorFlow's
    gradient keeps five tensors of that size, this one keeps one.
    """
    graph = _flat_gelu.get_concrete_function(tf.TensorSpec([None], x.dtype))
    return tf.reshape(graph(tf.reshape(x, [-1])), tf.shape(x))


def make_graphs() -> None:
    """Make the graphs of layer norm and GELU for each dtype.

    To be called before code that unregisters the custom gradients defined during it.
    """
    for precision in PRECISIONS:
        gelu(tf.zeros([1], precision))
        layer_norm(tf.zeros([1, 1], precision), *tf.zeros([2, 1], precision))


@tf.function(autograph=False)
def _scaled_norm(x: tf.Tensor, gain: tf.Tensor) -> tf.Tensor:
    """Layer norm without its bias, in fp32."""

    @tf.custom_gradient
    def compute(x: tf.Tensor, gain: tf.Tensor) -> Any:
        x_fp32, scale = tf.cast(x, tf.float32), tf.cast(gain, tf.float32)
        centered = x_fp32 - tf.reduce_mean(x_fp32, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centered), axis=-1, keepdims=True)
        inverse_std = tf.math.rsqrt(variance + LAYER_NORM_EPSILON)  # (rows, 1)
        normal = centered * inverse_std

        def gradient(d_out: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            d_gain = tf.reduce_sum(d_out * normal, axis=0)
            d_normal = d_out * scale
            # Changes of x that only move a vector's mean or variance do not change the output.
            projection = tf.reduce_mean(d_normal * normal, axis=-1, keepdims=True)
            d_normal -= tf.reduce_mean(d_normal, axis=-1, keepdims=True) + normal * projection
            return tf.cast(d_normal * inverse_std, x.dtype), tf.cast(d_gain, gain.dtype)

        return normal * scale, gradient

    return compute(x, gain)


@tf.function(autograph=False)
def _flat_gelu(x: tf.Tensor) -> tf.Tensor:
    """GELU of x (n)."""

    @tf.custom_gradient
    def compute(x: tf.Tensor) -> Any:
        x_fp32 = tf.cast(x, tf.float32)
        outer = 2.0 * math.sqrt(2.0 / math.pi)
        inner = 0.044715 * outer
        square = tf.square(x_fp32)
        gate = tf.sigmoid(x_fp32 * (outer + inner * square))
        # Computed in the forward pass: otherwise all its operands would be kept until the backward
        # pass.
        derivative = gate + x_fp32 * gate * (1.0 - gate) * (outer + 3.0 * inner * square)
        derivative = tf.cast(derivative, x.dtype)
        return tf.cast(x_fp32 * gate, x.dtype), lambda d_out: d_out * derivative

    return compute(x)


def dropout(
    x: tf.Tensor, rate: float, seed: tf.Tensor | None, salt: int, batch: tf.Tensor | int = 1
) -> tf.Tensor:
    """Set a fraction `rate` of x to zero and scale the rest by 1 / (1 - rate).

    The random bits of a sequence depend only on `seed`, `salt` and the sequence's number, so that a
    resumed run drops the same activations, and several devices drop those that one would.

    Args:
        x: The activations; its first axis is that of the sequences, or those of all their tokens.
        rate: Dropout rate.
        seed: Two random numbers, and the number of x's first sequence in the batch of all
            devices (3). Without a seed x is returned as it is.
        salt: Distinguishes dropout layers that share a seed.
        batch: Number of sequences in x.
    """
    if seed is None or rate == 0.0:
        return x
    bits = _random_bits(seed, salt, batch, (x.shape.num_elements() or tf.size(x)) // batch)
    # As uint16: even on a GPU, TensorFlow compares int32 in main memory.
    keep = bits >= tf.constant(min(round(rate * 65536), 65535), tf.uint16)
    dropped = x * tf.cast(tf.reshape(keep, tf.shape(x)), x.dtype)
    dropped.set_shape(x.shape)
    return dropped * tf.cast(1 / (1 - rate), x.dtype)


def _random_bits(
    seed: tf.Tensor, salt: int, batch: tf.Tensor | int, count: tf.Tensor | int
) -> tf.Tensor:
    """16 random bits for each of `count` activations of each sequence, uint16 (batch, count).

    Half of what TensorFlow's dropout draws. Philox [1] turns a key and a counter into 128 bits, so
    each sequence has `ceil(count / 8)` values of the counter of its own.

    [1] J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """
    n_counters = (count + 7) // 8
    # The same operation for every layer, which TensorFlow therefore computes once.
    key = tf.random.stateless_uniform([2], seed[:2], None, None, tf.int32, alg="philox")
    first = tf.cast(seed[2], tf.int64) * tf.cast(n_counters, tf.int64)
    counter = tf.stack([first, tf.constant(salt, tf.int64)])
    numbers = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([batch, 4 * n_counters]),
        key=tf.reshape(tf.bitcast(key, tf.uint64), [1]),
        counter=tf.bitcast(counter, tf.uint64),
        alg=_PHILOX,
        dtype=tf.int32,
    )
    bits = tf.reshape(tf.bitcast(numbers, tf.uint16), tf.stack([batch, 8 * n_counters]))
    return bits if isinstance(count, int) and count % 8 == 0 else bits[:, :count]


def embed(embeddings: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Look up ids (batch, time) in embeddings (n_vocab, n_embd) -> (batch, time, n_embd), and
    return the embeddings again, for use as the output matrix.

    The gradients of the two uses are each as large as the matrix. In fp32 the gradient of the
    look-up is added to that of the output in place, so that only one is in memory. In 16 bits the
    many small addends would be lost to rounding.
    """
    if embeddings.dtype != tf.float32:
        return tf.gather(embeddings, ids), embeddings

    @tf.custom_gradient
    def compute(embeddings: tf.Tensor) -> Any:
        def gradient(d_embedded: tf.Tensor, d_embeddings: tf.Tensor) -> tf.Tensor:
            return scatter_add(d_embeddings, ids[..., None], d_embedded)

        return (tf.gather(embeddings, ids), tf.identity(embeddings)), gradient

    outputs: tuple[tf.Tensor, tf.Tensor] = compute(embeddings)
    return outputs


def scatter_add(tensor: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor) -> tf.Tensor:
    """As `tf.tensor_scatter_nd_add`, but in place if nothing else needs `tensor`.

    XLA has no kernel for the operation that does this, and updates in place without it.
    """
    if xla.is_tracing():
        return tf.tensor_scatter_nd_add(tensor, indices, updates)
    return tf.raw_ops.ScatterNdNonAliasingAdd(input=tensor, indices=indices, updates=updates)
