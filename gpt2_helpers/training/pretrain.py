"""One pretraining, from a folder of texts to a model folder in OpenAI's layout.

The training is a finetuning run that begins with random weights; it lies in the folder `training`
inside the new model's, and goes on from there when the same call is made again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from gpt2_helpers.checkpoint.model_files import load_model, save_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.data.documents import find_files, iter_text
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.data.tokenize import split_at_word_boundaries
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from gpt2_helpers.training.pretrain_config import PRETRAIN_FINETUNE, PRETRAIN_RUN, PretrainConfig
from gpt2_helpers.training.pretraining import bits_per_byte, new_model, train_tokenizer
from gpt2_helpers.training.run import FinetuneRun

TRAINING = "training"
_PIECE = 1 << 20  # characters that the vocabulary is learnt from at a time


def prepare(
    texts: str | Path,
    out: str | Path,
    pretrain: PretrainConfig | None = None,
    finetune: FinetuneConfig = PRETRAIN_FINETUNE,
    run: RunConfig | None = None,
    data: DatasetConfig | None = None,
) -> FinetuneRun | None:
    """Learn the vocabulary, draw the first weights, and open the training, to be iterated over.

    Where an earlier call was stopped, it goes on to `finetune.steps` in all; None where it has
    come there already. Of `run`, only the intervals and the validation data count. Raises
    DatasetError for texts that cannot be trained on, CheckpointError where `out` holds another
    model.

    run = prepare("books", "models/mine")
    for progress in run: print(progress.loss)
    print(finish("models/mine", pretrain.dtype))
    """
    pretrain, run = pretrain or PretrainConfig(), run or PRETRAIN_RUN
    folder = RunFolder(out, TRAINING)
    saved = folder.read()
    if saved.checkpoint is None:
        _check_free(Path(out))
        column = (data or DatasetConfig()).column
        tokenizer = train_tokenizer(_documents(texts, column), pretrain.vocab_size)
        model = new_model(pretrain, finetune.seed or 0)
        folder.path.mkdir(parents=True, exist_ok=True)
        tokenizer.save(folder.path)
        save_model(model, folder.path, name="model-0")
    else:
        _check_shape(folder, pretrain)
    remaining = finetune.steps - saved.step
    if finetune.steps > 0 and remaining <= 0:
        return None
    steps = remaining if finetune.steps > 0 else finetune.steps
    return FinetuneRun(
        texts,
        dataclasses.replace(finetune, steps=steps),
        dataclasses.replace(
            run, run_name=TRAINING, checkpoint_dir=str(out), restore_from="latest", sample_every=0
        ),
        data,
    )


def _documents(texts: str | Path, column: str | None) -> Iterator[str]:
    """The texts in runs that end between two words. The end token is left out: it is one id of its
    own, and its characters must not become pieces."""
    stream = iter_text(find_files(texts), ReadReport(), column)
    for piece in split_at_word_boundaries(stream, _PIECE):
        yield from piece.split(END_OF_TEXT)


def _check_free(out: Path) -> None:
    """A model that stands there already would be written over at the end."""
    if (out / "hparams.json").exists() or any(out.glob("model*.index")):
        raise CheckpointError(
            f"{out} holds a model already, and no training of it to go on with: give another --out"
        )


def _check_shape(folder: RunFolder, pretrain: PretrainConfig) -> None:
    shape = ModelConfig.load(folder.path)
    if shape != pretrain.model_config():
        raise CheckpointError(
            f"{folder.path} holds an unfinished model of another shape, {shape}: give that "
            "shape to go on with it, or another --out"
        )


def finish(out: str | Path, dtype: str = "float32") -> Path:
    """Write the trained model's seven files into `out`; returns it."""
    out = Path(out)
    folder = RunFolder(out, TRAINING)
    folder.require()
    Tokenizer.load(folder.path).save(out)
    save_model(load_model(folder.path), out, dtype=dtype)
    return out


def measure(folder: str | Path, text: str) -> float:
    """Bits per byte that the model in `folder` needs for `text`, in fp32."""
    return bits_per_byte(load_model(folder), Tokenizer.load(folder), text)
