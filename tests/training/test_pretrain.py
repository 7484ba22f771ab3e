"""A new model from a folder of texts: made, gone on with, finished, measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import FinetuneConfig, RunConfig
from gpt2_helpers.errors import CheckpointError, DatasetError
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training import pretrain
from gpt2_helpers.training.pretrain_config import PretrainConfig

SHAPE = PretrainConfig(vocab_size=300, n_ctx=32, n_embd=16, n_layer=2, n_head=2)
TRAINING = FinetuneConfig(
    steps=6,
    batch_size=2,
    accumulate_gradients=1,
    optimizer="adamw",
    lr_schedule="cosine",
    warmup_steps=2,
    eval_every=3,
    seed=1,
    precision="float32",
)
RUN = RunConfig(validation_split=0.2, save_every=2)
FILES = {
    "checkpoint",
    "encoder.json",
    "hparams.json",
    "model.ckpt.data-00000-of-00001",
    "model.ckpt.index",
    "model.ckpt.meta",
    "vocab.bpe",
}


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "one.txt").write_text("The ship lay in the harbour, and the gulls cried. " * 40)
    (folder / "two.txt").write_text("The gulls saw the ship leave the harbour at dawn. " * 40)
    return folder


def trained(texts: Path, out: Path, training: FinetuneConfig = TRAINING) -> list[float]:
    run = pretrain.prepare(texts, out, SHAPE, training, RUN)
    assert run is not None
    return [progress.loss for progress in run]


def test_pretraining_makes_a_model_folder(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    losses = trained(texts, out)
    assert len(losses) == 6
    assert pretrain.finish(out) == out
    assert {path.name for path in out.iterdir() if path.is_file()} == FILES
    model, tokenizer = load_model(out), Tokenizer.load(out)
    assert model.config == SHAPE.model_config()
    assert tokenizer.end_of_text == 299
    assert "<|" not in "".join(set(tokenizer.vocabulary) - {"<|endoftext|>"})
    assert 0 < pretrain.measure(out, "The gulls cried.") < 8


def test_stopped_pretraining_goes_on_as_if_it_had_not_been(texts: Path, tmp_path: Path) -> None:
    whole = trained(texts, tmp_path / "whole")
    run = pretrain.prepare(texts, tmp_path / "stopped", SHAPE, TRAINING, RUN)
    assert run is not None
    losses = []
    for progress in run:
        losses.append(progress.loss)
        if progress.step == 4:
            break
    del run
    losses += trained(texts, tmp_path / "stopped")
    assert losses == whole
    assert pretrain.prepare(texts, tmp_path / "stopped", SHAPE, TRAINING, RUN) is None


def test_half_precision_files_hold_the_same_model(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    trained(texts, out)
    exact = load_model(pretrain.finish(out)).logits([[1, 2, 3]]).numpy()
    size = (out / "model.ckpt.data-00000-of-00001").stat().st_size
    half = load_model(pretrain.finish(out, "float16")).logits([[1, 2, 3]]).numpy()
    assert (out / "model.ckpt.data-00000-of-00001").stat().st_size < 0.51 * size
    assert np.abs(exact - half).max() < 1e-2


def test_another_shape_is_refused(texts: Path, tmp_path: Path) -> None:
    trained(texts, tmp_path / "new", dataclasses.replace(TRAINING, steps=2))
    wider = dataclasses.replace(SHAPE, n_embd=32)
    with pytest.raises(CheckpointError, match="another shape"):
        pretrain.prepare(texts, tmp_path / "new", wider, TRAINING, RUN)


def test_too_little_text_for_the_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("too few words")
    with pytest.raises(DatasetError, match="fewer than vocab_size=300"):
        pretrain.prepare(tmp_path / "few.txt", tmp_path / "new", SHAPE, TRAINING, RUN)
    assert not (tmp_path / "new").exists()


def test_finishing_what_was_never_begun(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run 'training'"):
        pretrain.finish(tmp_path / "nothing")
