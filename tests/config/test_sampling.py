"""The options for generating texts."""

from __future__ import annotations

from gpt2_helpers.config import PRESET, SamplingConfig
from gpt2_helpers.fields import fields_of


def test_the_preset_differs_from_the_defaults_only_in_what_small_models_need() -> None:
    names = {field.name for field in fields_of(SamplingConfig)}
    different = {name for name in names if getattr(PRESET, name) != getattr(SamplingConfig(), name)}
    assert different == {"top_k", "finish_sentence"}


def test_sliders_stay_within_the_limits() -> None:
    for field in fields_of(SamplingConfig):
        if field.suggested_range is not None:
            low, high = field.suggested_range
            assert field.minimum is None or low >= field.minimum
            assert field.maximum is None or high <= field.maximum
