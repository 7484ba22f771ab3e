"""The cases of the memory benchmark, their estimates and their table rows."""

from __future__ import annotations

import numpy as np

import memory
from memory import Case, RandomWeights


def test_every_case_has_an_estimate_and_its_own_row() -> None:
    cases = list(memory.cases())
    assert all(case.estimate() > 0 for case in cases)
    assert len({case.columns() for case in cases}) == len(cases)


def test_recomputed_activations_are_estimated_to_save_memory() -> None:
    saving = Case("124M", "float32", options={"use_memory_saving_gradients": True})
    assert saving.estimate() < Case("124M", "float32").estimate()


def test_rows_describe_the_case() -> None:
    assert (
        Case("124M", "int8", 20, length=100).columns() == "| 124M | generate 100 | 20 | int8 |  |"
    )
    case = Case("774M", "float32", options={"optimizer": "adafactor"}, sample_length=1023)
    row = "| 774M | finetune, samples of 1023 | 1 | float32 | optimizer=adafactor |"
    assert case.columns() == row


def test_weights_are_created_one_at_a_time() -> None:
    weights = RandomWeights({"model/wte": (8, 4), "model/ln_f/g": (4,)})
    assert list(weights) == ["model/wte", "model/ln_f/g"]
    assert weights["model/wte"].shape == (8, 4)
    assert weights["model/wte"].dtype == np.float32
