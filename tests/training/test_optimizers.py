"""Optimizers: Adam equals that of Keras, Adafactor that of the paper with little memory."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.training.optimizers import Adafactor, Adam, make_optimizer

RATE = 0.3


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def adafactor_of_the_paper(x: np.ndarray, gradients: list[np.ndarray]) -> list[np.ndarray]:
    """Algorithms 4 and 5 of Shazeer and Stern 2018 with the step sizes and decay of section 6.

    In fp64; returns the variable after each step.
    """
    x = x.astype(np.float64)
    rows: Any = 0.0
    columns: Any = 0.0
    elements: Any = 0.0
    steps = []
    for t, gradient in enumerate(gradients, 1):
        size = max(1e-3, rms(x)) * min(RATE, 1 / np.sqrt(t))
        decay = 1 - t**-0.8
        squares = np.square(gradient.astype(np.float64)) + 1e-30
        if x.ndim == 1:
            elements = decay * elements + (1 - decay) * squares
            variance = elements
        else:
            rows = decay * rows + (1 - decay) * squares.sum(axis=-1)
            columns = decay * columns + (1 - decay) * squares.sum(axis=-2)
            total = rows.sum(axis=-1)[..., None, None]
            variance = rows[..., :, None] * columns[..., None, :] / total
        update = gradient / np.sqrt(variance)
        x = x - size * update / max(1.0, rms(update))
        steps.append(x)
    return steps


@pytest.mark.parametrize("shape", [(5, 3), (1, 4, 6), (7,), (1, 1)])
def test_adafactor_equals_the_paper(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(len(shape))
    start = random.normal(size=shape).astype(np.float32)
    # Of different sizes, so some steps are clipped and some are not.
    sizes = (1.0, 10.0, 0.01, 1e-4, 3.0, 0.5)
    gradients = [random.normal(0, size, shape).astype(np.float32) for size in sizes]
    variable = tf.Variable(start)
    optimizer = Adafactor(learning_rate=RATE)
    optimizer.build([variable])
    for gradient, expected in zip(gradients, adafactor_of_the_paper(start, gradients), strict=True):
        optimizer.apply([tf.constant(gradient)], [variable])
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_variables_are_updated_independently() -> None:
    random = np.random.default_rng(5)
    starts = [random.normal(size=shape).astype(np.float32) for shape in ((4, 4), (4,), (4, 4))]
    gradients = [[random.normal(size=s.shape).astype(np.float32) for s in starts] for _ in range(3)]
    variables = [tf.Variable(start) for start in starts]
    optimizer = Adafactor(learning_rate=RATE)
    optimizer.build(variables)
    for step in gradients:
        optimizer.apply([tf.constant(gradient) for gradient in step], variables)
    for index, (start, variable) in enumerate(zip(starts, variables, strict=True)):
        expected = adafactor_of_the_paper(start, [step[index] for step in gradients])[-1]
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-5)


def state_size(optimizer: Any) -> int:
    return sum(int(np.prod(variable.shape)) for variable in optimizer.variables)


def test_adafactor_state_is_much_smaller_than_the_weights() -> None:
    shapes = [(1, 64, 192), (500, 64), (192,)]
    weights = [tf.Variable(tf.zeros(shape)) for shape in shapes]
    config = FinetuneConfig(optimizer="adafactor")
    optimizer = make_optimizer(config, [])
    optimizer.build(weights)
    # Rows and columns of both matrices, the vector, the step and the learning rate.
    assert state_size(optimizer) == 64 + 192 + 500 + 64 + 192 + 2
    keras_adafactor = keras.optimizers.Adafactor()
    keras_adafactor.build(weights)
    assert state_size(keras_adafactor) > sum(int(np.prod(shape)) for shape in shapes)


def test_weight_decay_and_clipping_apply_to_adafactor() -> None:
    matrix, vector = tf.Variable(tf.ones([2, 2])), tf.Variable(tf.ones([2]))
    config = FinetuneConfig(
        optimizer="adafactor", learning_rate=0.5, weight_decay=0.1, max_grad_norm=1.0
    )
    optimizer = make_optimizer(config, [vector])
    optimizer.build([matrix, vector])
    optimizer.apply([tf.zeros([2, 2]), tf.zeros([2])], [matrix, vector])
    np.testing.assert_allclose(matrix.numpy(), 1 - 0.5 * 0.1, atol=1e-6)
    np.testing.assert_allclose(vector.numpy(), 1.0, atol=1e-6)
    assert optimizer.global_clipnorm == 1.0


def test_adam_equals_that_of_keras() -> None:
    random = np.random.default_rng(3)
    starts = [random.normal(size=shape).astype(np.float32) for shape in ((4, 3), (5,))]
    ours, theirs = ([tf.Variable(start) for start in starts] for _ in range(2))
    options = {"learning_rate": 0.1, "weight_decay": 0.01, "epsilon": 1e-8}
    optimizers = (Adam(**options), ours), (keras.optimizers.Adam(**options), theirs)
    for _ in range(3):
        gradients = [random.normal(size=start.shape).astype(np.float32) for start in starts]
        for optimizer, variables in optimizers:
            optimizer.apply([tf.constant(gradient) for gradient in gradients], variables)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)
