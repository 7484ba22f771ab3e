"""The learning-rate schedule: linear warm-up, then constant, linear or cosine."""

from __future__ import annotations

import math

from gpt2_helpers.config import FinetuneConfig


def learning_rate_at(config: FinetuneConfig, step: int, steps: int) -> float:
    """The learning rate of one step of a schedule.

    Args:
        config: Gives `learning_rate`, `lr_schedule` and `warmup_steps`.
        step: The step, counted from 0.
        steps: Length of the schedule, in steps. Ignored by the constant schedule.

    Returns:
        The learning rate. It reaches 0 at the end of a linear or cosine schedule and stays there.

    Example:
        >>> learning_rate_at(FinetuneConfig(lr_schedule="linear", learning_rate=1.0), 5, 10)
        0.5
    """
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.lr_schedule == "constant":
        return rate
    done = min(1.0, (step - config.warmup_steps) / max(1, steps - config.warmup_steps))
    if config.lr_schedule == "linear":
        return rate * (1.0 - done)
    return rate * 0.5 * (1.0 + math.cos(math.pi * done))
