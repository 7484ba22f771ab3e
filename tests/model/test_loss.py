"""The loss in slices against the library's in one piece, alone and behind a whole model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.model import loss as loss_module
from gpt2_helpers.model.loss import mean_cross_entropy, measured_cross_entropy
from gpt2_helpers.training.trainer import Trainer
from reference_model import straight_gradients
from toy import TOY, toy_model, toy_weights

RANDOM = np.random.default_rng(2)
HIDDEN = RANDOM.normal(size=(13, 8)).astype(np.float32)
EMBEDDINGS = RANDOM.normal(size=(30, 8)).astype(np.float32)
TARGETS = RANDOM.integers(0, 30, 13)
WINDOWS = RANDOM.integers(0, TOY.n_vocab, (3, 12))  # 33 tokens to predict


def sliced(hidden: Any, embeddings: Any, trained: bool = True) -> tuple[float, Any, Any]:
    """The loss and its gradients for both, compiled as in training."""

    @tf.function(autograph=False)
    def compute(hidden: tf.Tensor, embeddings: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([hidden, embeddings])
            loss = mean_cross_entropy(hidden, embeddings, tf.constant(TARGETS), trained)
        return loss, tape.gradient(loss, [hidden, embeddings])

    loss, gradients = compute(tf.constant(hidden), tf.constant(embeddings))
    return float(loss), *gradients


def in_one_piece() -> tuple[float, np.ndarray, np.ndarray]:
    hidden, embeddings = tf.constant(HIDDEN), tf.constant(EMBEDDINGS)
    with tf.GradientTape() as tape:
        tape.watch([hidden, embeddings])
        logits = tf.matmul(hidden, embeddings, transpose_b=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, logits))
    gradients = tape.gradient(loss, [hidden, embeddings])
    return float(loss), gradients[0].numpy(), gradients[1].numpy()


@pytest.mark.parametrize("rows", [1, 5, 13, 256])
def test_slices_give_the_loss_and_gradients_of_one_piece(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(loss_module, "ROWS", rows)  # the last slice may be a short one
    loss, hidden, embeddings = sliced(HIDDEN, EMBEDDINGS)
    expected = in_one_piece()
    assert loss == pytest.approx(expected[0], abs=1e-6)
    np.testing.assert_allclose(hidden, expected[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(embeddings, expected[2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ids", [1, 7, 29])
def test_gradients_of_the_embeddings_are_added_some_ids_after_others(
    monkeypatch: pytest.MonkeyPatch, ids: int
) -> None:
    monkeypatch.setattr(loss_module, "ROWS", 5)
    monkeypatch.setattr(loss_module, "IDS", ids)  # the last may be fewer
    _, _, embeddings = sliced(HIDDEN, EMBEDDINGS)
    np.testing.assert_allclose(embeddings, in_one_piece()[2], rtol=0, atol=1e-6)


def test_adding_changes_nothing_that_somebody_else_needs() -> None:
    places, more = tf.constant([[2], [2], [0]]), tf.constant([1.0, 2.0, 4.0])

    @tf.function(autograph=False)
    def lone(x: tf.Tensor) -> tf.Tensor:
        return loss_module.added_at(x * 2, places, more)

    @tf.function(autograph=False)
    def needed(x: tf.Tensor) -> Any:
        return loss_module.added_at(x, places, more), x

    np.testing.assert_array_equal(lone(tf.ones(3)), [6, 2, 5])
    ones = tf.ones(3)
    np.testing.assert_array_equal(needed(ones)[0], [5, 1, 4])
    np.testing.assert_array_equal(ones, [1, 1, 1])


def test_training_copies_no_matrix_to_add_to_it() -> None:
    model = toy_model()
    trainer = Trainer(model, np.tile(np.arange(20), 9), FinetuneConfig(seed=1))
    graph = trainer._train.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    adding = {node.op for node in nodes if "Scatter" in node.op}
    assert adding == {"ScatterNdNonAliasingAdd"}  # TensorScatterAdd copies first


@pytest.mark.parametrize(("save_memory", "slices"), [(False, [5, 5, 3]), (True, [6, 6, 1])])
def test_saving_memory_has_slices_of_its_own(
    monkeypatch: pytest.MonkeyPatch, save_memory: bool, slices: list[int]
) -> None:
    seen = []

    def counted(hidden: tf.Tensor, *rest: Any, whole: Any = loss_module._losses) -> Any:
        seen.append(len(hidden))
        return whole(hidden, *rest)

    monkeypatch.setattr(loss_module, "ROWS", 5)
    monkeypatch.setattr(loss_module, "SAVING_ROWS", 6)
    monkeypatch.setattr(loss_module, "_losses", counted)
    hidden, embeddings, targets = map(tf.constant, (HIDDEN, EMBEDDINGS, TARGETS))
    mean_cross_entropy(hidden, embeddings, targets, save_memory=save_memory)
    assert seen == slices


def test_embeddings_that_are_not_trained_get_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "ROWS", 5)
    loss, hidden, embeddings = sliced(HIDDEN, EMBEDDINGS, trained=False)
    expected = in_one_piece()
    assert loss == pytest.approx(expected[0], abs=1e-6)
    np.testing.assert_allclose(hidden, expected[1], rtol=0, atol=1e-6)
    assert embeddings is None


@pytest.mark.parametrize("rows", [1, 5, 13, 256])
def test_who_only_measures_gets_the_same_loss_by_a_third_of_the_products(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(loss_module, "ROWS", rows)

    @tf.function(autograph=False)
    def compute(hidden: tf.Tensor, embeddings: tf.Tensor) -> Any:
        return measured_cross_entropy(hidden, embeddings, tf.constant(TARGETS))

    graph = compute.get_concrete_function(tf.constant(HIDDEN), tf.constant(EMBEDDINGS)).graph
    parts = [node.op for f in graph.as_graph_def().library.function for node in f.node_def]
    assert parts.count("MatMul") == 1
    assert float(compute(HIDDEN, EMBEDDINGS)) == pytest.approx(in_one_piece()[0], abs=1e-6)


@pytest.mark.parametrize(("dtype", "off"), [("bfloat16", 0.02), ("float16", 0.003)])
def test_fewer_bits_give_nearly_the_same(
    monkeypatch: pytest.MonkeyPatch, dtype: str, off: float
) -> None:
    monkeypatch.setattr(loss_module, "ROWS", 5)
    loss, *gradients = sliced(tf.cast(HIDDEN, dtype), tf.cast(EMBEDDINGS, dtype))
    expected = in_one_piece()
    assert loss == pytest.approx(expected[0], rel=off)
    for ours, theirs in zip(gradients, expected[1:], strict=True):
        assert ours.dtype == dtype
        assert relative_error(tf.cast(ours, tf.float32).numpy(), theirs) < off


def relative_error(ours: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(ours - expected) / np.linalg.norm(expected))


# --- Behind a whole model


def of_the_training(precision: str, **options: Any) -> tuple[float, dict[str, Any]]:
    """The loss and gradients of a toy as training that saves memory computes them."""
    model = toy_model(precision=precision)
    scale = 1024.0 if precision == "float16" else 1.0  # see `Trainer`

    @tf.function(autograph=False)
    def compute(windows: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = model.loss(windows, recompute=True, **options)
            scaled = loss * scale
        return loss, tape.gradient(scaled, model.variables)

    loss, gradients = compute(tf.constant(WINDOWS, tf.int32))
    return float(loss), {
        name: tf.convert_to_tensor(gradient).numpy() / scale
        for name, gradient in gradients.items()
        if gradient is not None
    }


def test_gradients_of_every_weight_are_those_of_the_plain_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_module, "SAVING_ROWS", 10)
    loss, gradients = of_the_training("float32")
    expected_loss, expected = straight_gradients(toy_weights(), TOY, WINDOWS)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=0, atol=1e-5, err_msg=name)


def test_gradients_of_the_layers_are_the_same_without_those_of_the_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_module, "SAVING_ROWS", 10)
    _, gradients = of_the_training("float32", train_embeddings=False)
    _, expected = straight_gradients(toy_weights(), TOY, WINDOWS)
    for name in (name for name in expected if "/h" in name):
        np.testing.assert_allclose(gradients[name], expected[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("precision", "off"), [("bfloat16", 0.06), ("float16", 0.01)])
def test_gradients_in_fewer_bits_are_near(
    monkeypatch: pytest.MonkeyPatch, precision: str, off: float
) -> None:
    monkeypatch.setattr(loss_module, "SAVING_ROWS", 10)
    loss, gradients = of_the_training(precision)
    expected_loss, expected = straight_gradients(toy_weights(), TOY, WINDOWS)
    assert loss == pytest.approx(expected_loss, rel=off)
    for name, gradient in expected.items():
        assert gradients[name].dtype == np.float32
        assert relative_error(gradients[name], gradient) < off, name
