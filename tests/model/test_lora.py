"""LoRA adapters of a toy model: what they add, their gradients, and training only them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import PRETRAINED_CONFIGS, FinetuneConfig
from gpt2_helpers.model import loss as loss_module
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import (
    LORA_SCALE,
    UnmergedWeights,
    adapter_shapes,
    n_adapter_parameters,
    new_adapters,
)
from gpt2_helpers.model.variables import variable_shapes
from gpt2_helpers.training.trainer import Trainer
from reference_model import reference_gradients
from toy import TOY, toy_weights
from toy_runs import round_to_fp16

RANK = 3
# Rounded to 16 bits, so that a frozen model stores them without loss.
WEIGHTS = round_to_fp16(toy_weights())
IDS = np.random.default_rng(4).integers(0, TOY.n_vocab, (2, 10))
WINDOWS = np.random.default_rng(5).integers(0, TOY.n_vocab, (3, 12))
REPEATING = np.tile(np.random.default_rng(1).integers(0, TOY.n_vocab, 40), 15)


def trained_adapters(seed: int = 6) -> dict[str, np.ndarray]:
    """Adapters as after some training: neither matrix is zero."""
    random = np.random.default_rng(seed)
    return {
        name: random.normal(0, 0.2, shape).astype(np.float32)
        for name, shape in adapter_shapes(TOY, RANK).items()
    }


def adapted(precision: str = "float32", frozen: bool = True) -> GPT2:
    model = GPT2(TOY, WEIGHTS, precision, frozen)
    model.load_adapters(trained_adapters())
    return model


def merged_weights(model: GPT2) -> dict[str, np.ndarray]:
    return {name: model.effective_weight(name).numpy() for name in model.variables}


# --- Shapes and contribution


def test_each_matrix_of_each_layer_has_a_pair_of_adapters() -> None:
    shapes = adapter_shapes(TOY, RANK)
    matrices = {n: s for n, s in variable_shapes(TOY).items() if "/h" in n and n.endswith("/w")}
    assert shapes.keys() == {n[:-2] + part for n in matrices for part in ("/lora_a", "/lora_b")}
    for name, (_, n_in, n_out) in matrices.items():
        assert shapes[f"{name[:-2]}/lora_a"] == (n_in, RANK)
        assert shapes[f"{name[:-2]}/lora_b"] == (RANK, n_out)
    assert n_adapter_parameters(TOY, RANK) == sum(a * b for a, b in shapes.values())
    assert (
        n_adapter_parameters(PRETRAINED_CONFIGS["1558M"], 8)
        < 0.01 * PRETRAINED_CONFIGS["1558M"].n_parameters
    )


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-6), ("bfloat16", 0.03)])
def test_new_adapters_do_not_change_the_logits(precision: str, tolerance: float) -> None:
    # Up to rounding: without adapters TensorFlow fuses the product with adding the bias, which
    # saves a rounding to 16 bits on processors that multiply bfloat16.
    model = GPT2(TOY, WEIGHTS, precision, frozen=True)
    before = model.logits(IDS).numpy()
    model.load_adapters(new_adapters(TOY, RANK, seed=1))
    np.testing.assert_allclose(model.logits(IDS), before, rtol=0, atol=tolerance)
    model.load_adapters(trained_adapters())
    assert abs(model.logits(IDS).numpy() - before).max() > 0.1


def test_new_adapters_depend_on_their_seed() -> None:
    first, again, other = (new_adapters(TOY, RANK, seed) for seed in (1, 1, 2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        assert array.any() == (name.endswith("lora_a"))
        assert np.array_equal(array, other[name]) == name.endswith("lora_b")


def test_merged_weights_give_the_logits_of_the_adapted_model() -> None:
    model = adapted()
    plain = GPT2(TOY, merged_weights(model))
    np.testing.assert_allclose(plain.logits(IDS), model.logits(IDS), rtol=0, atol=1e-5)
    name = "model/h1/mlp/c_fc"
    a, b = (trained_adapters()[f"{name}/lora_{kind}"] for kind in "ab")
    expected = WEIGHTS[f"{name}/w"] + LORA_SCALE * (a @ b)[None]
    np.testing.assert_allclose(model.effective_weight(f"{name}/w"), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model.effective_weight(f"{name}/b"), WEIGHTS[f"{name}/b"])


def test_adapters_are_merged_into_the_weights_of_a_base_if_given() -> None:
    exact, rounded = adapted(), adapted("bfloat16")
    for name, array in WEIGHTS.items():
        np.testing.assert_array_equal(
            rounded.effective_weight(name, array), exact.effective_weight(name)
        )
    name = "model/h0/attn/c_proj/w"
    assert not np.array_equal(rounded.effective_weight(name), exact.effective_weight(name))


def test_merged_adapters_are_subtracted_again() -> None:
    base = UnmergedWeights(merged_weights(adapted()), trained_adapters())
    assert list(base) == list(variable_shapes(TOY))
    assert len(base) == len(variable_shapes(TOY))
    for name, array in WEIGHTS.items():
        np.testing.assert_allclose(base[name], array, rtol=0, atol=1e-6, err_msg=name)


def test_adapters_of_another_rank_replace_the_former_ones() -> None:
    model = adapted()
    wider = new_adapters(TOY, 5, seed=1)
    model.load_adapters(wider)
    assert model.adapters.keys() == wider.keys()
    plain = GPT2(TOY, WEIGHTS).logits(IDS)
    np.testing.assert_allclose(model.logits(IDS), plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "stored"),
    [("float32", "float16"), ("bfloat16", "bfloat16"), ("float16", "float16")],
)
def test_a_frozen_model_stores_its_weights_in_16_bits(precision: str, stored: str) -> None:
    model = GPT2(TOY, WEIGHTS, precision, frozen=True)
    for variable in model.variables.values():
        assert variable.dtype == stored
        assert not variable.trainable
    np.testing.assert_array_equal(model.logits(IDS), GPT2(TOY, WEIGHTS, precision).logits(IDS))


def test_a_weight_too_large_for_16_bits_stays_finite() -> None:
    name = "model/h0/mlp/c_fc/w"
    large = {**WEIGHTS, name: np.full_like(WEIGHTS[name], 1e6)}
    stored = GPT2(TOY, large, "float32", frozen=True).variables[name]
    np.testing.assert_array_equal(stored, np.float16(65504))


# --- Gradients


def gradients(model: GPT2, **options: Any) -> tuple[float, dict[str, np.ndarray]]:
    scale = 1024.0 if model.precision == "float16" else 1.0

    @tf.function(autograph=False)
    def compute(windows: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = model.loss(windows, **options)
            scaled = loss * scale
        return loss, tape.gradient(scaled, model.adapters)

    loss, found = compute(tf.constant(WINDOWS, tf.int32))
    return float(loss), {name: gradient.numpy() / scale for name, gradient in found.items()}


def by_the_chain_rule() -> tuple[float, dict[str, np.ndarray]]:
    """The loss, and the gradients of A and B from those of the merged matrices."""
    loss, dense = reference_gradients(merged_weights(adapted()), TOY, WINDOWS)
    adapters, expected = trained_adapters(), {}
    for name in (name[: -len("/lora_a")] for name in adapters if name.endswith("/lora_a")):
        a, b, matrix = adapters[f"{name}/lora_a"], adapters[f"{name}/lora_b"], dense[f"{name}/w"][0]
        expected[f"{name}/lora_a"] = LORA_SCALE * matrix @ b.T
        expected[f"{name}/lora_b"] = LORA_SCALE * a.T @ matrix
    return loss, expected


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("recompute", [True, False])
def test_gradients_follow_from_those_of_the_merged_model_by_the_chain_rule(
    monkeypatch: pytest.MonkeyPatch, recompute: bool, frozen: bool
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS_SAVING" if recompute else "LOSS_TOKENS", 10)
    loss, found = gradients(adapted(frozen=frozen), recompute=recompute)
    expected_loss, expected = by_the_chain_rule()
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.05), ("float16", 0.01)])
def test_gradients_in_half_precision_are_close(
    monkeypatch: pytest.MonkeyPatch, precision: str, tolerance: float
) -> None:
    monkeypatch.setattr(loss_module, "LOSS_TOKENS_SAVING", 10)
    loss, found = gradients(adapted(precision), recompute=True)
    expected_loss, expected = by_the_chain_rule()
    assert loss == pytest.approx(expected_loss, rel=tolerance)
    for name, gradient in expected.items():
        error = np.linalg.norm(found[name] - gradient) / np.linalg.norm(gradient)
        assert error < tolerance, name


# --- Training them


@pytest.fixture
def _on_cpu() -> Iterator[None]:
    """A GPU adds in a different order each time: only a CPU repeats to the last digit."""
    with tf.device("CPU:0"):
        yield


@pytest.mark.parametrize(
    ("precision", "options"),
    [
        ("float32", {"accumulate_gradients": 2, "only_train_transformer_layers": True}),
        ("bfloat16", {"use_memory_saving_gradients": True, "dropout": 0.02}),
        ("float16", {"accumulate_gradients": 2, "use_memory_saving_gradients": True}),
        ("float32", {"optimizer": "adafactor", "learning_rate": 1.0}),
    ],
)
def test_training_changes_only_the_adapters(precision: str, options: dict[str, Any]) -> None:
    few: dict[str, Any] = {"steps": 30, "learning_rate": 0.02, "seed": 1, "batch_size": 2}
    config = FinetuneConfig(**{**few, "accumulate_gradients": 1, "lora_rank": RANK, **options})
    shape = dataclasses.replace(TOY, n_layer=1)
    model = GPT2(shape, toy_weights(shape), precision, frozen=True)
    before = {name: variable.numpy() for name, variable in model.variables.items()}
    start = new_adapters(shape, RANK, seed=1)
    model.load_adapters(start)
    steps = [step.loss for step in Trainer(model, REPEATING, config)]
    assert np.mean(steps[-3:]) < 0.97 * np.mean(steps[:3])
    for name, variable in model.variables.items():
        np.testing.assert_array_equal(variable.numpy(), before[name])
    for name, variable in model.adapters.items():
        assert variable.dtype == tf.float32
        assert not np.array_equal(variable.numpy(), start[name]), name


@pytest.mark.usefixtures("_on_cpu")
@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 1, "accumulate_gradients": 2},
        {"use_memory_saving_gradients": True},
        {"only_train_transformer_layers": True},  # adapters have no part in the embeddings
    ],
)
def test_these_options_do_not_change_the_result(change: dict[str, Any]) -> None:
    options: dict[str, Any] = {"steps": 3, "seed": 1, "batch_size": 2, "accumulate_gradients": 1}
    found = []
    for more in ({}, change):
        model = adapted()
        config = FinetuneConfig(**{**options, "optimizer": "sgd", "learning_rate": 0.1, **more})
        steps = [step.loss for step in Trainer(model, REPEATING, config)]
        found.append((steps, {name: a.numpy() for name, a in model.adapters.items()}))
    (plain, adapters), (losses_, others) = found
    assert losses_ == pytest.approx(plain, abs=1e-5)
    for name, array in adapters.items():
        np.testing.assert_allclose(others[name], array, rtol=0, atol=1e-5, err_msg=name)
