"""Adafactor against the paper's algorithms, and how little it keeps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.training.optimizers import Adafactor, make_optimizer

RATE = 0.3


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def of_the_paper(x: np.ndarray, gradients: list[np.ndarray]) -> list[np.ndarray]:
    """Algorithms 4 and 5 of Shazeer and Stern 2018 with section 6's step sizes and decay, in fp64:
    a matrix's squares as the sums of rows and columns, a vector's as they are."""
    x = x.astype(np.float64)
    rows: Any = 0.0
    columns: Any = 0.0
    whole: Any = 0.0
    steps = []
    for t, gradient in enumerate(gradients, 1):
        size = max(1e-3, rms(x)) * min(RATE, 1 / np.sqrt(t))
        decay = 1 - t**-0.8
        squares = np.square(gradient.astype(np.float64)) + 1e-30
        if x.ndim == 1:
            whole = decay * whole + (1 - decay) * squares
            variance = whole
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
def test_adafactor_is_that_of_the_paper(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(len(shape))
    start = random.normal(size=shape).astype(np.float32)
    # Of many sizes, so that some steps are clipped and some are not.
    sizes = (1.0, 10.0, 0.01, 1e-4, 3.0, 0.5)
    gradients = [random.normal(0, size, shape).astype(np.float32) for size in sizes]
    variable = tf.Variable(start)
    optimizer = Adafactor(learning_rate=RATE)
    optimizer.build([variable])
    for gradient, expected in zip(gradients, of_the_paper(start, gradients), strict=True):
        optimizer.apply([tf.constant(gradient)], [variable])
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_several_variables_do_not_mix() -> None:
    random = np.random.default_rng(5)
    starts = [random.normal(size=shape).astype(np.float32) for shape in ((4, 4), (4,), (4, 4))]
    gradients = [[random.normal(size=s.shape).astype(np.float32) for s in starts] for _ in range(3)]
    variables = [tf.Variable(start) for start in starts]
    optimizer = Adafactor(learning_rate=RATE)
    optimizer.build(variables)
    for step in gradients:
        optimizer.apply([tf.constant(gradient) for gradient in step], variables)
    for order, (start, variable) in enumerate(zip(starts, variables, strict=True)):
        expected = of_the_paper(start, [step[order] for step in gradients])[-1]
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-5)


def kept_numbers(optimizer: Any) -> int:
    return sum(int(np.prod(variable.shape)) for variable in optimizer.variables)


def test_adafactor_keeps_far_fewer_numbers_than_there_are_weights() -> None:
    shapes = [(1, 64, 192), (500, 64), (192,)]
    weights = [tf.Variable(tf.zeros(shape)) for shape in shapes]
    config = FinetuneConfig(optimizer="adafactor")
    optimizer = make_optimizer(config, [], 1)
    optimizer.build(weights)
    # Rows and columns of both matrices, the vector, and how many steps at what rate.
    assert kept_numbers(optimizer) == 64 + 192 + 500 + 64 + 192 + 2
    theirs = keras.optimizers.Adafactor()
    theirs.build(weights)
    assert kept_numbers(theirs) > sum(int(np.prod(shape)) for shape in shapes)


def test_weight_decay_and_clipping_reach_adafactor() -> None:
    matrix, vector = tf.Variable(tf.ones([2, 2])), tf.Variable(tf.ones([2]))
    config = FinetuneConfig(
        optimizer="adafactor", learning_rate=0.5, weight_decay=0.1, max_grad_norm=1.0
    )
    optimizer = make_optimizer(config, [vector], 1)
    optimizer.build([matrix, vector])
    optimizer.apply([tf.zeros([2, 2]), tf.zeros([2])], [matrix, vector])
    np.testing.assert_allclose(matrix.numpy(), 1 - 0.5 * 0.1, atol=1e-6)
    np.testing.assert_allclose(vector.numpy(), 1.0, atol=1e-6)
    assert optimizer.global_clipnorm == 1.0
