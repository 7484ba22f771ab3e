"""Layer norm and GELU, each with a gradient of its own. Tensors in, tensors out.

The library's gradients keep several tensors as large as the activations and pass over them a dozen
times. TensorFlow never lets go of a custom gradient, nor of the graph it was made in, with all that
this one reads: so each stands in a small graph of its own, made once for each type of number.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from gpt2_helpers.model.variables import LAYER_NORM_EPSILON

PRECISIONS = ("float32", "bfloat16", "float16")


def layer_norm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Each vector of x (rows, n_embd) to mean 0 and variance 1, then scaled by `gain` (n_embd) and
    shifted by `bias` (n_embd); in fp32 whatever comes in ("Layer Normalization", Ba et al. 2016).

    `layer_norm(x, tf.ones(4), tf.zeros(4))` of `[[1., 2., 3., 4.]]` is about
    `[[-1.34, -0.45, 0.45, 1.34]]`.
    """
    vectors, vector = tf.TensorSpec([None, None], x.dtype), tf.TensorSpec([None], gain.dtype)
    scaled = _norm.get_concrete_function(vectors, vector)(x, gain)
    scaled.set_shape(x.shape)
    # Not within: what waits for a graph of its own does not wait for what comes out of it, and
    # `products` widens a matrix once the numbers that it multiplies are there.
    return tf.cast(scaled + tf.cast(bias, tf.float32), x.dtype)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Hendrycks and Gimpel's GELU, tanh form: x / 2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    Written with the sigmoid, since (1 + tanh(z / 2)) / 2 = sigmoid(z), and with its own gradient:
    the library's keeps five tensors of this, the model's widest, where one is enough.
    """
    trace = _flat_gelu.get_concrete_function(tf.TensorSpec([None], x.dtype))
    return tf.reshape(trace(tf.reshape(x, [-1])), tf.shape(x))


def make_graphs() -> None:
    """Make what is made once, before anything that forgets the gradients made meanwhile."""
    for precision in PRECISIONS:
        gelu(tf.zeros([1], precision))
        layer_norm(tf.zeros([1, 1], precision), *tf.zeros([2, 1], precision))


@tf.function(autograph=False)
def _norm(x: tf.Tensor, gain: tf.Tensor) -> tf.Tensor:
    @tf.custom_gradient
    def compute(x: tf.Tensor, gain: tf.Tensor) -> Any:
        wide, scale = tf.cast(x, tf.float32), tf.cast(gain, tf.float32)
        centred = wide - tf.reduce_mean(wide, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        narrowing = tf.math.rsqrt(variance + LAYER_NORM_EPSILON)  # (rows, 1)
        normal = centred * narrowing

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            to_gain = tf.reduce_sum(upstream * normal, axis=0)
            slope = upstream * scale
            # What would move the mean or the variance of a vector changes nothing behind them.
            along = tf.reduce_mean(slope * normal, axis=-1, keepdims=True)
            slope -= tf.reduce_mean(slope, axis=-1, keepdims=True) + normal * along
            return tf.cast(slope * narrowing, x.dtype), tf.cast(to_gain, gain.dtype)

        return normal * scale, gradient

    return compute(x, gain)


@tf.function(autograph=False)
def _flat_gelu(x: tf.Tensor) -> tf.Tensor:
    @tf.custom_gradient
    def compute(x: tf.Tensor) -> Any:
        wide = tf.cast(x, tf.float32)
        outer = 2.0 * math.sqrt(2.0 / math.pi)
        inner = 0.044715 * outer
        square = tf.square(wide)
        gate = tf.sigmoid(wide * (outer + inner * square))
        # Here and not on the way back, until which all that it is made of would be kept.
        slope = gate + wide * gate * (1.0 - gate) * (outer + 3.0 * inner * square)
        slope = tf.cast(slope, x.dtype)
        return tf.cast(wide * gate, x.dtype), lambda upstream: upstream * slope

    return compute(x)
