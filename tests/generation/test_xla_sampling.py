"""Sampling in a compiled program against sampling in NumPy: the same ids for the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.sampling import sample_next_tokens_by_row
from gpt2_helpers.generation.xla_sampling import (
    MAX_CANDIDATES,
    N_OPTIONS,
    UNDECIDED,
    needs_logits,
    packed_options,
    sample_ids,
)

ROWS = 40
SIZES = (48, 128, 5000)  # of the vocabulary: less than a block, all sorted, and most not sorted
OPTIONS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.0, "top_k": 40, "min_p": 0.1},
    {"temperature": 1e-9},
    {"temperature": 0.7, "top_k": 40},
    {"temperature": 1.3, "top_k": 1},
    {"top_k": MAX_CANDIDATES},
    {"top_p": 0.9},
    {"top_p": 1e-6},
    {"top_p": 0.5, "top_k": 3},  # top-k is ignored
    {"top_p": 1.0, "top_k": 3},
    {"min_p": 0.05},
    {"min_p": 1.0},
    {"min_p": 0.2, "top_k": 5},
    {"min_p": 0.02, "top_p": 0.6, "temperature": 1.5},
    {"top_k": 10**9},
]


@cache
def compiled(size: int) -> Callable[..., tf.Tensor]:
    return tf.function(
        sample_ids,
        input_signature=[tf.TensorSpec([ROWS, size]), tf.TensorSpec([ROWS, N_OPTIONS])],
        autograph=False,
        jit_compile=True,
    )


def sampled(
    logits: np.ndarray, uniform: np.ndarray, configs: list[SamplingConfig]
) -> tuple[np.ndarray, np.ndarray]:
    """The ids of the compiled program and those of NumPy."""
    program = compiled(logits.shape[1])
    ours = program(tf.constant(logits), tf.constant(packed_options(configs, uniform, ROWS))).numpy()
    return ours, sample_next_tokens_by_row(logits, uniform, configs)


def numbers(seed: int, size: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Random logits and random numbers of all rows."""
    random = np.random.default_rng(seed)
    logits = random.normal(0.0, spread, (ROWS, size)).astype(np.float32)
    return logits, random.random(ROWS, np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_ids_equal_those_of_numpy(options: dict[str, Any], size: int) -> None:
    logits, uniform = numbers(1, size, spread=4.0)
    ours, expected = sampled(logits, uniform, [SamplingConfig(**options)] * ROWS)
    decided = ours != UNDECIDED
    np.testing.assert_array_equal(ours[decided], expected[decided])
    assert decided.mean() > 0.9


def test_rows_of_a_batch_have_their_own_options() -> None:
    logits, uniform = numbers(2, SIZES[-1], spread=4.0)
    configs = [SamplingConfig(**OPTIONS[row % len(OPTIONS)]) for row in range(ROWS)]
    ours, expected = sampled(logits, uniform, configs)
    decided = ours != UNDECIDED
    np.testing.assert_array_equal(ours[decided], expected[decided])
    assert decided.sum() >= ROWS - 2


@pytest.mark.parametrize(
    "options", [{"top_p": 0.9}, {"min_p": 0.3}, {"top_k": MAX_CANDIDATES + 1}], ids=str
)
def test_rows_that_need_more_candidates_are_undecided(options: dict[str, Any]) -> None:
    logits, uniform = numbers(3, SIZES[-1], spread=0.1)  # thousands of likely ids
    ours, _ = sampled(logits, uniform, [SamplingConfig(**options)] * ROWS)
    assert (ours == UNDECIDED).all()
    # A smaller vocabulary is sorted as a whole.
    logits, uniform = numbers(3, 128, spread=0.1)
    ours, expected = sampled(logits, uniform, [SamplingConfig(**options)] * ROWS)
    np.testing.assert_array_equal(ours, expected)


def test_of_equal_logits_the_first_are_kept() -> None:
    logits = np.zeros((ROWS, SIZES[-1]), np.float32)
    logits[:, ::7] = 1.0
    _, uniform = numbers(4, 1, spread=1.0)
    for options in OPTIONS[1], {"top_k": 5}, {"top_k": 100}:
        ours, expected = sampled(logits, uniform, [SamplingConfig(**options)] * ROWS)
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("uniform", [0.0, 0.5, float(np.nextafter(np.float32(1), np.float32(0)))])
def test_the_ends_of_the_random_numbers(uniform: float) -> None:
    logits, _ = numbers(5, SIZES[-1], spread=4.0)
    numbers_ = np.full(ROWS, uniform, np.float32)
    for options in OPTIONS[0], OPTIONS[4]:
        ours, expected = sampled(logits, numbers_, [SamplingConfig(**options)] * ROWS)
        np.testing.assert_array_equal(ours, expected)


def test_typical_p_needs_the_logits() -> None:
    assert needs_logits(SamplingConfig(typical_p=0.9))
    assert not needs_logits(SamplingConfig(typical_p=0.9, temperature=0.0))
    assert not needs_logits(SamplingConfig(typical_p=1.0, top_k=3, min_p=0.1))
