"""A model in memory with its decoders and tokenizer, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.checkpoint.model_files import (
    chosen_checkpoint,
    latest_checkpoint,
    load_for_inference,
    load_model,
    step_of,
    weights_hash,
)
from gpt2_helpers.checkpoint.model_folders import model_folder
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.checkpoint.tensor_bundle import INDEX, MAX_INDEX_BYTES
from gpt2_helpers.config import BUNDLED_MODEL, INFERENCE_PRECISIONS
from gpt2_helpers.errors import CheckpointError, OptionError, explain_out_of_memory, nearest
from gpt2_helpers.generation.decoders import DecoderPool, runs_on_tflite
from gpt2_helpers.generation.prompts import BUNDLED_MODEL_EXAMPLES, PRETRAINED_EXAMPLES
from gpt2_helpers.system import device
from gpt2_helpers.system.bounded_files import read_bounded
from gpt2_helpers.tokenizer import Tokenizer

if TYPE_CHECKING:
    from gpt2_helpers.model.gpt2 import GPT2


@dataclass
class LoadedModel:
    """A model in memory. `Session` documents the other attributes.

    Attributes:
        model: The model, in the form that generation needs.
        decoders: Its decoders.
        tokenizer: Its tokenizer.
        precision: The precision that was asked for.
    """

    model: GPT2 | InferenceModel
    decoders: DecoderPool
    tokenizer: Tokenizer
    precision: str = "auto"
    run_name: str | None = None
    run_folder: Path | None = None
    base_model: str | None = None
    model_name: str | None = None
    prompt_prefix: str = ""
    prompt_suffix: str = ""
    example_prompts: tuple[str, ...] = ()
    loaded_step: int | None = None  # None for a run that was trained in this session

    @property
    def step(self) -> int | None:
        """Optimizer steps of the run's checkpoint; None if it is not a run's."""
        if self.loaded_step is None and self.run_folder is not None:
            return RunFolder(self.run_folder.parent, self.run_folder.name).read().step
        return self.loaded_step

    def to_tensorflow(self) -> GPT2:
        """Load the model into TensorFlow, if it is not there, and return it."""
        if isinstance(self.model, InferenceModel):
            self.model = self.model.to_tensorflow()
            self.decoders = DecoderPool(self.model)
        return self.model

    def set_run(self, folder: RunFolder, record: RunRecord) -> None:
        """Describe the model as that of a run."""
        self.run_name, self.run_folder = folder.name, folder.path
        self.base_model = record.base_model or None
        self.prompt_prefix, self.prompt_suffix = record.prompt_affixes()
        self.example_prompts = tuple(record.example_prompts)

    def has_base_of(self, other: LoadedModel) -> bool:
        """Whether the weights that adapters do not change equal those of another model."""
        ours, theirs = self.model, other.model
        return ours.config == theirs.config and all(
            np.array_equal(
                np.asarray(ours.effective_weight(name)), np.asarray(theirs.effective_weight(name))
            )
            for name in ("model/wpe", "model/ln_f/g")
        )


def load_run(
    run_name: str,
    checkpoint_dir: str | Path,
    checkpoint: str | None,
    precision: str,
    before: Callable[[], None] = lambda: None,
) -> LoadedModel:
    """Load a finetuned run; see `Session.load_run`. `before` is called before memory is needed."""
    folder = RunFolder(checkpoint_dir, run_name)
    run = folder.require()
    prefix = chosen_checkpoint(run.path, checkpoint)
    record = run.record
    loaded = _load(prefix, precision, before)
    loaded.set_run(folder, record)
    is_newest = checkpoint is None or checkpoint == "latest"
    loaded.loaded_step = run.step if is_newest else step_of(prefix)
    return loaded


def load_pretrained(
    model_name: str,
    model_dir: str | Path,
    precision: str,
    before: Callable[[], None] = lambda: None,
) -> LoadedModel:
    """Load a pretrained model; see `Session.load_pretrained` and `load_run`."""
    folder = model_folder(model_name, model_dir)
    loaded = _load(latest_checkpoint(folder), precision, before)
    loaded.model_name = folder.name
    is_bundled = folder.name == BUNDLED_MODEL
    loaded.example_prompts = BUNDLED_MODEL_EXAMPLES if is_bundled else PRETRAINED_EXAMPLES
    return loaded


def load_adapter(base: LoadedModel, run_name: str, checkpoint_dir: str | Path) -> LoadedModel:
    """Load a run's adapters, merged into the layers of its base; see `Session.load_adapter`."""
    if RunFolder(checkpoint_dir, run_name).require().adapters() is None:
        raise CheckpointError(
            f"{run_name} has no adapters: it was trained with lora_rank=0, or the adapters are "
            "already merged; load_run loads it in place of the current model"
        )
    loaded = load_run(run_name, checkpoint_dir, None, base.precision)
    if not loaded.has_base_of(base):
        raise CheckpointError(
            f"{run_name} was not finetuned from the loaded model, but from "
            f"{loaded.base_model or 'another one'}: load that first"
        )
    loaded.decoders.share_embeddings(base.decoders)
    return loaded


def _load(prefix: Path, precision: str, before: Callable[[], None]) -> LoadedModel:
    if precision not in INFERENCE_PRECISIONS:
        raise OptionError(
            f"precision must be one of {', '.join(INFERENCE_PRECISIONS)}, got {precision!r}"
            f"{nearest(str(precision), INFERENCE_PRECISIONS)}"
        )
    before()
    folder, checkpoint = prefix.parent, prefix.name
    tokenizer = Tokenizer.load(folder)
    training_precision = device.choose_precision(precision)
    decoding_precision = device.choose_decoding_precision(precision)
    model: GPT2 | InferenceModel
    if runs_on_tflite(decoding_precision):
        model = load_for_inference(folder, training_precision, decoding_precision, checkpoint)
    else:
        with explain_out_of_memory(lambda: f"while {folder} was loaded: use a smaller model"):
            model = load_model(folder, training_precision, checkpoint)
        model.decoding_precision = decoding_precision
    if tokenizer.n_vocab > model.config.n_vocab:
        raise CheckpointError(
            f"{folder}: encoder.json has {tokenizer.n_vocab} tokens, more than n_vocab="
            f"{model.config.n_vocab} in hparams.json: the files belong to different models"
        )
    model.weights_hash = weights_hash(read_bounded(Path(f"{prefix}{INDEX}"), MAX_INDEX_BYTES))
    decoders = DecoderPool(model)
    if isinstance(model, InferenceModel):
        decoders.get(1, 1, decoding_precision)  # reads the weights, so damage is reported here
    return LoadedModel(model, decoders, tokenizer, precision)
