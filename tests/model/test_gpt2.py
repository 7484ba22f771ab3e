"""The model against Hugging Face's GPT-2 with the same weights, and the effects of its options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.variables import variable_shapes
from paths import GOLDEN
from toy import TOY, toy_model

GOLDEN_FILE = GOLDEN / "transformers.npz"
Golden = dict[str, np.ndarray]


@pytest.fixture(autouse=True, scope="module")
def _on_cpu() -> Iterator[None]:
    """The golden numbers come from a CPU; many GPUs round fp32 products far more."""
    with tf.device("CPU:0"):
        yield


@pytest.fixture(scope="module")
def golden() -> Golden:
    with np.load(GOLDEN_FILE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def golden_model(golden: Golden) -> GPT2:
    return GPT2(ModelConfig(*golden["config"].tolist()), golden)


@pytest.fixture(scope="module")
def model() -> GPT2:
    return toy_model()


def gradients(model: GPT2, windows: np.ndarray, **options: Any) -> tuple[float, Golden]:
    """The loss of `windows` and its gradient for each variable."""
    with tf.GradientTape() as tape:
        loss = model.loss(tf.constant(windows), **options)
    found = tape.gradient(loss, model.variables)
    return float(loss), {name: tf.convert_to_tensor(g).numpy() for name, g in found.items()}


# --- Agreement with Hugging Face


@pytest.mark.parametrize("order", [0, 1, 2])
def test_logits_equal_those_of_transformers(golden: Golden, golden_model: GPT2, order: int) -> None:
    expected = golden[f"logits_{order}"]
    logits = golden_model.logits(golden[f"ids_{order}"])
    assert logits.dtype == tf.float32
    assert logits.shape == expected.shape
    np.testing.assert_allclose(logits.numpy(), expected, rtol=0, atol=1e-4)


def test_one_of_the_golden_texts_fills_the_context(golden: Golden, golden_model: GPT2) -> None:
    lengths = [golden[f"ids_{order}"].shape[1] for order in range(3)]
    assert max(lengths) == golden_model.config.n_ctx


def test_loss_and_gradients_equal_those_of_transformers(golden: Golden, golden_model: GPT2) -> None:
    loss, found = gradients(golden_model, golden["windows"])
    assert loss == pytest.approx(float(golden["loss"]), abs=1e-4)
    for name, gradient in found.items():
        expected = golden[f"gradient/{name}"]
        scale = max(1.0, abs(expected).max())
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5 * scale, err_msg=name)


@pytest.mark.parametrize("order", range(5))
def test_greedy_ids_equal_those_of_transformers_until_the_context_is_full(
    golden: Golden, golden_model: GPT2, order: int
) -> None:
    expected, prompt = golden[f"greedy_{order}"], int(golden[f"prompt_{order}"])
    assert len(expected) == golden_model.config.n_ctx
    # Given the ids before it, each id is the likeliest next one.
    likeliest = golden_model.logits(expected[None, :-1]).numpy()[0].argmax(-1)
    assert likeliest[prompt - 1 :].tolist() == expected[prompt:].tolist()


# --- Causality


def test_a_token_does_not_affect_earlier_positions(model: GPT2) -> None:
    ids = np.array([[3, 1, 4, 1, 5, 9, 2, 6]])
    changed = ids.copy()
    changed[0, 5] = 8
    before, after = model.logits(ids).numpy(), model.logits(changed).numpy()
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert (abs(before[:, 5:] - after[:, 5:]).max(-1) > 1e-3).all()


def test_rows_of_a_batch_are_independent(model: GPT2) -> None:
    rows = np.array([[3, 1, 4], [1, 5, 9]])
    together = model.logits(rows).numpy()
    for row, logits in zip(rows, together, strict=True):
        np.testing.assert_allclose(model.logits(row[None]).numpy()[0], logits, atol=1e-5)


# --- Invalid input


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 2, 3], "ids must be integers of shape (batch, time), got int64 of shape (3,)"),
        ([[]], "ids must be integers of shape (batch, time), got float64 of shape (1, 0)"),
        ([[1.0, 2.0]], "ids must be integers of shape (batch, time), got float64"),
        ([[0] * 13], "context of 12 tokens, got 13"),
        ([[0, 48]], "ids must be between 0 and 47, got 0 to 48"),
        ([[5, -1]], "ids must be between 0 and 47, got -1 to 5"),
    ],
)
def test_invalid_ids_are_refused(model: GPT2, ids: Any, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        model.logits(ids)


# --- Loss and its options


def test_loss_of_a_uniform_prediction_is_the_logarithm_of_the_vocabulary_size() -> None:
    weights = {name: np.zeros(shape) for name, shape in variable_shapes(TOY).items()}
    loss = GPT2(TOY, weights).loss(tf.constant([[1, 2, 3]]))
    assert float(loss) == pytest.approx(np.log(TOY.n_vocab), abs=1e-6)


WINDOWS = np.random.default_rng(3).integers(0, TOY.n_vocab, (3, 9))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_recomputing_activations_changes_no_gradient(precision: str, dropout: float) -> None:
    model = toy_model(precision=precision, scale=1.0)
    options = {"dropout": dropout, "seed": tf.constant([7, 8, 0]) if dropout else None}
    plain_loss, plain = gradients(model, WINDOWS, **options)
    loss, recomputed = gradients(model, WINDOWS, recompute=True, **options)
    assert loss == pytest.approx(plain_loss, abs=1e-6)
    for name, gradient in plain.items():
        np.testing.assert_allclose(recomputed[name], gradient, atol=1e-5, err_msg=name)


def test_dropout_depends_on_its_seed(model: GPT2) -> None:
    def loss(*seed: int) -> float:
        return float(model.loss(tf.constant(WINDOWS), dropout=0.3, seed=tf.constant([*seed, 0])))

    plain = float(model.loss(tf.constant(WINDOWS)))
    assert loss(1, 2) == loss(1, 2)
    assert len({loss(1, 2), loss(1, 3), loss(2, 2), plain}) == 4


# --- Precision


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.05), ("float16", 0.01)])
def test_logits_in_half_precision_are_close(model: GPT2, precision: str, tolerance: float) -> None:
    half = toy_model(precision=precision).logits(WINDOWS)
    assert half.dtype == tf.float32
    difference = abs(half.numpy() - model.logits(WINDOWS).numpy()).max()
    assert 0 < difference < tolerance
