"""The training step compiled by XLA: the losses and weights of the graph."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig, ModelConfig
from gpt2_helpers.errors import GradientOverflowError
from gpt2_helpers.model import loss as loss_module
from gpt2_helpers.system import xla
from gpt2_helpers.training import faster_program
from gpt2_helpers.training.trainer import MAX_OVERFLOWS, Trainer
from toy import toy_model

SHAPE = ModelConfig(n_vocab=48, n_ctx=20, n_embd=16, n_head=2, n_layer=1)
TOKENS = np.tile(np.random.default_rng(1).integers(0, SHAPE.n_vocab, 40), 15)
CASES: dict[str, dict[str, Any]] = {
    "float32": {"batch_size": 3, "optimizer": "adam"},
    "float16": {
        "accumulate_gradients": 2,
        "dropout": 0.1,
        "use_memory_saving_gradients": True,
        "max_grad_norm": 1.0,
    },
}


def trained(precision: str, steps: int = 4) -> tuple[list[float], dict[str, np.ndarray], Trainer]:
    options = {"steps": steps, "optimizer": "sgd", "learning_rate": 0.01, "seed": 1}
    options["accumulate_gradients"] = 1
    model = toy_model(SHAPE, precision=precision)
    trainer = Trainer(model, TOKENS, FinetuneConfig(**{**options, **CASES[precision]}))
    losses = [step.loss for step in trainer]
    return losses, {name: w.numpy() for name, w in model.variables.items()}, trainer


@pytest.mark.parametrize("precision", CASES)
def test_compiled_steps_have_the_losses_and_weights_of_the_graph(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    for name in ("LOSS_TOKENS", "LOSS_TOKENS_SAVING"):
        monkeypatch.setattr(loss_module, name, 16)  # several blocks, the last of them shorter
    expected_losses, expected, _ = trained(precision)
    monkeypatch.setenv(xla.VARIABLE, "1")
    monkeypatch.setattr(faster_program, "TIMED_CALLS", 1)
    monkeypatch.setattr(faster_program, "MIN_SECONDS_LEFT", 0.0)
    losses, weights, trainer = trained(precision)
    assert [len(times) for times in trainer._train._faster._times] == [2, 2]
    assert "training steps compiled by XLA take" in trainer.notes[0]
    tolerance = 1e-4 if precision == "float32" else 2e-3
    np.testing.assert_allclose(losses, expected_losses, rtol=0, atol=tolerance)
    for name, array in expected.items():
        np.testing.assert_allclose(weights[name], array, rtol=0, atol=tolerance, err_msg=name)


def test_fp16_attempts_that_overflow_are_repeated_and_not_counted_as_steps() -> None:
    config = FinetuneConfig(steps=3, seed=1, learning_rate=0.01, **CASES["float16"])

    def trainer() -> Trainer:
        return Trainer(toy_model(SHAPE, precision="float16"), TOKENS, config)

    losses = [step.loss for step in itertools.islice(trainer(), 1)]
    overflowing = trainer()
    assert overflowing._loss_scale is not None
    overflowing._loss_scale.dynamic_scale.assign(2.0**25)
    steps = list(overflowing)
    assert [step.step for step in steps] == [1, 2, 3]
    assert 1 < steps[0].overflows < 20
    assert [step.overflows for step in steps[1:]] == [0, 0]
    # The first step trains on the windows that it would have trained on without overflows.
    assert steps[0].loss == losses[0]
    scale = float(tf.convert_to_tensor(overflowing._loss_scale.dynamic_scale.value))
    assert scale == 2.0 ** (25 - steps[0].overflows)
    assert overflowing.notes == [
        f"step 1: gradients overflowed in fp16, {steps[0].overflows} attempts repeated with a loss "
        f"scale of {scale:g}"
    ]
    assert int(overflowing._optimizer.iterations.value) == 3


def test_gradients_that_always_overflow_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    config = FinetuneConfig(steps=3, seed=1, accumulate_gradients=1, optimizer="sgd")
    trainer = Trainer(toy_model(SHAPE, precision="float16"), TOKENS, config)
    calls = []

    def train(*_: Any) -> float:  # without calling the optimizer, as if gradients overflowed
        calls.append(1)
        return 3.0

    monkeypatch.setattr(trainer, "_train", train)
    with pytest.raises(GradientOverflowError, match=r"in 20 attempts at step 1: set precision="):
        next(iter(trainer))
    assert len(calls) == MAX_OVERFLOWS
    assert trainer.step == 0
    # A loss that is not finite is reported instead.
    monkeypatch.setattr(trainer, "_train", lambda *_: math.nan)
    assert math.isnan(trainer._train_step(0.1))
