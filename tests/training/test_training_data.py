"""Training data with its validation data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.data.dataset import Dataset
from gpt2_helpers.errors import OptionError
from gpt2_helpers.training.training_data import excerpts, load_training_data
from toy import toy_tokenizer
from toy_runs import write_text


@pytest.fixture(autouse=True)
def _text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_text()


def load(finetune: FinetuneConfig, run: RunConfig) -> tuple[Dataset, Dataset | None]:
    return load_training_data("text.txt", toy_tokenizer(), finetune, run, DatasetConfig())


def test_validation_is_a_share_of_the_data_or_a_file() -> None:
    whole, nothing = load(FinetuneConfig(), RunConfig())
    assert nothing is None
    training, share = load(FinetuneConfig(), RunConfig(validation_split=0.25))
    assert share is not None
    np.testing.assert_array_equal(np.append(training.tokens, share.tokens), whole.tokens)
    write_text("other.txt", "Something else entirely.")
    training, file = load(FinetuneConfig(), RunConfig(validation_data="other.txt"))
    assert len(training.tokens) == len(whole.tokens)
    assert file is not None
    assert "Something else" in toy_tokenizer().decode(file.tokens)


def test_early_stopping_needs_validation_data() -> None:
    with pytest.raises(OptionError, match="early_stopping_patience=3 needs a validation loss"):
        load(FinetuneConfig(early_stopping_patience=3), RunConfig())


def test_excerpts_begin_with_whole_lines() -> None:
    lines = [f"Line {number} has these words." for number in range(3000)]
    dataset = Dataset(np.array(toy_tokenizer().encode("\n".join(lines))), 1, 0)
    found = excerpts(dataset, toy_tokenizer()).splitlines()
    assert found[0] == lines[0]
    assert len(found) < 3000
    assert {int(line.split()[1]) > 1500 for line in found if line in lines} == {True, False}
