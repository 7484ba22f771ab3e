"""Names and shapes of the variables, and their initial values."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.config import PRETRAINED_CONFIGS
from gpt2_helpers.model.variables import random_weights, variable_shapes
from toy import TOY, toy_model


@pytest.mark.parametrize(
    ("size", "parameters"),
    [("124M", 124439808), ("355M", 354823168), ("774M", 774030080), ("1558M", 1557611200)],
)
def test_the_published_sizes_have_their_published_number_of_parameters(
    size: str, parameters: int
) -> None:
    shapes = variable_shapes(PRETRAINED_CONFIGS[size])
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == parameters
    assert PRETRAINED_CONFIGS[size].n_parameters == parameters


def test_initial_weights_depend_on_their_seed() -> None:
    first, again, other = (random_weights(TOY, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["model/wte"], other["model/wte"])


def test_a_model_of_initial_weights_predicts_all_ids_about_equally() -> None:
    model = toy_model()
    for name, array in random_weights(TOY).items():
        model.variables[name].assign(array)
    windows = np.random.default_rng(3).integers(0, TOY.n_vocab, (3, 9))
    assert float(model.loss(windows)) == pytest.approx(np.log(TOY.n_vocab), abs=0.1)
