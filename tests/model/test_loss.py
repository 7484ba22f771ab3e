"""The loss in blocks against TensorFlow's, as a function and as the end of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.model import loss as loss_module
from gpt2_helpers.model.loss import evaluation_cross_entropy, mean_cross_entropy
from reference_model import reference_gradients
from toy import TOY, toy_model, toy_weights

RANDOM = np.random.default_rng(2)
HIDDEN = RANDOM.normal(size=(13, 8)).astype(np.float32)
EMBEDDINGS = RANDOM.normal(size=(30, 8)).astype(np.float32)
TARGETS = RANDOM.integers(0, 30, 13)
WINDOWS = RANDOM.integers(0, TOY.n_vocab, (3, 12))  # 33 tokens to predict


def in_blocks(hidden: Any, embeddings: Any, trained: bool = True) -> tuple[float, Any, Any]:
    """The loss and its gradients for both inputs, compiled as in training."""

    @tf.function(autograph=False)
    def compute(hidden: tf.Tensor, embeddings: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([hidden, embeddings])
            loss = mean_cross_entropy(hidden, embeddings, tf.constant(TARGETS), trained)
        return loss, tape.gradient(loss, [hidden, embeddings])

    loss, gradients = compute(tf.constant(hidden), tf.constant(embeddings))
    return float(loss), *gradients


def reference() -> tuple[float, np.ndarray, np.ndarray]:
    hidden, embeddings = tf.constant(HIDDEN), tf.constant(EMBEDDINGS)
    with tf.GradientTape() as tape:
        tape.watch([hidden, embeddings])
        logits = tf.matmul(hidden, embeddings, transpose_b=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, logits))
    gradients = tape.gradient(loss, [hidden, embeddings])
    return float(loss), gradients[0].numpy(), gradients[1].numpy()


@pytest.mark.parametrize("rows", [1, 5, 13, 256])
def test_loss_and_gradients_in_blocks_equal_tensorflows(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS", rows)  # the last block may be shorter
    loss, hidden, embeddings = in_blocks(HIDDEN, EMBEDDINGS)
    expected = reference()
    assert loss == pytest.approx(expected[0], abs=1e-6)
    np.testing.assert_allclose(hidden, expected[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(embeddings, expected[2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ids", [1, 7, 29])
def test_gradients_of_the_embeddings_are_added_in_blocks_of_ids(
    monkeypatch: pytest.MonkeyPatch, ids: int
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS", 5)
    monkeypatch.setattr(loss_module, "LOSS_IDS", ids)  # the last block may be smaller
    _, _, embeddings = in_blocks(HIDDEN, EMBEDDINGS)
    np.testing.assert_allclose(embeddings, reference()[2], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("save_memory", "blocks"), [(False, [5, 5, 3]), (True, [6, 6, 1])])
def test_saving_memory_uses_its_own_block_size(
    monkeypatch: pytest.MonkeyPatch, save_memory: bool, blocks: list[int]
) -> None:
    sizes = []

    def counted(
        hidden: tf.Tensor, *rest: Any, compute: Any = loss_module._losses_and_d_logits
    ) -> Any:
        sizes.append(len(hidden))
        return compute(hidden, *rest)

    monkeypatch.setattr(loss_module, "LOSS_TOKENS", 5)
    monkeypatch.setattr(loss_module, "LOSS_TOKENS_SAVING", 6)
    monkeypatch.setattr(loss_module, "_losses_and_d_logits", counted)
    hidden, embeddings, targets = map(tf.constant, (HIDDEN, EMBEDDINGS, TARGETS))
    mean_cross_entropy(hidden, embeddings, targets, save_memory=save_memory)
    assert sizes == blocks


def test_frozen_embeddings_get_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS", 5)
    loss, hidden, embeddings = in_blocks(HIDDEN, EMBEDDINGS, trained=False)
    expected = reference()
    assert loss == pytest.approx(expected[0], abs=1e-6)
    np.testing.assert_allclose(hidden, expected[1], rtol=0, atol=1e-6)
    assert embeddings is None


@pytest.mark.parametrize("rows", [1, 5, 13, 256])
def test_evaluation_gives_the_same_loss_with_a_third_of_the_products(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS", rows)

    @tf.function(autograph=False)
    def compute(hidden: tf.Tensor, embeddings: tf.Tensor) -> Any:
        return evaluation_cross_entropy(hidden, embeddings, tf.constant(TARGETS))

    graph = compute.get_concrete_function(tf.constant(HIDDEN), tf.constant(EMBEDDINGS)).graph
    operations = [node.op for f in graph.as_graph_def().library.function for node in f.node_def]
    assert operations.count("MatMul") == 1
    assert float(compute(HIDDEN, EMBEDDINGS)) == pytest.approx(reference()[0], abs=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.02), ("float16", 0.003)])
def test_half_precision_is_close(
    monkeypatch: pytest.MonkeyPatch, dtype: str, tolerance: float
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS", 5)
    loss, *gradients = in_blocks(tf.cast(HIDDEN, dtype), tf.cast(EMBEDDINGS, dtype))
    expected = reference()
    assert loss == pytest.approx(expected[0], rel=tolerance)
    for ours, target in zip(gradients, expected[1:], strict=True):
        assert ours.dtype == dtype
        assert relative_error(tf.cast(ours, tf.float32).numpy(), target) < tolerance


def relative_error(ours: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(ours - expected) / np.linalg.norm(expected))


# --- As the end of a model


def training_loss_and_gradients(precision: str, **options: Any) -> tuple[float, dict[str, Any]]:
    """The loss and gradients of a toy model, computed as in training that saves memory."""
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


def test_gradients_of_every_weight_equal_the_references(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS_SAVING", 10)
    loss, gradients = training_loss_and_gradients("float32")
    expected_loss, expected = reference_gradients(toy_weights(), TOY, WINDOWS)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=0, atol=1e-5, err_msg=name)


def test_gradients_of_the_layers_do_not_depend_on_train_embeddings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS_SAVING", 10)
    _, gradients = training_loss_and_gradients("float32", train_embeddings=False)
    _, expected = reference_gradients(toy_weights(), TOY, WINDOWS)
    for name in (name for name in expected if "/h" in name):
        np.testing.assert_allclose(gradients[name], expected[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.06), ("float16", 0.01)])
def test_gradients_in_half_precision_are_close(
    monkeypatch: pytest.MonkeyPatch, precision: str, tolerance: float
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS_SAVING", 10)
    loss, gradients = training_loss_and_gradients(precision)
    expected_loss, expected = reference_gradients(toy_weights(), TOY, WINDOWS)
    assert loss == pytest.approx(expected_loss, rel=tolerance)
    for name, gradient in expected.items():
        assert gradients[name].dtype == np.float32
        assert relative_error(gradients[name], gradient) < tolerance, name
