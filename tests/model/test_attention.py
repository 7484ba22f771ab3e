"""Attention in blocks against plain attention: outputs, gradients, and what is kept in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.model.attention import (
    additive_masks,
    causal_attention,
    causal_mask,
    dot_product_attention,
)
from gpt2_helpers.model.block_sizes import QUERIES
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.system import device
from gpt2_helpers.system.device import Gpu
from reference_model import reference_gradients
from step_graph import control_inputs, nodes_of_a_step, output_and_gradients


def in_blocks(inputs: list[tf.Tensor], d_output: tf.Tensor) -> list[np.ndarray]:
    masks = additive_masks(inputs[0].shape[2])
    return output_and_gradients(lambda q, k, v: causal_attention(q, k, v, masks), inputs, d_output)


def plain(inputs: list[tf.Tensor], d_output: tf.Tensor) -> list[np.ndarray]:
    mask = causal_mask(inputs[0].shape[2])
    return output_and_gradients(
        lambda q, k, v: dot_product_attention(q, k, v, mask), inputs, d_output
    )


@pytest.mark.parametrize("time", [1, 100, QUERIES, QUERIES + 1, 300])
def test_attention_in_blocks_equals_plain_attention(time: int) -> None:
    random = np.random.default_rng(time)
    *inputs, d_output = (
        tf.constant(random.standard_normal((2, 3, time, 8)), tf.float32) for _ in range(4)
    )
    for ours, expected in zip(in_blocks(inputs, d_output), plain(inputs, d_output), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_attention_on_a_gpu_is_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(additive_masks(300)) == 3
    monkeypatch.setattr(device, "gpus", lambda: (Gpu("/device:GPU:0", "Tesla T4", None, (7, 5)),))
    (mask,) = additive_masks(300)
    assert mask.shape == (300, 300)
    np.testing.assert_array_equal(mask == 0.0, np.tril(np.ones((300, 300), bool)))


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.02), ("float16", 0.003)])
def test_attention_in_half_precision_is_close(precision: str, tolerance: float) -> None:
    shape = (1, 2, 2 * QUERIES + 44, 16)
    random = np.random.default_rng(5)
    tensors = [tf.constant(random.standard_normal(shape), tf.float32) for _ in range(4)]
    *inputs, d_output = (tf.cast(tensor, precision) for tensor in tensors)
    for ours, expected in zip(
        in_blocks(inputs, d_output), plain(tensors[:3], tensors[3]), strict=True
    ):
        assert ours.dtype == tf.as_dtype(precision).as_numpy_dtype
        error = np.linalg.norm(ours.astype(np.float32) - expected)
        assert error < tolerance * np.linalg.norm(expected)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_models_gradients_through_several_blocks_equal_the_references(recompute: bool) -> None:
    shape = ModelConfig(n_vocab=60, n_ctx=300, n_embd=16, n_head=2, n_layer=2)
    weights = random_weights(shape)
    windows = np.random.default_rng(6).integers(0, shape.n_vocab, (2, shape.n_ctx))
    model = GPT2(shape, weights)

    @tf.function(autograph=False)
    def compute(windows: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = model.loss(windows, recompute=recompute)
        return loss, tape.gradient(loss, model.variables)

    loss, gradients = compute(tf.constant(windows, tf.int32))
    expected_loss, expected = reference_gradients(weights, shape, windows)
    assert float(loss) == pytest.approx(expected_loss, abs=1e-5)
    for name, gradient in expected.items():
        found = tf.convert_to_tensor(gradients[name])
        np.testing.assert_allclose(found, gradient, rtol=0, atol=1e-5, err_msg=name)


def test_the_backward_pass_slices_keys_and_values_only_when_it_needs_them() -> None:
    nodes = nodes_of_a_step()
    slices = [node for node in nodes.values() if node.op == "Slice"]
    # In each of two layers, for the first of two blocks: keys and values, forward and backward.
    assert len(slices) == 2 * 1 * 4
    # TensorFlow puts the control inputs of a slice on the constants that say where to slice.
    late = [
        node
        for node in slices
        if any(control_inputs(nodes[name.split(":")[0]]) for name in node.input)
    ]
    assert len(late) == len(slices) / 2
