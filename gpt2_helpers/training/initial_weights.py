"""What a finetuning begins with: whose weights, and adapters beside them where those are trained.

A run that goes on finds its own adapters and the weights that these stand beside. Knows no data.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import latest_checkpoint, load_model, model_folder
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.weights import WeightsReader
from gpt2_helpers.config import FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.errors import CheckpointError, OptionError
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import WithoutAdapters, adapter_shapes, new_adapters

ANY_ADAPTED = "model/h0/attn/c_attn/w"  # one matrix tells whether others fit as well


@dataclass
class InitialWeights:
    """Where a finetuning starts from. `notes` says it in plain lines.

    `trained_so` tells whether what will be trained is what the run trained before, so that its
    optimizer goes on; `base` reads the fp32 weights that adapters stand beside. Both are known once
    the model is open.
    """

    folder: Path  # with the shape and the tokenizer
    weights: Path  # prefix of the checkpoint
    resumes: bool  # the run itself goes on
    notes: list[str] = field(default_factory=list)
    trained_so: bool = True
    base: WeightsReader | None = None

    def open_model(self, config: FinetuneConfig, precision: str, run: RunFolder) -> GPT2:
        """The model as it is to be trained: itself, or frozen with adapters of `lora_rank`."""
        rank, name = config.lora_rank, self.weights.name
        saved = run.adapters() if self.resumes else None
        if not rank:
            if saved is not None:
                self._begin_anew("lora_rank=0 goes on in full, on the weights that have them")
            return load_model(self.folder, precision, name)
        if saved is not None and saved.shapes == adapter_shapes(ModelConfig.load(run.path), rank):
            model = self._without(saved, run.record().base_checkpoint, precision)
            model.load_adapters(saved)
            return model
        if saved is not None:
            self._begin_anew(f"new ones of rank {rank} begin on the weights that have them")
        elif self.resumes:
            self.trained_so = False
            self.notes.append(
                f"{run.name} has no adapters yet: those of rank {rank} begin on its weights, and "
                "the optimizer starts afresh"
            )
        self.base = WeightsReader(self.weights)
        model = load_model(self.folder, precision, name, frozen=True)
        seed = secrets.randbits(63) if config.seed is None else config.seed
        model.load_adapters(new_adapters(model.config, rank, seed))
        return model

    def _begin_anew(self, what: str) -> None:
        self.trained_so = False
        self.notes.append(
            f"adapters were trained before: {what} merged in, and the optimizer starts afresh"
        )

    def _without(self, saved: WeightsReader, place: str, precision: str) -> GPT2:
        """The frozen model that the saved adapters stand beside: its own file's where that is still
        what it was, else got back from the run's weights."""
        base = Path(place)
        if place and _is_base(base, WeightsReader(self.weights), saved, self.folder):
            self.base = WeightsReader(base)
            return load_model(base.parent, precision, base.name, frozen=True)
        self.notes.append(
            f"{place or 'the model'} that the adapters stand beside is not here as it was: the "
            "run's own weights without them are taken"
        )
        return load_model(self.folder, precision, self.weights.name, frozen=True, without=saved)


def resolve_restore_from(run: RunConfig, folder: RunFolder) -> InitialWeights:
    """Where `restore_from` says that training starts; OptionError where that is nowhere."""
    if run.restore_from == "latest" and (newest := folder.newest()):
        beginning = InitialWeights(folder.path, newest, resumes=True)
        steps, base = folder.completed_steps(), folder.record().base_model
        if steps:
            begun = f", begun from {base}" if base else ""
            beginning.notes.append(f"going on with {run.run_name}, {steps:,} steps so far{begun}")
        if base and run.model_name not in (base, RunConfig.model_name):
            beginning.notes.append(
                f"Warning: {run.run_name} began from {base}, so model_name={run.model_name!r} "
                "has no effect: another run_name begins a new run, restore_from='fresh' begins "
                "this one anew"
            )
        return beginning
    if run.restore_from in ("latest", "fresh"):
        place = model_folder(run.model_name, run.model_dir)
    else:
        place = Path(run.restore_from)
    if place.is_dir():
        return InitialWeights(place, latest_checkpoint(place), resumes=False)
    if place.with_name(place.name + ".index").is_file():
        return InitialWeights(place.parent, place, resumes=False)
    raise OptionError(
        f"restore_from must be latest, fresh or a folder with a model, "
        f"got {run.restore_from!r}, which is no folder"
    )


def _is_base(base: Path, merged: WeightsReader, adapters: WeightsReader, folder: Path) -> bool:
    """Whether the weights at `base` are those which, with the adapters, make the merged ones: as
    they are in the file, or as a frozen model has rounded them."""
    try:
        if ModelConfig.load(base.parent) != ModelConfig.load(folder):
            return False
        reader = WeightsReader(base)
        if reader.shapes != merged.shapes:
            return False
        small = [name for name in merged if not name.endswith("/w") and name != "model/wte"]
        found = WithoutAdapters(merged, adapters)
        return any(
            all(
                np.allclose(found[name], _rounded(reader[name], precision), rtol=1e-5, atol=1e-6)
                for name in (*small, ANY_ADAPTED)
            )
            for precision in ("float32", "bfloat16", "float16")
        )
    except CheckpointError:
        return False


def _rounded(array: np.ndarray, precision: str) -> np.ndarray:
    rounded: np.ndarray = tf.cast(tf.cast(array, precision), tf.float32).numpy()
    return rounded
