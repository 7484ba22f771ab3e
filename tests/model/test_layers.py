"""Layer norm, GELU and attention: their own gradients, and how long what they need is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig, ModelConfig
from gpt2_helpers.model import attention
from gpt2_helpers.model.gpt2 import GPT2, attend, causal_mask, random_weights
from gpt2_helpers.model.layers import gelu, layer_norm
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.model.variables import LAYER_NORM_EPSILON
from gpt2_helpers.training.trainer import Trainer
from reference_model import straight_gradients


def slopes(compute: Callable[..., Any], given: Sequence[Any], upstream: Any) -> list[np.ndarray]:
    """What `compute` makes of what is given, and its gradients for each of them."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        out = compute(*given)
    return [out.numpy(), *(slope.numpy() for slope in tape.gradient(out, given, upstream))]


def test_gelu_and_its_slope_follow_the_published_formula() -> None:
    x = tf.constant(np.linspace(-6, 6, 241), tf.float32)
    ours = slopes(gelu, [x], tf.ones_like(x))
    published = slopes(
        lambda x: 0.5 * x * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        [x],
        tf.ones_like(x),
    )
    np.testing.assert_allclose(ours[0], published[0], atol=1e-6)
    np.testing.assert_allclose(ours[1], published[1], atol=1e-5)


def test_layer_norm_and_its_gradients_are_those_of_the_library() -> None:
    random = np.random.default_rng(0)
    x, upstream = (random.normal(3, 2, (5, 16)).astype(np.float32) for _ in range(2))
    gain, bias = random.normal(1, 0.3, (2, 16)).astype(np.float32)

    def plain(x: Any, gain: Any, bias: Any) -> Any:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, bias, gain, LAYER_NORM_EPSILON)

    given = [tf.constant(array) for array in (x, gain, bias)]
    for ours, theirs in zip(
        slopes(layer_norm, given, tf.constant(upstream)),
        slopes(plain, given, tf.constant(upstream)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_layer_norm_computes_in_fp32_and_answers_in_the_type_it_was_given(precision: str) -> None:
    x = np.random.default_rng(0).normal(200, 1, (4, 64)).astype(np.float32)
    narrow = tf.cast(x, precision)
    gain, bias = tf.ones([64], precision), tf.zeros([64], precision)
    found = layer_norm(narrow, gain, bias)
    wide = layer_norm(tf.cast(narrow, tf.float32), tf.ones([64]), tf.zeros([64]))
    assert found.dtype == tf.as_dtype(precision)
    np.testing.assert_allclose(tf.cast(found, tf.float32), wide, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("time", [1, 100, attention.QUERIES, attention.QUERIES + 1, 300])
def test_attention_in_blocks_and_its_gradients_are_those_of_the_whole(time: int) -> None:
    random = np.random.default_rng(time)
    query, key, value, upstream = (
        tf.constant(random.standard_normal((2, 3, time, 8)), tf.float32) for _ in range(4)
    )
    masks = attention.causal_masks(time)
    for ours, whole in zip(
        slopes(
            lambda q, k, v: attention.causal_attention(q, k, v, masks),
            [query, key, value],
            upstream,
        ),
        slopes(lambda q, k, v: attend(q, k, v, causal_mask(time)), [query, key, value], upstream),
        strict=True,
    ):
        np.testing.assert_allclose(ours, whole, atol=1e-5)


@pytest.mark.parametrize(("precision", "off"), [("bfloat16", 0.02), ("float16", 0.003)])
def test_attention_in_blocks_of_fewer_bits_is_near(precision: str, off: float) -> None:
    time = 2 * attention.QUERIES + 44
    random = np.random.default_rng(5)
    given = [tf.constant(random.standard_normal((1, 2, time, 16)), tf.float32) for _ in range(4)]
    masks = attention.causal_masks(time)
    *narrow, upstream = (tf.cast(array, precision) for array in given)
    ours = slopes(lambda q, k, v: attention.causal_attention(q, k, v, masks), narrow, upstream)
    whole = slopes(lambda q, k, v: attend(q, k, v, causal_mask(time)), given[:3], given[3])
    for found, expected in zip(ours, whole, strict=True):
        assert found.dtype == tf.as_dtype(precision).as_numpy_dtype
        error = np.linalg.norm(found.astype(np.float32) - expected)
        assert error < off * np.linalg.norm(expected)


@pytest.mark.parametrize("saving", [False, True])
def test_gradients_through_several_blocks_are_those_of_the_plain_way(saving: bool) -> None:
    shape = ModelConfig(n_vocab=60, n_ctx=300, n_embd=16, n_head=2, n_layer=2)
    weights = random_weights(shape)
    windows = np.random.default_rng(6).integers(0, shape.n_vocab, (2, shape.n_ctx))
    model = GPT2(shape, weights)

    @tf.function(autograph=False)
    def compute(windows: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = model.loss(windows, recompute=saving)
        return loss, tape.gradient(loss, model.variables)

    loss, gradients = compute(tf.constant(windows, tf.int32))
    expected_loss, expected = straight_gradients(weights, shape, windows)
    assert float(loss) == pytest.approx(expected_loss, abs=1e-5)
    for name, gradient in expected.items():
        found = tf.convert_to_tensor(gradients[name])
        np.testing.assert_allclose(found, gradient, rtol=0, atol=1e-5, err_msg=name)


# --- Memory: nothing is there before it is needed. A graph runs whatever it can at once.


def nodes_of_a_step(**options: Any) -> dict[str, Any]:
    """By name, what a training step of a small model computes."""
    shape = ModelConfig(n_vocab=60, n_ctx=2 * attention.QUERIES, n_embd=16, n_head=2, n_layer=2)
    config = FinetuneConfig(steps=1, batch_size=1, accumulate_gradients=1, **options)
    model = GPT2(shape, random_weights(shape), frozen=config.lora_rank > 0)
    if config.lora_rank:
        model.load_adapters(new_adapters(shape, config.lora_rank, seed=0))
    trainer = Trainer(model, np.arange(4 * shape.n_ctx) % 60, config)
    graph = trainer._train.get_concrete_function().graph.as_graph_def()
    return {node.name: node for node in graph.node}


def waits_for(node: Any) -> list[str]:
    return [name.removeprefix("^") for name in node.input if name.startswith("^")]


def test_the_way_back_through_attention_cuts_keys_and_values_off_only_then() -> None:
    nodes = nodes_of_a_step()
    cut = [node for node in nodes.values() if node.op == "Slice"]
    # For each layer and block but the last: keys and values, there and back.
    assert len(cut) == 2 * 1 * 4
    # TensorFlow lets the constants that say where to cut wait for what the cut is to wait for.
    late = [
        node for node in cut if any(waits_for(nodes[name.split(":")[0]]) for name in node.input)
    ]
    assert len(late) == len(cut) / 2


@pytest.mark.parametrize("saving", [False, True])
def test_a_frozen_matrix_is_widened_only_when_what_it_multiplies_is_there(saving: bool) -> None:
    nodes = nodes_of_a_step(lora_rank=2, use_memory_saving_gradients=saving)
    widened = [node for node in nodes.values() if node.op == "Cast" and waits_for(node)]
    # Four matrices a layer, there and back, but for the first: nothing before it is trained.
    assert len(widened) >= 2 * 4 * 2 - 1
    # What waits for a call waits for nothing once its graph has been put in its place. The last
    # matrix alone does: its gradient comes out of the last norm's.
    early = [x for x in widened if any("Call" in nodes[name].op for name in waits_for(x))]
    assert len(early) <= 1
