"""A finetuning run: puts the trainer, its callbacks and the checkpointer together.

Prints nothing: consumers iterate over it and show the progress it yields.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass

import tensorflow as tf

from gpt2_helpers.checkpoint.run_folder import RunFolder, RunSnapshot
from gpt2_helpers.checkpoint.run_record import RunRecord, dataset_name, installed_versions
from gpt2_helpers.checkpoint.weights import WeightsReader
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.data.batches import WindowSource
from gpt2_helpers.data.dataset import Dataset, sample_tokens
from gpt2_helpers.errors import (
    CheckpointError,
    GradientOverflowError,
    OptionError,
    OutOfMemoryError,
    explain_out_of_memory,
)
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.prompts import example_prompts, starts_with_marker
from gpt2_helpers.system import device
from gpt2_helpers.system.interrupts import deferred_interrupts
from gpt2_helpers.system.locks import exclusive_lock, refuse_if_busy
from gpt2_helpers.tokenizer import START_OF_TEXT, Tokenizer
from gpt2_helpers.training.callbacks import (
    Callback,
    LossHistory,
    ModelCard,
    SampleWriter,
    TensorBoard,
)
from gpt2_helpers.training.checkpointer import Checkpointer
from gpt2_helpers.training.initial_weights import InitialWeights, resolve_restore_from
from gpt2_helpers.training.memorization import MemorizationMonitor
from gpt2_helpers.training.memory import ways_to_save_memory
from gpt2_helpers.training.run_notes import data_notes, model_note
from gpt2_helpers.training.trainer import Progress, Trainer
from gpt2_helpers.training.training_data import excerpts, load_training_data
from gpt2_helpers.training.windows import STREAM, choose_windows, has_prompts, make_windows
from gpt2_helpers.training.workers import join_workers
from gpt2_helpers.types import DatasetPath

_START_TOKENS = 32  # more than any marker has
UNTIMED_STEPS = 2  # the first ones, which include compiling


@dataclass(frozen=True)
class RunProgress(Progress):
    """Progress of a run: one step's losses, its samples, and whether a checkpoint was saved."""

    samples: tuple[str, ...] = ()
    saved: bool = False


class FinetuneRun:
    """A finetuning run; iterating over it trains and yields a RunProgress per optimizer step.

    The run is saved at the end, even if Ctrl-C was pressed or the consumer stops iterating.

    Attributes:
        config, run_config: The options.
        folder, record: The run folder and its record, `run.json`.
        model, tokenizer, trainer: What is trained.
        workers: This process among those that train together.
        decoders: The pool of decoders that generate samples from the model.
        dataset, validation: The training data and the validation data, None without validation.
        callbacks: Called after each step and save; add your own before iterating.
        notes: Lines for the user: what will be trained, and later events such as early stopping.
        interrupted: Whether the run was ended by Ctrl-C.

    run = FinetuneRun("titles.csv", FinetuneConfig(steps=200), RunConfig(model_name="tiny"))
    for progress in run:
        print(progress.step, progress.loss)
    """

    def __init__(
        self,
        dataset: DatasetPath,
        finetune: FinetuneConfig | None = None,
        run: RunConfig | None = None,
        data: DatasetConfig | None = None,
    ) -> None:
        """Open the run or the base model, and read the data. Saves nothing yet.

        Args:
            dataset: A file or folder of texts, an encoded dataset, or a list of these.
            finetune: Training options.
            run: Options of the run folder: where to start from, when to save and to sample.
            data: How to read the dataset.

        Raises:
            Gpt2Error: Something is missing or invalid; the message says what.
        """
        self.config, self.run_config = finetune or FinetuneConfig(), run or RunConfig()
        self.folder = RunFolder(self.run_config.checkpoint_dir, self.run_config.run_name)
        self.interrupted = False
        self._first_step = 0
        self.notes: list[str] = []
        self.workers = join_workers(self.config.multi_gpu)
        with self.workers.explain_lost(lambda: "while the run was opened"):
            self._open(dataset, data or DatasetConfig())

    def _open(self, dataset: DatasetPath, data: DatasetConfig) -> None:
        if self.workers.is_chief:
            refuse_if_busy(self.folder.path)  # its files may be deleted while they are read
            self.folder.recover_interrupted_replace()
        self.workers.wait_for_all()
        initial = resolve_restore_from(self.run_config, self.folder)
        self.record = initial.saved.record if initial.saved else RunRecord()
        self.tokenizer = Tokenizer.load(initial.folder)
        if self.workers.cluster:  # whose scheduler starts the same command again
            steps = initial.remaining_steps(self.config.steps)
            self.config = dataclasses.replace(self.config, steps=steps)
        data = self._load_data(dataset, data, initial)
        precision = device.choose_precision(self.config.precision)
        self._require_same_options(initial, precision)
        self._build_trainer(initial, precision)
        if initial.saved:
            self._resume(initial.saved, initial.same_variables)
        self._add_callbacks(initial)
        self._update_record(dataset, data, initial)
        name = self.record.base_model or initial.folder.name
        self.notes.append(model_note(self.trainer, name, precision))
        self.notes += data_notes(
            self.trainer, self.tokenizer, self.dataset, self.validation, self._has_prompts
        )

    def _load_data(
        self, dataset: DatasetPath, data: DatasetConfig, initial: InitialWeights
    ) -> DatasetConfig:
        """Read the data and choose its windows. Returns how it was read."""
        if self.record.legacy_tokens:  # a run keeps the token format that it started with
            data = dataclasses.replace(data, legacy_tokens=True)
        self.dataset, self.validation = load_training_data(
            dataset, self.tokenizer, self.config, self.run_config, data
        )
        start = self.tokenizer.decode(self.dataset.tokens[:_START_TOKENS])
        self._is_table = starts_with_marker(start)
        self._has_prompts = has_prompts(self.dataset.tokens, self.tokenizer)
        recorded = self.record.windows or STREAM if initial.saved else None
        self.record.windows = choose_windows(
            self.config.windows, recorded, self._is_table, data.legacy_tokens, self._has_prompts
        )
        return data

    def _build_trainer(self, initial: InitialWeights, precision: str) -> None:
        with explain_out_of_memory(
            lambda: f"while the model was built: {ways_to_save_memory(self.config)}"
        ):
            with self.workers.strategy.scope():
                self.model = initial.open_model(self.config, precision)
            validation = None if self.validation is None else self._windows(self.validation)
            windows = self._windows(self.dataset)
            self.trainer = Trainer(self.model, windows, self.config, validation, self.workers)
        self.notes += initial.notes
        self.model.decoding_precision = device.choose_decoding_precision(self.config.precision)
        self.decoders = DecoderPool(self.model)

    def _add_callbacks(self, initial: InitialWeights) -> None:
        """Create what saves, samples and watches the run while it trains."""
        self._checkpointer = Checkpointer(
            self.folder,
            self.trainer,
            self.tokenizer,
            self.record,
            self.run_config,
            initial.base,
            initial.saved,
        )
        self._samples = SampleWriter(
            self.decoders,
            self.tokenizer,
            self.dataset.tokens,
            self.run_config,
            self.trainer.seed,
            self._has_prompts,
        )
        self._memorization = None
        if self.validation is not None:
            self._memorization = MemorizationMonitor(
                self.record,
                self._samples,
                self.tokenizer,
                self.dataset.tokens,
                self.validation.tokens,
                self._is_table or self._has_prompts,
                START_OF_TEXT if self._is_table and not self._has_prompts else None,
            )
        self.callbacks: list[Callback] = [LossHistory(self.record), ModelCard(self.record)]
        self._active_callbacks: list[Callback] = []

    def _require_same_options(self, initial: InitialWeights, precision: str) -> None:
        """Check that all workers are about to train the same model on the same data."""
        step = initial.saved.step if initial.saved else 0
        tokens = [sample_tokens(each) for each in (self.dataset, self.validation) if each]
        self.workers.require_same(
            {
                "the step to resume from": step,
                "the training options": self.config,
                "the precision": precision,
                "the size of the model": ModelConfig.load(initial.folder),
                "the dataset": (self.record.windows, tokens),
            }
        )

    def __iter__(self) -> Generator[RunProgress, None, None]:
        if not self.workers.is_chief:
            self._active_callbacks = self.callbacks
            yield from self._train()
            return
        with ExitStack() as stack:
            try:
                self.folder.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(exclusive_lock(self.folder.path))
                self._checkpointer.check_unchanged()
                self.folder.remove_partial()
                tensorboard = TensorBoard(self.folder.path)
            except (OSError, tf.errors.OpError) as error:
                raise CheckpointError(
                    f"cannot write to the run folder {self.folder.path}: "
                    f"{getattr(error, 'strerror', None) or error}: use another checkpoint_dir"
                ) from None
            self._checkpointer.event_file = tensorboard.path
            # First, since a backup copies the event file.
            self._active_callbacks = [tensorboard, *self.callbacks]
            yield from self._train()

    def _train(self) -> Generator[RunProgress, None, None]:
        try:
            with (
                deferred_interrupts() as interrupt,
                explain_out_of_memory(self._memory_advice),
                self.workers.explain_lost(self._moment),
            ):
                if self._checkpointer.saved_step:
                    self._report_save()  # the previous process may have ended before its backup
                self._first_step = self.trainer.step
                for progress in self.trainer:
                    yield self._after_step(progress)
                    if self.workers.any(interrupt.requested):
                        self.interrupted = True
                        break
                if self.trainer.stopped_early and self._checkpointer.best_step is not None:
                    self._roll_back()
                else:
                    self._save()
                self.workers.wait_for_all()  # while the chief saves
                self.interrupted |= interrupt.requested
        except (GeneratorExit, GradientOverflowError):
            # The consumer stopped iterating, or the weights cannot be changed any further.
            self._save()
            raise
        finally:
            for callback in self._active_callbacks:
                callback.on_end()

    @property
    def saved_step(self) -> int | None:
        """The newest saved step; None if nothing was saved yet."""
        return self._checkpointer.saved_step

    def _moment(self) -> str:
        return f"after step {self.trainer.step} ({self._checkpointer.last_saved()})"

    def _memory_advice(self) -> str:
        return f"{self._moment()}: {ways_to_save_memory(self.config)}"

    def _after_step(self, progress: Progress) -> RunProgress:
        """Record the step; save and sample if they are due."""
        step = progress.step
        self.notes += self.trainer.notes
        self.trainer.notes.clear()
        if not math.isfinite(progress.loss):
            raise self._checkpointer.diverged(f"loss is {progress.loss}")
        if step - self._first_step > UNTIMED_STEPS:
            self.record.tokens_per_second = round(progress.tokens_per_second, 1)
        for callback in self._active_callbacks:
            callback.on_step(progress)
        progress = self._watch_memorization(progress)
        is_scheduled = self._checkpointer.is_scheduled(step)
        is_best = self._checkpointer.update_best(progress)
        if is_scheduled or is_best:
            self._save(is_scheduled)
        is_sampled = self.workers.is_chief and self._samples.is_due(step)
        samples = self._sample(step) if is_sampled else ()
        return RunProgress(**vars(progress), samples=samples, saved=is_scheduled or is_best)

    def _watch_memorization(self, progress: Progress) -> Progress:
        """Note when memorization begins, and stop if that is asked for."""
        if self._memorization is None or progress.validation_loss is None:
            return progress
        if self.workers.is_chief and (note := self._memorization.update(progress)):
            self.notes.append(note)
        self.record.memorized_from = self.workers.from_chief(self.record.memorized_from)
        patience = max(1, self.config.early_stopping_patience)
        if self.config.stops_at_memorization and self._memorization.n_evaluations >= patience:
            self.trainer.stop_early()
            return dataclasses.replace(progress, stops_early=True)
        return progress

    def _sample(self, step: int) -> tuple[str, ...]:
        try:
            return self._samples.write(step)
        except (OptionError, OutOfMemoryError):
            self._save()
            raise

    def _save(self, scheduled: bool = True) -> None:
        self._checkpointer.save()
        self._report_save(scheduled)

    def _report_save(self, scheduled: bool = True) -> None:
        if not self.workers.is_chief:
            return
        for callback in self._active_callbacks:
            callback.on_save(self.folder, scheduled)

    def _roll_back(self) -> None:
        step = self._checkpointer.roll_back()
        self._report_save()
        self.notes.append(f"stopped early: restored the best checkpoint, step {step}")

    def _windows(self, dataset: Dataset) -> WindowSource:
        return make_windows(
            self.record.windows,
            dataset.tokens,
            self.tokenizer,
            self.model.config.n_ctx,
            self._is_table,
            self._has_prompts,
        )

    def _resume(self, saved: RunSnapshot, same_variables: bool) -> None:
        """Restore the trainer's state as of the newest checkpoint."""
        step = saved.step
        try:
            self._restore_state(step, saved.optimizer_state(), same_variables)
        except (ValueError, KeyError) as error:
            raise CheckpointError(
                f"the optimizer state of step {step} in {self.folder.path} is damaged ({error}): "
                f"delete optimizer-{step}.* to restart the optimizer"
            ) from None

    def _restore_state(self, step: int, state: WeightsReader | None, same_variables: bool) -> None:
        self.record.forget_after(step)
        if state is None:
            self.trainer.start_at(step)
            if step:
                self.notes.append("no optimizer state found: starting with a fresh optimizer")
        elif not same_variables:  # the notes say so already
            self.trainer.restore({name: state[name] for name in ("numbers", "counts")})
        elif not self.trainer.restore(state):
            self.notes.append(
                "the optimizer differs from the saved one: starting with a fresh optimizer"
            )

    def _update_record(
        self, dataset: DatasetPath, data: DatasetConfig, initial: InitialWeights
    ) -> None:
        record = self.record
        name = dataset_name(dataset)
        if not record.is_trained_on(name, data.column):
            column = record.parameters.get("column")
            record.earlier_datasets.append((record.dataset, column, self.trainer.step))
            record.memorized_from = 0
            self.notes.append(
                f"{self.folder.name} was trained on {record.dataset} before and now continues on "
                f"{name}: to keep them apart, use another run_name"
            )
        text = excerpts(self.dataset, self.tokenizer)
        record.dataset = name
        record.prompt_prefix = START_OF_TEXT if self._is_table else ""
        record.has_prompts = self._has_prompts
        record.example_prompts = [*example_prompts(text, self._has_prompts)]
        record.dataset_tokens = len(self.dataset.tokens)
        record.tokens_per_step = self.trainer.tokens_per_step
        if initial.saved is None:
            record.base_model = initial.folder.name
        record.lora_rank = self.config.lora_rank
        record.base_checkpoint = str(initial.base.prefix) if initial.base else ""
        record.legacy_tokens = data.legacy_tokens
        record.parameters = {
            name: value
            for config in (self.config, self.run_config, data)
            for name, value in dataclasses.asdict(config).items()
        }
        record.versions = installed_versions()
        record.device, record.tokens_per_second = device.name(), 0.0
