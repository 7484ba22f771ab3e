"""The options for reading datasets."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.errors import OptionError


def test_a_column_is_a_name_or_a_number() -> None:
    assert DatasetConfig(column="title").column == "title"
    assert DatasetConfig(column=2).column == "2"  # type: ignore[arg-type]
    assert DatasetConfig(column=np.int64(2)).column == "2"  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="column"):
        DatasetConfig(column=True)  # type: ignore[arg-type]


def test_an_encoding_must_be_known() -> None:
    assert DatasetConfig(encoding="cp1250").encoding == "cp1250"
    with pytest.raises(OptionError, match="nonsense"):
        DatasetConfig(encoding="nonsense")


def test_prompts_come_from_a_column_or_from_keywords() -> None:
    assert DatasetConfig(prompt_column=1).prompt_column == "1"  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="set prompt_column or keywords_from, not both"):
        DatasetConfig(prompt_column="a", keywords_from="b")
