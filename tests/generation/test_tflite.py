"""TensorFlow Lite programs against the same computation in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.generation import tflite
from gpt2_helpers.generation.tflite import FLOAT, INT8, Builder, Program
from gpt2_helpers.model import layers
from gpt2_helpers.model.variables import LAYER_NORM_EPSILON
from gpt2_helpers.types import Floats

RANDOM = np.random.default_rng(1)


def normal(*shape: int) -> Floats:
    return RANDOM.standard_normal(shape, np.float32)


def dense(precision: str, matrix: Floats, bias: Floats | None = None) -> Program:
    build = Builder(precision)
    x = build.input(matrix.shape[1])
    return build.program([x], [build.dense(x, matrix, bias)], threads=2)


@pytest.mark.parametrize("rows", [1, 2, 7, 20, 65])
@pytest.mark.parametrize("biased", [False, True])
def test_float_products_equal_numpys(rows: int, biased: bool) -> None:
    matrix, bias, x = normal(48, 30), normal(48), normal(rows, 30)
    (ours,) = dense(FLOAT, matrix, bias if biased else None)(x)
    expected = x @ matrix.T + (bias if biased else 0)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_8_bit_products_differ_only_by_rounding() -> None:
    matrix, bias, x = normal(100, 64), normal(100), normal(5, 64)
    (ours,) = dense(INT8, matrix, bias)(x)
    exact = x @ matrix.T + bias
    # Each factor is off by at most half a step, which is 1/127 of the largest weight of an output
    # and 1/255 of the range of an input row.
    steps = abs(matrix).max(1) / 127, np.ptp(x, axis=1) / 255
    bound = 0.5 * (abs(x).sum(1)[:, None] * steps[0] + abs(matrix).sum(1) * steps[1][:, None])
    assert (abs(ours - exact) <= 1.1 * bound).all()
    assert 0 < np.linalg.norm(ours - exact) < 0.02 * np.linalg.norm(exact)


def test_each_output_of_an_8_bit_matrix_has_its_own_scale() -> None:
    matrix = normal(3, 64) * np.array([[1e-3], [1.0], [1e3]], np.float32)
    x = normal(2, 64)
    (ours,) = dense(INT8, matrix)(x)
    exact = x @ matrix.T
    assert (np.linalg.norm(ours - exact, axis=0) < 0.05 * np.linalg.norm(exact, axis=0)).all()


def test_quantization_keeps_zero_and_the_largest_weight() -> None:
    numbers, scales = tflite.quantize(np.array([[0.0, -2.0, 1.0], [0.0, 0.0, 0.0]], np.float32))
    assert numbers.tolist() == [[0, -127, 64], [0, 0, 0]]
    assert numbers.dtype == np.int8
    np.testing.assert_allclose(numbers[0] * scales[0], [0, -2, 1.008], atol=1e-3)


@pytest.mark.parametrize("precision", [FLOAT, INT8])
def test_a_rows_result_is_the_same_to_the_last_bit_whatever_the_other_rows_are(
    precision: str,
) -> None:
    program = dense(precision, normal(300, 64), normal(300))
    x = normal(40, 64)
    (together,) = program(x)
    for rows in (1, 3, 8, 20):
        for first in range(0, 40 - rows, rows):
            (some,) = program(x[first : first + rows])
            assert (some == together[first : first + rows]).all()


def test_layer_norm_and_gelu_equal_the_models() -> None:
    build = Builder()
    x = build.input(24)
    gain, bias = normal(24), normal(24)
    outputs = [build.layer_norm(x, gain, bias, LAYER_NORM_EPSILON), build.gelu(x)]
    program = build.program([x], outputs, threads=1)
    rows = 3 * normal(6, 24) + 5
    norm, gelu = program(rows)
    expected = layers.layer_norm(tf.constant(rows), gain, bias).numpy()
    np.testing.assert_allclose(norm, expected, atol=1e-4)
    np.testing.assert_allclose(gelu, layers.gelu(tf.constant(rows)).numpy(), atol=1e-5)


def test_a_program_may_have_several_inputs_and_outputs() -> None:
    build = Builder()
    a, b = build.input(4), build.input(4)
    program = build.program([a, b], [build.multiply(a, b), build.add(a, b)], threads=1)
    for rows in (1, 5, 2):
        first, second = normal(rows, 4), normal(rows, 4)
        product, total = program(first, second)
        np.testing.assert_allclose(product, first * second, rtol=1e-6)
        np.testing.assert_allclose(total, first + second, rtol=1e-6)


def test_batched_products_and_softmax_equal_numpys() -> None:
    build = Builder()
    a, b, c = build.input(1, 8, 4), build.input(1, 8, 4), build.input(1, 8, 3)
    probabilities = build.softmax(build.matmul(a, b, transpose_b=True))
    program = build.program([a, b, c], [build.matmul(probabilities, c)], threads=2)
    for n, rows, inner in ((1, 5, 8), (6, 3, 2), (2, 1, 9)):
        left, right, third = normal(n, rows, 4), normal(n, inner, 4), normal(n, inner, 3)
        weights = np.exp(left @ right.swapaxes(1, 2))
        expected = weights / weights.sum(axis=-1, keepdims=True) @ third
        np.testing.assert_allclose(program(left, right, third)[0], expected, atol=1e-5)


def test_inputs_may_be_views_with_strides() -> None:
    program = dense(FLOAT, np.eye(3, dtype=np.float32))
    rows = normal(3, 8)
    np.testing.assert_array_equal(program(rows.T[::2])[0], rows.T[::2])


def test_outputs_are_not_overwritten_by_the_next_run() -> None:
    program = dense(FLOAT, np.eye(3, dtype=np.float32))
    (first,) = program(np.ones((1, 3), np.float32))
    program(np.zeros((1, 3), np.float32))
    assert first.tolist() == [[1, 1, 1]]
