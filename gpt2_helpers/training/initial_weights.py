"""The weights that a finetuning run starts from: a base model's, a folder's, or the run's own.

Also the LoRA adapters, new or resumed, and the base weights below them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import (
    checkpoint_names,
    checkpoint_prefix,
    latest_checkpoint,
    load_model,
)
from gpt2_helpers.checkpoint.model_folders import local_name, model_folder
from gpt2_helpers.checkpoint.run_folder import RunFolder, RunSnapshot
from gpt2_helpers.checkpoint.run_search import refuse_if_misplaced
from gpt2_helpers.checkpoint.tensor_bundle import INDEX
from gpt2_helpers.checkpoint.weights import WeightsReader, missing_files
from gpt2_helpers.config import FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.errors import CheckpointError, OptionError, listed, nearest
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import UnmergedWeights, adapter_shapes, new_adapters
from gpt2_helpers.model.variables import variable_shapes

# An adapted matrix. Comparing one of them is enough to recognize the base weights.
ADAPTED_MATRIX = "model/h0/attn/c_attn/w"


@dataclass
class InitialWeights:
    """Where a finetuning run starts.

    Attributes:
        folder: Holds the tokenizer and hparams.json.
        weights: Prefix of the checkpoint to load.
        saved: The run's saved state if training resumes it, else None.
        notes: Lines for the user that say what was found.
        same_variables: Whether the run has trained the same variables before, so that its optimizer
            state can be restored. Set by `open_model`.
        base: Reads the fp32 base weights below the adapters, if adapters are trained. Set by
            `open_model`.
    """

    folder: Path
    weights: Path
    saved: RunSnapshot | None = None
    notes: list[str] = field(default_factory=list)
    same_variables: bool = True
    base: WeightsReader | None = None

    def remaining_steps(self, steps: int) -> int:
        """The steps to the end of the training that the run was saved in, if it was interrupted.

        Args:
            steps: Steps of a training that ended, or of a new one.
        """
        state = self.saved.optimizer_state() if self.saved is not None else None
        if state is None or steps <= 0:
            return steps
        try:
            step, _, _, last_step, _ = map(int, state["counts"])
        except (KeyError, ValueError, TypeError, OverflowError):  # restoring it reports this
            return steps
        return last_step - step if last_step > step else steps

    def open_model(self, config: FinetuneConfig, precision: str) -> GPT2:
        """Load the model to train: the full model, or a frozen one with adapters of `lora_rank`."""
        rank, name = config.lora_rank, self.weights.name
        run = self.saved
        saved = run.adapters() if run is not None else None
        if not rank:
            if run is not None and saved is not None:
                self._restart_optimizer(
                    f"{run.name} was trained with adapters, which are merged into its weights: "
                    "lora_rank=0 trains all of them"
                )
            return load_model(self.folder, precision, name)
        if run is not None and saved is not None:
            if saved.shapes == adapter_shapes(ModelConfig.load(run.path), rank):
                model = self._load_base(saved, run.record.base_checkpoint, precision)
                model.load_adapters(saved)
                return model
            self._restart_optimizer(
                f"{run.name} was trained with adapters of another rank, which are merged into its "
                f"weights: training new ones of rank {rank}"
            )
        elif run is not None:
            self._restart_optimizer(
                f"{run.name} has no adapters yet: training new ones of rank {rank}"
            )
        self.base = WeightsReader(self.weights)
        model = load_model(self.folder, precision, name, frozen=True)
        seed = secrets.randbits(63) if config.seed is None else config.seed
        model.load_adapters(new_adapters(model.config, rank, seed))
        return model

    def _restart_optimizer(self, reason: str) -> None:
        self.same_variables = False
        self.notes.append(f"{reason}; starting with a fresh optimizer")

    def _load_base(self, adapters: WeightsReader, base_checkpoint: str, precision: str) -> GPT2:
        """The frozen base model of the saved adapters.

        Read from its own checkpoint if that is unchanged. Otherwise computed from the run's
        weights, by subtracting the adapters.
        """
        base = Path(base_checkpoint)
        if base_checkpoint and _is_base(base, WeightsReader(self.weights), adapters, self.folder):
            self.base = WeightsReader(base)
            return load_model(base.parent, precision, base.name, frozen=True)
        self.notes.append(
            f"the adapters' base model ({base_checkpoint or 'not recorded'}) is missing or has "
            "changed: using the run's weights without the adapters"
        )
        return load_model(
            self.folder, precision, self.weights.name, frozen=True, subtract_adapters=adapters
        )


def resolve_restore_from(run: RunConfig, folder: RunFolder) -> InitialWeights:
    """Where training starts according to `restore_from`. Raises OptionError if it is invalid."""
    if run.restore_from in ("latest", "fresh"):
        saved = folder.read() if run.restore_from == "latest" else None
        if saved is not None and saved.checkpoint is not None:
            return InitialWeights(saved.path, saved.checkpoint, saved, _resume_notes(run, saved))
        if saved is not None:
            refuse_if_misplaced(folder.checkpoint_dir, folder.name)
        path = model_folder(run.model_name, run.model_dir)
        return InitialWeights(path, latest_checkpoint(path))
    path = Path(run.restore_from)
    if path.is_dir():
        return InitialWeights(path, latest_checkpoint(path))
    return _from_checkpoint(run, checkpoint_prefix(path), folder)


def _from_checkpoint(run: RunConfig, prefix: Path, folder: RunFolder) -> InitialWeights:
    """Start from a checkpoint, given by its path or, within the run, by its name.

    Training resumes at a checkpoint of the run itself, with its optimizer state.
    """
    own = folder.current_path()
    is_name = prefix == Path(prefix.name)
    if is_name and not Path(f"{prefix}{INDEX}").is_file():
        prefix = own / prefix
    if not Path(f"{prefix}{INDEX}").is_file():
        names = listed(checkpoint_names(prefix.parent)) or "none"
        hint = nearest(run.restore_from, ("latest", "fresh"))
        raise OptionError(
            f"restore_from={run.restore_from!r} is not a folder{hint}: use latest, fresh, a folder "
            f"or a checkpoint to start from (checkpoints in {prefix.parent}: {names})"
        )
    if lacking := missing_files(prefix):
        raise CheckpointError(f"{prefix} is incomplete: {lacking[0]} is missing: copy it again")
    if prefix.parent.resolve() != own.resolve():
        return InitialWeights(prefix.parent, prefix)
    saved = folder.read(prefix.name)
    return InitialWeights(saved.path, prefix, saved, _resume_notes(run, saved))


def _resume_notes(run: RunConfig, saved: RunSnapshot) -> list[str]:
    notes, base = [], saved.record.base_model
    if steps := saved.step:
        origin = f" (started from {base})" if base else ""
        notes.append(f"resuming {run.run_name} at step {steps:,}{origin}")
    if base and local_name(run.model_name) not in (base, RunConfig.model_name):
        notes.append(
            f"Warning: {run.run_name} started from {base}, so model_name={run.model_name!r} is "
            "ignored: use another run_name for a new run, or restore_from='fresh' to restart this "
            "one"
        )
    return notes


def _is_base(base: Path, merged: WeightsReader, adapters: WeightsReader, folder: Path) -> bool:
    """Whether the weights at `base`, with the adapters added, are the merged weights.

    A frozen model rounds its weights to 16 bits, so the merged ones may come from rounded ones.
    """
    try:
        if ModelConfig.load(base.parent) != ModelConfig.load(folder):
            return False
        reader = WeightsReader(base)
        names = variable_shapes(ModelConfig.load(folder))
        if any(reader.shapes.get(name) != merged.shapes.get(name) for name in names):
            return False
        vectors = [name for name in names if not name.endswith("/w") and name != "model/wte"]
        subtracted = UnmergedWeights(merged, adapters)
        return any(
            all(
                np.allclose(subtracted[n], _round(reader[n], precision), rtol=1e-5, atol=1e-6)
                for n in (*vectors, ADAPTED_MATRIX)
            )
            for precision in ("float32", "bfloat16", "float16")
        )
    except CheckpointError:
        return False


def _round(array: np.ndarray, precision: str) -> np.ndarray:
    rounded: np.ndarray = tf.cast(tf.cast(array, precision), tf.float32).numpy()
    return rounded
