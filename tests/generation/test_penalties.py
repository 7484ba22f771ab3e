"""Penalties against a reference that follows the formulas token by token."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.penalties import Penalties


def reference(
    logits: np.ndarray, prompt: list[int], generated: list[int], config: SamplingConfig
) -> np.ndarray:
    """The logits (n_vocab) after all three penalties, one token at a time in fp64."""
    changed = logits.astype(np.float64)
    for token in range(len(changed)):
        if token in prompt or token in generated:
            if changed[token] > 0:
                changed[token] /= config.repetition_penalty
            else:
                changed[token] *= config.repetition_penalty
        count = generated.count(token)
        changed[token] -= count * config.frequency_penalty + (count > 0) * config.presence_penalty
    return changed


@pytest.mark.parametrize("repetition", [1.0, 1.3, 0.5])
@pytest.mark.parametrize("presence", [0.0, 0.7, -2.0])
@pytest.mark.parametrize("frequency", [0.0, 0.2, -0.5])
def test_penalties_equal_the_reference(
    repetition: float, presence: float, frequency: float
) -> None:
    config = SamplingConfig(
        repetition_penalty=repetition, presence_penalty=presence, frequency_penalty=frequency
    )
    random = np.random.default_rng(1)
    prompt: list[int] = random.integers(0, 20, 5).tolist()
    generated: list[int] = []
    penalties = Penalties(config, prompt)
    for _ in range(12):
        logits = random.normal(0, 4, 30).astype(np.float32)
        found = logits.copy()
        penalties.apply(found)
        expected = reference(logits, prompt, generated, config)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        generated.append(int(random.integers(0, 30)))
        penalties.append(generated[-1])


def test_default_options_need_no_penalties() -> None:
    assert not Penalties.are_used(SamplingConfig())
    assert Penalties.are_used(SamplingConfig(presence_penalty=-0.1))


def test_an_excluded_token_stays_excluded() -> None:
    penalties = Penalties(SamplingConfig(repetition_penalty=1.5, presence_penalty=-2), [0])
    penalties.append(1)
    logits = np.array([-np.inf, -np.inf, 0], np.float32)
    penalties.apply(logits)
    assert logits.tolist() == [-np.inf, -np.inf, 0]
