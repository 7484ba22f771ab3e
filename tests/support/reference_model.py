"""A reference GPT-2 in plain TensorFlow operations, with TensorFlow's own gradients.

No blocks, no recomputed activations, no custom gradients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from gpt2_helpers.config import ModelConfig


def reference_loss(weights: Mapping[str, Any], config: ModelConfig, windows: np.ndarray) -> Any:
    """Mean loss over `windows` (batch, time) in nats per token; `weights` are in fp32."""
    ids, targets = windows[:, :-1], windows[:, 1:]
    time = ids.shape[1]
    x = tf.gather(weights["model/wte"], ids) + weights["model/wpe"][:time]

    def norm(x: tf.Tensor, name: str) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        gain, bias = weights[f"{name}/g"], weights[f"{name}/b"]
        return tf.nn.batch_normalization(x, mean, variance, bias, gain, 1e-5)

    def dense(x: tf.Tensor, name: str) -> tf.Tensor:
        return tf.einsum("bti,io->bto", x, weights[f"{name}/w"][0]) + weights[f"{name}/b"]

    for layer in range(config.n_layer):
        name = f"model/h{layer}"
        qkv = dense(norm(x, f"{name}/ln_1"), f"{name}/attn/c_attn")
        shape = [len(ids), time, config.n_head, config.head_dim]
        query, key, value = (tf.reshape(part, shape) for part in tf.split(qkv, 3, axis=-1))
        scores = tf.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(config.head_dim)
        mask = np.triu(np.full((time, time), -1e9, np.float32), 1)
        attended = tf.einsum("bhqk,bkhd->bqhd", tf.nn.softmax(scores + mask), value)
        x += dense(tf.reshape(attended, x.shape), f"{name}/attn/c_proj")
        hidden = tf.nn.gelu(dense(norm(x, f"{name}/ln_2"), f"{name}/mlp/c_fc"), approximate=True)
        x += dense(hidden, f"{name}/mlp/c_proj")
    logits = tf.einsum("btd,vd->btv", norm(x, "model/ln_f"), weights["model/wte"])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))


def reference_gradients(
    weights: Mapping[str, np.ndarray], config: ModelConfig, windows: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """`reference_loss` and its gradient for every weight."""
    constants = {name: tf.constant(array) for name, array in weights.items()}
    with tf.GradientTape() as tape:
        tape.watch(constants)
        loss = reference_loss(constants, config, windows)
    gradients = tape.gradient(loss, constants)
    return float(loss), {
        name: tf.convert_to_tensor(gradient).numpy() for name, gradient in gradients.items()
    }
