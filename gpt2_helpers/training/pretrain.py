"""Pretraining: from a folder of texts to a new model folder in OpenAI's layout.

Trains a vocabulary, initializes the weights, and then trains like a finetuning run. That run is in
the folder `training` of the new model and is resumed if the same call is made again.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.data.find_files import find_training_files
from gpt2_helpers.data.remote_files import LocalCopies
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.system.files import drain
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.pretrain_config import PRETRAIN_FINETUNE, PRETRAIN_RUN, PretrainConfig
from gpt2_helpers.training.run import FinetuneRun
from gpt2_helpers.training.vocabulary import text_chunks, train_tokenizer
from gpt2_helpers.types import DatasetPath

TRAINING = "training"  # name of the run inside the new model's folder


def prepare(
    texts: DatasetPath,
    out: str | Path,
    pretrain: PretrainConfig | None = None,
    finetune: FinetuneConfig = PRETRAIN_FINETUNE,
    run: RunConfig | None = None,
    data: DatasetConfig | None = None,
) -> FinetuneRun | None:
    """Train the vocabulary, initialize the weights, and open the run that trains them.

    If an earlier call was stopped, its run is resumed.

    Args:
        texts: A file or folder of texts.
        out: The folder for the new model.
        pretrain: Vocabulary size and shape of the model.
        finetune: Training options; `steps` counts those of earlier calls too.
        run: How often to save and validate. Other options of the run are ignored.
        data: How to read the texts.

    Returns:
        The run, or None if all steps are done.

    Raises:
        DatasetError: The texts cannot be read or are too short for the vocabulary.
        CheckpointError: `out` contains another model.

    Example:
        run = prepare("books", "models/mine")
        for progress in run:
            print(progress.loss)
        finish("models/mine")
    """
    pretrain, run = pretrain or PretrainConfig(), run or PRETRAIN_RUN
    out = user_path(out, "out")
    folder = RunFolder(out, TRAINING)
    saved = folder.read()
    if saved.checkpoint is None:
        _check_is_free(out)
        data = data or DatasetConfig()
        with LocalCopies() as copies:
            held_out = run.validation_data
            validation = None if held_out is None else drain(copies.resolve(held_out))
            local = drain(copies.resolve(texts))
            files = find_training_files(local, validation, ReadReport(), data)
            tokenizer = train_tokenizer(text_chunks(files, data), pretrain.vocab_size)
        model = new_model(pretrain, finetune.seed or 0)
        folder.path.mkdir(parents=True, exist_ok=True)
        tokenizer.save(folder.path)
        save_model(model, folder.path, name="model-0")
    else:
        _check_shape(folder, pretrain)
    steps = finetune.steps
    if steps > 0:
        steps -= saved.step
        if steps <= 0:
            return None
    return FinetuneRun(
        texts,
        dataclasses.replace(finetune, steps=steps),
        dataclasses.replace(
            run, run_name=TRAINING, checkpoint_dir=str(out), restore_from="latest", sample_every=0
        ),
        data,
    )


def finish(out: str | Path, dtype: str = "float32") -> Path:
    """Write the trained model into `out`, in OpenAI's layout.

    Args:
        out: The folder given to `prepare`.
        dtype: float32 or float16, of the saved weights.

    Returns:
        `out` as a path.

    Raises:
        CheckpointError: Nothing has been trained there.
    """
    out = user_path(out, "out")
    folder = RunFolder(out, TRAINING)
    folder.require()
    Tokenizer.load(folder.path).save(out)
    save_model(load_model(folder.path), out, dtype=dtype)
    return out


def new_model(config: PretrainConfig, seed: int, precision: str = "float32") -> GPT2:
    """A GPT-2 of the given shape with random weights."""
    shape = config.model_config()
    return GPT2(shape, random_weights(shape, seed), precision)


def _check_is_free(out: Path) -> None:
    """Raise CheckpointError if `out` holds a model, which `finish` would overwrite."""
    if (out / "hparams.json").exists() or any(out.glob("model*.index")):
        raise CheckpointError(
            f"{out} already contains a model without an unfinished training: use another --out"
        )


def _check_shape(folder: RunFolder, pretrain: PretrainConfig) -> None:
    shape = ModelConfig.load(folder.path)
    if shape != pretrain.model_config():
        raise CheckpointError(
            f"{folder.path} contains an unfinished model of another shape, {shape}: use the same "
            "shape to resume it, or another --out"
        )
