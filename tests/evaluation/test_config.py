"""The options of scoring and evaluating."""

from __future__ import annotations

import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.config import EvaluateConfig, ScoreConfig


def test_the_window_is_the_context_and_the_stride_half_of_it() -> None:
    assert ScoreConfig().sizes(1024) == (1024, 512)
    assert ScoreConfig().sizes(1) == (1, 1)
    assert ScoreConfig(window=11).sizes(1024) == (11, 5)
    assert ScoreConfig(stride=1024).sizes(1024) == (1024, 1024)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 13}, "window must be at most the model's context of 12 tokens, got 13"),
        ({"stride": 13}, "stride must be at most the window of 12 tokens, got 13"),
        ({"window": 5, "stride": 6}, "stride must be at most the window of 5 tokens, got 6"),
    ],
)
def test_a_window_or_stride_that_is_too_long_is_rejected(
    options: dict[str, int], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        ScoreConfig(**options).sizes(12)  # type: ignore[arg-type]


def test_values_are_checked() -> None:
    with pytest.raises(OptionError, match="stride must be at least 1, got 0"):
        ScoreConfig(stride=0)
    with pytest.raises(OptionError, match="precision must be one of"):
        ScoreConfig(precision="fp8")
    with pytest.raises(OptionError, match="whole_files"):
        EvaluateConfig(whole_files=1)  # type: ignore[arg-type]
