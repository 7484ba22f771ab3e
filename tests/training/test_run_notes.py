"""What a run says before training."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.data.dataset import Dataset
from gpt2_helpers.training.run_notes import data_notes, model_note
from gpt2_helpers.training.trainer import Trainer
from gpt2_helpers.training.windows import make_windows
from toy import toy_model, toy_tokenizer
from toy_runs import SHAPE


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    tokens = np.tile([5, 6, 7, toy_tokenizer().end_of_text], 40)
    windows = make_windows("documents", tokens, toy_tokenizer(), SHAPE.n_ctx, False)
    config = FinetuneConfig(steps=3, optimizer="sgd", accumulate_gradients=1)
    return Trainer(toy_model(SHAPE), windows, config)


def test_the_model_is_described_with_the_devices_that_train(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = model_note(trainer, "124M", "float32")
    assert note == f"training 124M, {SHAPE.n_parameters:,} parameters, float32"
    monkeypatch.setattr(trainer.workers, "local_devices", 4)
    assert model_note(trainer, "124M", "float32") == f"{note}, on 4 devices"
    monkeypatch.setattr(trainer.workers, "count", 2)
    assert model_note(trainer, "124M", "float32") == f"{note}, on 8 devices of 2 workers"


def test_the_data_is_described(trainer: Trainer) -> None:
    end = toy_tokenizer().end_of_text
    dataset = Dataset(trainer.windows.tokens, documents=40, characters=0, end_of_text=end)
    validation = Dataset(np.arange(90), documents=1, characters=0)
    notes = data_notes(trainer, toy_tokenizer(), dataset, validation, has_prompts=True)
    text = "\n".join(notes)
    assert "40 documents, 160 tokens" in text
    assert "the loss is that of the completions" in text
    assert "each sequence is filled with whole texts" in text
    assert notes[-1] == "validation on 90 tokens"
