"""Pretraining a new model from a folder of texts: started, resumed and finished."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.errors import CheckpointError, DatasetError
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.pretrain import finish, new_model, prepare
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


@pytest.fixture(autouse=True, scope="module")
def _eager() -> Iterator[None]:
    """Compiling takes longer than a few steps of a toy model."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "one.txt").write_text("The ship lay in the harbour, and the gulls cried. " * 40)
    (folder / "two.txt").write_text("The gulls saw the ship leave the harbour at dawn. " * 40)
    return folder


@dataclasses.dataclass
class Trained:
    """A training of all six steps."""

    folder: Path
    losses: list[float]


@pytest.fixture(scope="module")
def trained(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    folder = tmp_path_factory.mktemp("pretrain") / "new"
    return Trained(folder, losses_of(texts, folder))


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the trained folder."""
    return shutil.copytree(trained.folder, tmp_path / "copy")


def losses_of(texts: Path, out: Path) -> list[float]:
    run = prepare(texts, out, SHAPE, TRAINING, RUN)
    assert run is not None
    return [progress.loss for progress in run]


def test_pretraining_writes_a_model_folder(trained: Trained, copied: Path) -> None:
    assert len(trained.losses) == 6
    assert finish(copied) == copied
    assert {path.name for path in copied.iterdir() if path.is_file()} == FILES
    model, tokenizer = load_model(copied), Tokenizer.load(copied)
    assert model.config == SHAPE.model_config()
    assert tokenizer.end_of_text == 299
    assert not [
        token for token in tokenizer.vocabulary if "<|" in token and token != "<|endoftext|>"
    ]


def test_stopped_pretraining_resumes_exactly(texts: Path, trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    run = prepare(texts, out, SHAPE, TRAINING, RUN)
    assert run is not None
    losses = []
    for progress in run:
        losses.append(progress.loss)
        if progress.step == 4:
            break
    del run
    losses += losses_of(texts, out)
    assert losses == trained.losses
    assert prepare(texts, out, SHAPE, TRAINING, RUN) is None


def test_half_precision_files_contain_the_same_model(copied: Path) -> None:
    exact = load_model(finish(copied)).logits([[1, 2, 3]]).numpy()
    size = (copied / "model.ckpt.data-00000-of-00001").stat().st_size
    half = load_model(finish(copied, "float16")).logits([[1, 2, 3]]).numpy()
    assert (copied / "model.ckpt.data-00000-of-00001").stat().st_size < 0.51 * size
    assert np.abs(exact - half).max() < 1e-2


def test_another_shape_is_rejected(texts: Path, trained: Trained) -> None:
    wider = dataclasses.replace(SHAPE, n_embd=32)
    with pytest.raises(CheckpointError, match="another shape"):
        prepare(texts, trained.folder, wider, TRAINING, RUN)


def test_held_out_file_inside_the_texts_is_not_learned(texts: Path, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    books = shutil.copytree(texts, tmp_path / "books")
    held_out = books / "held-out.txt"
    held_out.write_text("zyxwv " * 400)
    run = prepare(
        books,
        tmp_path / "new",
        SHAPE,
        TRAINING,
        RunConfig(validation_data=str(held_out), save_every=2),
    )
    assert run is not None
    assert "zy" not in "".join(run.tokenizer.vocabulary)
    assert "zyxwv" not in run.tokenizer.decode(run.dataset.tokens)
    assert run.validation is not None
    assert "zyxwv" in run.tokenizer.decode(run.validation.tokens)


def test_folder_with_another_model_is_rejected(texts: Path, copied: Path) -> None:
    finish(copied)
    shutil.rmtree(copied / "training")
    with pytest.raises(CheckpointError, match="already contains a model"):
        prepare(texts, copied, SHAPE, TRAINING, RUN)


def test_text_too_short_for_the_vocabulary(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    (tmp_path / "few.txt").write_text("too few words")
    with pytest.raises(DatasetError, match="too short for vocab_size=300"):
        prepare(tmp_path / "few.txt", tmp_path / "new", SHAPE, TRAINING, RUN)
    assert not (tmp_path / "new").exists()


def test_finish_without_a_training(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run 'training'"):
        finish(tmp_path / "nothing")


def test_new_model_has_the_requested_shape() -> None:
    config = PretrainConfig(vocab_size=300, n_ctx=16, n_embd=32, n_layer=2, n_head=4)
    model = new_model(config, seed=1)
    assert model.config == ModelConfig(300, 16, 32, 4, 2)
    assert sum(math.prod(v.shape) for v in model.variables.values()) == model.config.n_parameters
    assert model.logits([[1, 2, 3]]).shape == (1, 3, 300)


def test_seed_determines_the_weights() -> None:
    config = PretrainConfig(vocab_size=300, n_ctx=8, n_embd=16, n_layer=1, n_head=2)
    first, again, other = (new_model(config, seed).variables for seed in (1, 1, 2))
    for name, variable in first.items():
        np.testing.assert_array_equal(variable.numpy(), again[name].numpy())
    assert not np.array_equal(first["model/wte"].numpy(), other["model/wte"].numpy())
