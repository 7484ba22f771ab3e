"""The options of a run's folder."""

from __future__ import annotations

from typing import Any

import pytest

from gpt2_helpers.config import FinetuneConfig, LoadConfig, RunConfig
from gpt2_helpers.errors import OptionError


def test_validation_split_and_data_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="^set validation_split or validation_data, not both"):
        RunConfig(validation_split=0.1, validation_data="unseen.txt")
    assert RunConfig(validation_data="unseen.txt").validation_split == 0.0


@pytest.mark.parametrize("name", ["run_name", "checkpoint_dir", "restore_from", "model_name"])
@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_names(name: str, empty: str) -> None:
    with pytest.raises(OptionError, match=f"^{name} must not be empty$"):
        RunConfig(**dict[str, Any]({name: empty}))


@pytest.mark.parametrize("name", [".", "..", "a/b", "../run1", "/run1", "run1/"])
def test_a_run_name_must_be_a_plain_folder_name(name: str) -> None:
    with pytest.raises(OptionError, match="run_name must be a plain folder name") as caught:
        RunConfig(run_name=name)
    assert str(caught.value).endswith(f"got {name!r}")


def test_texts_are_generated_in_more_precisions_than_trained() -> None:
    assert LoadConfig(precision="int8").precision == "int8"
    with pytest.raises(OptionError, match="precision"):
        FinetuneConfig(precision="int8")
