"""The notes of the finetuning form on a model, a text and options. test_finetune has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.config import (
    BUNDLED_FOLDER,
    PRETRAINED_CONFIGS,
    DatasetConfig,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
)
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.data.samples import SAMPLES, sample_path
from gpt2_helpers.forms import model_notes
from gpt2_helpers.forms.data_preview import preview
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training import step_time
from toy_runs import write_model

SMALL = PRETRAINED_CONFIGS["124M"]


def test_shapes_are_known_before_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    assert model_notes.model_shape(RunConfig(model_name="345M")) == PRETRAINED_CONFIGS["355M"]
    assert model_notes.model_shape(RunConfig(model_name="tiny")) is not None
    assert model_notes.model_shape(RunConfig(model_name="toy")) == ModelConfig.load("models/toy")
    assert model_notes.model_shape(RunConfig(model_name="unheard-of")) is None


@pytest.mark.parametrize("name", SAMPLES)
def test_the_tokens_of_a_text_are_estimated_as_they_are_trained_on(name: str) -> None:
    path, run = sample_path(name), RunConfig(model_name="tiny", validation_split=0.2)
    shape = model_notes.model_shape(run)
    assert shape is not None
    config = DatasetConfig()
    if name == "dishes.jsonl":
        config = DatasetConfig(prompt_column="prompt", column="completion")
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    tokens = load_dataset(path, tokenizer, config).tokens
    text = preview(path, config.column, prompt_column=config.prompt_column)
    found = model_notes.estimate_tokens(text, run, shape)
    assert found == pytest.approx(0.8 * len(tokens), rel=0.15)
    unknown = RunConfig(model_name="124M", model_dir="nowhere", validation_split=0.2)
    found = model_notes.estimate_tokens(text, unknown, SMALL)
    assert found == pytest.approx(0.8 * len(tokens), rel=0.5)  # 124M's tokens are longer


@pytest.mark.parametrize(
    ("steps", "seconds", "expected"),
    [
        (1000, 2.5, "About 41 min 40 s, plus samples and saving: 2.5 s per step (timed)."),
        (10, 0.0421, "About less than a second, plus samples and saving: 42 ms per step (timed)."),
        (0, 2.5, "About 2.5 s per step (timed), plus samples and saving."),
    ],
)
def test_the_time_of_all_steps_and_its_source_are_shown(
    steps: int, seconds: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = step_time.StepTime(seconds, "timed")
    monkeypatch.setattr(step_time, "step_time", lambda *_: timed)
    shown = model_notes.describe_time(FinetuneConfig(steps=steps), RunConfig(), SMALL, None)
    assert shown == expected.replace("About less than", "Less than")


def test_a_device_that_cannot_time_a_step_shows_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(step_time, "step_time", full)
    assert model_notes.describe_time(FinetuneConfig(), RunConfig(), SMALL, None) == ""


def test_a_text_as_long_as_the_context_is_no_short_text() -> None:
    assert model_notes.short_text_warning(5000, 1025, SMALL) == ""
    assert model_notes.short_text_warning(None, None, SMALL) == ""
    assert "only 1 character, about 1 token, less" in model_notes.short_text_warning(1, 0, SMALL)


def test_a_short_text_is_trained_in_short_sequences() -> None:
    config = FinetuneConfig(steps=2, accumulate_gradients=1)
    assert model_notes.describe_training(config, SMALL, 40) == (
        "2 steps of 40 tokens, about 2 epochs over your text."
    )
