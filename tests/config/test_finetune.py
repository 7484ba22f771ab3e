"""Training hyperparameters that must fit each other."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.errors import OptionError


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [0, -1])
def test_a_schedule_needs_a_number_of_steps(schedule: str, steps: int) -> None:
    with pytest.raises(OptionError, match=rf"{schedule}.*got steps={steps}$"):
        FinetuneConfig(lr_schedule=schedule, steps=steps)
    assert FinetuneConfig(lr_schedule="constant", steps=steps).steps == steps
