"""Learning-rate schedules."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.training.lr_schedule import learning_rate_at


def rates(steps: int = 10, **changes: Any) -> list[float]:
    config = FinetuneConfig(steps=steps, learning_rate=1.0, **changes)
    return [learning_rate_at(config, step, steps) for step in range(steps)]


def test_schedules() -> None:
    assert rates(4) == [1.0, 1.0, 1.0, 1.0]
    assert rates(4, lr_schedule="linear") == pytest.approx([1.0, 0.75, 0.5, 0.25])
    cosine = [1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert rates(4, lr_schedule="cosine") == pytest.approx(cosine)
    assert rates(4, warmup_steps=2) == pytest.approx([0.5, 1.0, 1.0, 1.0])
    warm = rates(6, lr_schedule="linear", warmup_steps=2)
    assert warm == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("warmup", [0, 3, 10])
def test_learning_rate_stays_between_zero_and_its_maximum(schedule: str, warmup: int) -> None:
    config = FinetuneConfig(steps=10, learning_rate=1.0, lr_schedule=schedule, warmup_steps=warmup)
    for step in range(15):  # past the end too
        assert 0 <= learning_rate_at(config, step, 10) <= 1
    assert learning_rate_at(config, 14, 10) == 0
