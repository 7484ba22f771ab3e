"""Layer norm, GELU, dropout and the embeddings: values, gradients, and memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.model.layers import dropout, embed, gelu, layer_norm, matmul, scatter_add
from gpt2_helpers.model.variables import LAYER_NORM_EPSILON
from gpt2_helpers.training.trainer import Trainer
from step_graph import control_inputs, nodes_of_a_step, output_and_gradients
from toy import toy_model


def test_gelu_and_its_gradient_follow_the_published_formula() -> None:
    x = tf.constant(np.linspace(-6, 6, 241), tf.float32)
    ours = output_and_gradients(gelu, [x], tf.ones_like(x))
    published = output_and_gradients(
        lambda x: 0.5 * x * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        [x],
        tf.ones_like(x),
    )
    np.testing.assert_allclose(ours[0], published[0], atol=1e-6)
    np.testing.assert_allclose(ours[1], published[1], atol=1e-5)


def test_layer_norm_and_its_gradients_equal_tensorflows() -> None:
    random = np.random.default_rng(0)
    x, d_output = (random.normal(3, 2, (5, 16)).astype(np.float32) for _ in range(2))
    gain, bias = random.normal(1, 0.3, (2, 16)).astype(np.float32)

    def reference(x: Any, gain: Any, bias: Any) -> Any:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, bias, gain, LAYER_NORM_EPSILON)

    inputs = [tf.constant(array) for array in (x, gain, bias)]
    for ours, expected in zip(
        output_and_gradients(layer_norm, inputs, tf.constant(d_output)),
        output_and_gradients(reference, inputs, tf.constant(d_output)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_layer_norm_computes_in_fp32_and_returns_the_dtype_of_its_input(precision: str) -> None:
    x = np.random.default_rng(0).normal(200, 1, (4, 64)).astype(np.float32)
    half = tf.cast(x, precision)
    gain, bias = tf.ones([64], precision), tf.zeros([64], precision)
    normal = layer_norm(half, gain, bias)
    expected = layer_norm(tf.cast(half, tf.float32), tf.ones([64]), tf.zeros([64]))
    assert normal.dtype == tf.as_dtype(precision)
    np.testing.assert_allclose(tf.cast(normal, tf.float32), expected, rtol=0.01, atol=0.01)


# --- Products with half-precision weights


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_matmul_and_its_gradient_are_those_of_the_cast_weight(dtype: str) -> None:
    random = np.random.default_rng(1)
    x, d_output = (tf.constant(random.normal(size=(3, 4)), tf.float32) for _ in range(2))
    weight = tf.cast(random.normal(size=(4, 4)), dtype)
    for ours, expected in zip(
        output_and_gradients(lambda x: matmul(x, weight), [x], d_output),
        output_and_gradients(lambda x: tf.matmul(x, tf.cast(weight, tf.float32)), [x], d_output),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_frozen_weight_is_cast_only_when_its_input_is_there(recompute: bool) -> None:
    nodes = nodes_of_a_step(lora_rank=2, use_memory_saving_gradients=recompute)
    casts = [node for node in nodes.values() if node.op == "Cast" and control_inputs(node)]
    # Four matrices a layer, in the forward and in the backward pass, except for the first in the
    # latter: nothing before it is trained.
    assert len(casts) >= 2 * 4 * 2 - 1
    # A node that waits for a call waits for nothing once the function is inlined. Only the last
    # matrix does, whose gradient comes out of the last layer norm's.
    early = [
        node for node in casts if any("Call" in nodes[name].op for name in control_inputs(node))
    ]
    assert len(early) <= 1


# --- Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_the_given_fraction_and_keeps_the_mean(rate: float) -> None:
    count = 100_001  # odd: the random bits come in pairs
    kept = dropout(tf.ones([count]), rate, tf.constant([3, 4, 0]), salt=2).numpy()
    error = 5 * np.sqrt(rate * (1 - rate) / count)
    assert (kept == 0).mean() == pytest.approx(rate, abs=error)
    np.testing.assert_allclose(kept[kept != 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_differs_between_sites_and_steps() -> None:
    masks = [
        dropout(tf.ones([4000]), 0.5, tf.constant([3, step, 0]), salt).numpy() != 0
        for step in (1, 2)
        for salt in (0, 1)
    ]
    for order, one in enumerate(masks):
        for other in masks[:order]:
            assert (one == other).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("shape", [(6, 2, 8), (6, 3, 5), (6, 7)])
def test_dropout_of_a_sequence_depends_on_its_number_only(shape: tuple[int, ...]) -> None:
    whole = dropout(tf.ones(shape), 0.5, tf.constant([3, 4, 0]), 1, batch=6)
    parts = [
        dropout(tf.ones([count, *shape[1:]]), 0.5, tf.constant([3, 4, first]), 1, batch=count)
        for first, count in ((0, 1), (1, 3), (4, 2))
    ]
    np.testing.assert_array_equal(tf.concat(parts, 0), whole)
    assert len({sequence.numpy().tobytes() for sequence in whole}) == 6


# --- Embeddings


@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-6), ("bfloat16", 0.02)])
def test_the_gradient_of_embeddings_adds_both_of_their_uses(dtype: str, error: float) -> None:
    random = np.random.default_rng(2)
    embeddings = tf.cast(random.normal(size=(6, 3)), dtype)
    ids = tf.constant([[1, 4, 1], [0, 4, 4]])
    d_embedded = tf.cast(random.normal(size=(2, 3, 3)), dtype)
    d_embeddings = tf.cast(random.normal(size=(6, 3)), dtype)
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        outputs = embed(embeddings, ids)
    np.testing.assert_array_equal(outputs[0], tf.gather(embeddings, ids))
    np.testing.assert_array_equal(outputs[1], embeddings)
    gradient = tape.gradient(outputs, embeddings, [d_embedded, d_embeddings])
    expected = np.array(tf.cast(d_embeddings, tf.float32))
    np.add.at(expected, ids.numpy(), tf.cast(d_embedded, tf.float32).numpy())
    found = tf.cast(tf.convert_to_tensor(gradient), tf.float32)
    np.testing.assert_allclose(found, expected, rtol=error, atol=error)


def test_scatter_add_changes_no_tensor_that_is_used_elsewhere() -> None:
    indices, updates = tf.constant([[2], [2], [0]]), tf.constant([1.0, 2.0, 4.0])

    @tf.function(autograph=False)
    def in_place(x: tf.Tensor) -> tf.Tensor:
        return scatter_add(x * 2, indices, updates)

    @tf.function(autograph=False)
    def copied(x: tf.Tensor) -> Any:
        return scatter_add(x, indices, updates), x

    np.testing.assert_array_equal(in_place(tf.ones(3)), [6, 2, 5])
    ones = tf.ones(3)
    np.testing.assert_array_equal(copied(ones)[0], [5, 1, 4])
    np.testing.assert_array_equal(ones, [1, 1, 1])


def test_training_adds_to_matrices_in_place() -> None:
    model = toy_model()
    trainer = Trainer(model, np.tile(np.arange(20), 9), FinetuneConfig(seed=1))
    graph = trainer._train.concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    scatters = {node.op for node in nodes if "Scatter" in node.op}
    assert scatters == {"ScatterNdNonAliasingAdd"}  # TensorScatterAdd copies first
