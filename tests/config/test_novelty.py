"""The options that leave out texts."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import NoveltyConfig
from gpt2_helpers.errors import OptionError


def test_nothing_is_left_out_by_default() -> None:
    assert not NoveltyConfig().is_active
    assert not NoveltyConfig(novel_against=[]).is_active
    assert NoveltyConfig(unique=True).is_active
    assert NoveltyConfig(novel_against="titles.csv").novel_against == ("titles.csv",)


@pytest.mark.parametrize("tries", [0, 1001])
def test_the_number_of_tries_is_bounded(tries: int) -> None:
    with pytest.raises(OptionError, match="max_tries must be between 1 and 1000"):
        NoveltyConfig(max_tries=tries)
