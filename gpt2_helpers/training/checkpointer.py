"""Checkpoints of a training run: when to save, which to keep, and restoring the best one.

Writes through `RunFolder`, which knows the files. Does not train.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import step_of
from gpt2_helpers.checkpoint.run_folder import RunFolder, RunSnapshot
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.checkpoint.tensor_bundle import INDEX
from gpt2_helpers.checkpoint.weights import WeightsReader
from gpt2_helpers.config import RunConfig
from gpt2_helpers.errors import CheckpointError, Gpt2Error
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.trainer import Progress, Trainer


class Checkpointer:
    """Saves a trainer's model and state into a run folder.

    `saved_step` is the newest saved step, `best_step` the one with the lowest validation loss if
    training stops early; both None if there is none. With `overwrite`, the first save deletes all
    older checkpoints and every event file but `event_file`.
    """

    def __init__(
        self,
        folder: RunFolder,
        trainer: Trainer,
        tokenizer: Tokenizer,
        record: RunRecord,
        config: RunConfig,
        base: WeightsReader | None,
        resumed: RunSnapshot | None,
    ) -> None:
        """Start from the newest saved step of a run, or from a new run.

        Args:
            folder: The run folder.
            trainer: The trainer whose model and state are saved.
            tokenizer: The tokenizer of the model.
            record: The run's record, updated with each save.
            config: When to save and how many checkpoints to keep.
            base: Reads the fp32 weights that adapters are merged into; None without adapters.
            resumed: The resumed run as it was read; None for a new run.
        """
        self._folder, self._record, self._config = folder, record, config
        self._trainer, self._model, self._tokenizer = trainer, trainer.model, tokenizer
        self._base = base
        self._stops_early = trainer.config.stops_early
        self._overwrite = config.overwrite
        self.event_file: Path | None = None
        self.saved_step = trainer.step if resumed else None
        # The newest step may be a later one than the resumed step.
        self._newest_step = folder.read().step if resumed else None
        self.best_step = resumed.best_step if resumed and self._stops_early else None

    def check_unchanged(self) -> None:
        """Raise CheckpointError if another process has trained the run since it was opened."""
        if self._newest_step is None:
            return
        step = self._folder.read().step
        if step != self._newest_step:
            raise CheckpointError(
                f"{self._folder.path} was at step {self._newest_step} when it was opened and is "
                f"now at step {step}: open it again to resume from there"
            )

    def is_scheduled(self, step: int) -> bool:
        """Whether `save_every` asks for a checkpoint at this step."""
        return bool(self._config.save_every) and step % self._config.save_every == 0

    def update_best(self, progress: Progress) -> bool:
        """Record the step if it is the best so far and training can stop early.

        Returns:
            Whether it was recorded.
        """
        is_best = progress.is_best and self._stops_early
        if is_best:
            self.best_step = progress.step
        return is_best

    def save(self) -> None:
        """Save the trainer's step, then delete the checkpoints that are not kept.

        Does nothing if that step is saved already. Raises Gpt2Error if weights are NaN or infinite.
        """
        step = self._trainer.step
        if step == self.saved_step:
            return
        variables = (self._model.adapters or self._model.variables).values()
        if not all(bool(tf.reduce_all(tf.math.is_finite(variable))) for variable in variables):
            raise self.diverged("weights are NaN or infinite")
        if not self._trainer.workers.is_chief:  # which saves the same weights
            self.saved_step = step
            return
        state, base = self._trainer.state(), self._base_to_merge(step)
        kept = {step} if self.best_step is None else {step, self.best_step}
        if base is not None and self._in_folder(base) and step_of(base.prefix) >= 0:
            kept.add(step_of(base.prefix))
        if self._overwrite:
            self._record.checkpoints = sorted(kept - {step})
        self._folder.save(self._model, self._tokenizer, step, state, self._record, base)
        self.saved_step = step
        if self._overwrite and self.event_file is not None:
            self._folder.keep_only(step, self.event_file, kept)
            self._overwrite = False  # later saves of this run must not delete earlier ones
        self._folder.prune(self._config.max_checkpoints, self._record, kept)

    def roll_back(self) -> int:
        """Make the best checkpoint the newest one and load its weights; returns its step."""
        step = self.best_step
        assert step is not None
        workers = self._trainer.workers
        if workers.is_chief:
            self._load(step)
        workers.copy_from_chief(self._model.variables.values())
        workers.copy_from_chief(self._model.adapters.values())
        self._model.version += 1
        self.saved_step = step
        return step

    def _load(self, step: int) -> None:
        self._folder.roll_back(step, self._record)
        weights = WeightsReader(self._folder.path / f"model-{step}")
        for name, variable in self._model.variables.items():
            variable.assign(tf.cast(weights[name], variable.dtype))
        if self._model.adapters:  # the trained ones are merged into those weights
            rank = self._trainer.config.lora_rank
            adapters = new_adapters(self._model.config, rank, self._trainer.seed)
            self._model.load_adapters(adapters)
            self._base = weights

    def last_saved(self) -> str:
        """What an error message says about the newest checkpoint."""
        if self.saved_step is None:
            return "nothing was saved"
        return f"last checkpoint: step {self.saved_step}"

    def diverged(self, problem: str) -> Gpt2Error:
        """The error to raise if training diverged: what happened and what to change."""
        return Gpt2Error(
            f"{problem} at step {self._trainer.step} ({self.last_saved()}): lower learning_rate "
            f"(now {self._trainer.config.learning_rate:g}) or set max_grad_norm=1"
        )

    def _base_to_merge(self, step: int) -> WeightsReader | None:
        """The reader of the fp32 base weights, or None if their file is gone.

        A save that replaces that file is the last one that can merge into it.
        """
        base = self._base
        if base is None or not Path(f"{base.prefix}{INDEX}").is_file():
            return None
        if base.prefix.resolve() == (self._folder.path / f"model-{step}").resolve():
            self._base, self._record.base_checkpoint = None, ""
        return base

    def _in_folder(self, base: WeightsReader) -> bool:
        return base.prefix.parent.resolve() == self._folder.path.resolve()
