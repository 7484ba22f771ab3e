"""One finetuning, from a dataset to a run folder: an iterator that saves, samples and keeps record.

It knows nothing of printing: whoever iterates over it shows what it yields.
"""

from __future__ import annotations

import dataclasses
import gc
import math
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import step_of
from gpt2_helpers.checkpoint.run_folder import RunFolder, RunRecord, installed_versions
from gpt2_helpers.checkpoint.tensor_bundle import INDEX
from gpt2_helpers.checkpoint.weights import WeightsReader
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig, SamplingConfig
from gpt2_helpers.data.dataset import Dataset, load_dataset, train_validation_split
from gpt2_helpers.errors import CheckpointError, Gpt2Error, OptionError, OutOfMemoryError
from gpt2_helpers.generation.decoders import DecoderPool, runs_on_tflite
from gpt2_helpers.generation.generate import generate
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.model.lora import n_adapter_parameters, new_adapters
from gpt2_helpers.system import device
from gpt2_helpers.system.files import atomic_write_text
from gpt2_helpers.system.interrupts import deferred_interrupts
from gpt2_helpers.system.locks import exclusive_lock, refuse_if_busy
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.initial_weights import resolve_restore_from
from gpt2_helpers.training.memory import is_large
from gpt2_helpers.training.tensorboard import EventWriter
from gpt2_helpers.training.trainer import Progress, Trainer


@dataclass(frozen=True)
class RunProgress(Progress):
    """Progress of a run, with what was made of it at this step."""

    samples: tuple[str, ...] = ()
    saved: bool = False


class FinetuneRun:
    """Iterate over it to train; afterwards the run folder holds the result.

    `notes` says in plain lines what will be trained on what. `interrupted` tells whether the end
    came by Ctrl-C; what was trained is saved all the same, as it is where the caller stops
    iterating. `after_save`, where one is set, is called with the run's folder after each save, but
    for those that an early stopping makes only because they are the best so far; and before the
    first step for what is gone on with, since that may have ended before the call.

    run = FinetuneRun("titles.csv", FinetuneConfig(steps=200), RunConfig(model_name="tiny"))
    for progress in run: print(progress.step, progress.loss)
    """

    def __init__(
        self,
        dataset: str | Path,
        finetune: FinetuneConfig | None = None,
        run: RunConfig | None = None,
        data: DatasetConfig | None = None,
    ) -> None:
        """Opens the run, or the base model, and reads the data. Raises one of this package's
        errors where something is missing or unfit; nothing has been written then."""
        self.config, self.run = finetune or FinetuneConfig(), run or RunConfig()
        self.folder = RunFolder(self.run.checkpoint_dir, self.run.run_name)
        self.interrupted = False
        self.notes: list[str] = []
        self.after_save: Callable[[RunFolder], None] | None = None
        refuse_if_busy(self.folder.path)  # whose files may go while they are read
        begins = self._begins = resolve_restore_from(self.run, self.folder)
        resumes = begins.resumes
        self.record = self.folder.record() if resumes else RunRecord()
        self.tokenizer = Tokenizer.load(begins.folder)
        data = data or DatasetConfig()
        if self.record.legacy_tokens:  # a run keeps the way it was begun in
            data = dataclasses.replace(data, legacy_tokens=True)
        self.dataset, self.validation = self._read(dataset, data)

        precision = device.choose_precision(self.config.precision)
        with device.training_strategy(self.config.multi_gpu).scope():
            self.model = begins.open_model(self.config, precision, self.folder)
        self.notes += begins.notes
        self.model.decoding_precision = device.choose_decoding_precision(self.config.precision)
        self.decoders = DecoderPool(self.model)
        held_out = None if self.validation is None else self.validation.tokens
        self.trainer = Trainer(self.model, self.dataset.tokens, self.config, held_out)
        if resumes:
            self._resume()
        self._saved_step: int | None = self.trainer.step if resumes else None
        self._best_step: int | None = None
        if resumes and self.config.early_stopping_patience:
            self._best_step = self.folder.best_step(self.record)
        self._overwrites = self.run.overwrite
        self._events: EventWriter | None = None

        self.record.dataset = str(dataset)
        self.record.dataset_tokens = len(self.dataset.tokens)
        self.record.tokens_per_step = self.trainer.tokens_per_step
        if not resumes:
            self.record.base_model = begins.folder.name
        self.record.lora_rank = self.config.lora_rank
        self.record.base_checkpoint = str(begins.base.prefix) if begins.base else ""
        self.record.legacy_tokens = data.legacy_tokens
        self.record.parameters = {
            name: value
            for config in (self.config, self.run, data)
            for name, value in dataclasses.asdict(config).items()
        }
        self.record.versions = installed_versions()
        name = self.record.base_model or begins.folder.name
        size = f"{_counted(self.model.config.n_parameters)} weights"
        if rank := self.config.lora_rank:
            count = n_adapter_parameters(self.model.config, rank)
            size = f"adapters of rank {rank}, {_counted(count)} numbers beside {size}"
        self.notes.append(f"training {name}, {size}, {precision}")
        self.notes += self.dataset.describe(
            self.model.config.n_ctx, self.trainer.tokens_per_step, self.config.steps
        )
        if held_out is not None:
            self.notes.append(f"validation on {len(held_out):,} tokens that are not trained on")

    def __iter__(self) -> Generator[RunProgress, None, None]:
        with ExitStack() as until_the_end:
            try:
                self.folder.path.mkdir(parents=True, exist_ok=True)
                until_the_end.enter_context(exclusive_lock(self.folder.path))
                self._check_unchanged()
                self.folder.remove_partial()
                self._events = EventWriter(self.folder.path)
            except (OSError, tf.errors.OpError) as error:
                raise CheckpointError(
                    f"the run's folder {self.folder.path} cannot be written to: "
                    f"{getattr(error, 'strerror', None) or error}: give another checkpoint_dir"
                ) from None
            yield from self._steps(self._events)

    def _check_unchanged(self) -> None:
        """Others may have trained the run since it was opened."""
        if self._saved_step is None or self.folder.completed_steps() == self._saved_step:
            return
        raise CheckpointError(
            f"{self.folder.path} was at step {self._saved_step} when it was opened, and now is at "
            f"{self.folder.completed_steps()}: open it again to go on from there"
        )

    def _steps(self, events: EventWriter) -> Generator[RunProgress, None, None]:
        try:
            with deferred_interrupts() as interruption:
                if self._saved_step and self.after_save:
                    self.after_save(self.folder)
                for progress in self.trainer:
                    yield self._after_step(progress, events)
                    if interruption.requested:
                        break
                if self.trainer.stopped_early and self._best_step is not None:
                    self._return_to(self._best_step)
                else:
                    self._save()
                self.interrupted = interruption.requested
        except GeneratorExit:  # the consumer has had enough: what was trained is kept
            self._save()
            raise
        except OutOfMemoryError:  # of samples, which has said so
            raise
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            raise self._out_of_memory() from error
        finally:
            events.close()

    def _read(self, path: str | Path, data: DatasetConfig) -> tuple[Dataset, Dataset | None]:
        """What to train on and what to measure on: a share of it, or a file of its own."""
        share, other = self.run.validation_split, self.run.validation_data
        if not share and other is None and self.config.early_stopping_patience:
            raise OptionError(
                f"early_stopping_patience={self.config.early_stopping_patience} needs a validation "
                "loss: give validation_split, such as 0.1, or validation_data"
            )
        dataset = load_dataset(path, self.tokenizer, data)
        if other is not None:
            return dataset, load_dataset(other, self.tokenizer, data)
        return train_validation_split(dataset, share) if share else (dataset, None)

    def _resume(self) -> None:
        step = self.folder.completed_steps()
        try:
            self._restore(step)
        except (ValueError, KeyError) as error:
            raise CheckpointError(
                f"the optimizer's state of step {step} in {self.folder.path} is damaged ({error}): "
                f"delete its files, optimizer-{step}.*, and it starts afresh"
            ) from None

    def _restore(self, step: int) -> None:
        self.record.forget_after(step)
        state = self.folder.training_state()
        if state and not self._begins.trained_so:  # which the notes say
            state = {name: state[name] for name in ("numbers", "counts")}
            self.trainer.restore(state)
        elif state is None:
            self.trainer.start_at(step)
            if step:
                self.notes.append(
                    "no optimizer state was saved with it: the optimizer starts afresh"
                )
        elif not self.trainer.restore(state):
            self.notes.append("the optimizer is another one than before: it starts afresh")

    def _after_step(self, progress: Progress, events: EventWriter) -> RunProgress:
        """Note, save and sample as the options say."""
        step, run = progress.step, self.run
        if not math.isfinite(progress.loss):
            raise self._diverged(f"the loss became {progress.loss}")
        self.record.losses.append((step, progress.loss))
        numbers = {
            "loss": progress.loss,
            "average_loss": progress.average_loss,
            "learning_rate": progress.learning_rate,
        }
        if progress.validation_loss is not None:
            self.record.validation_losses.append((step, progress.validation_loss))
            numbers["validation_loss"] = progress.validation_loss
        events.add(step, numbers)
        best = progress.is_best and self.config.early_stopping_patience > 0
        due = bool(run.save_every and step % run.save_every == 0)
        if best:
            self._best_step = step
        if due or best:
            self._save(told=due)
        sampled = run.sample_every and step % run.sample_every == 0
        samples = self._sample(step) if sampled else ()
        fields = {f.name: getattr(progress, f.name) for f in dataclasses.fields(progress)}
        return RunProgress(**fields, samples=samples, saved=due or best)

    def _sample(self, step: int) -> tuple[str, ...]:
        """Texts that begin with a random token of the data, written into the folder of samples."""
        run, tokens = self.run, self.dataset.tokens
        seed = (self.trainer.seed + step) & (2**63 - 1)
        start = int(np.random.default_rng(seed).integers(len(tokens)))
        first = (
            ""
            if tokens[start] == self.tokenizer.end_of_text
            else (self.tokenizer.decode([int(tokens[start])]).replace("\ufffd", ""))
        )
        config = SamplingConfig(
            length=run.sample_length + len(self.tokenizer.encode(first)),
            temperature=1.0,
            top_k=40,
            nsamples=run.sample_num,
            batch_size=run.sample_num,
            seed=seed,
        )
        try:
            # In the model's own precision: in fp32 a frozen one would be there twice.
            results = generate(self.decoders, self.tokenizer, first, config, batch_invariant=False)
            samples = tuple(result.text for result in in_order(results))
        except OutOfMemoryError as error:
            self._forget_samples()
            self._save()
            raise OutOfMemoryError(
                f"out of memory for samples at step {step} (the training is saved): lower "
                f"sample_length, now {run.sample_length}, or sample_num, now {run.sample_num}, or "
                "set sample_every=0"
            ) from error
        self._forget_samples()
        folder = Path(run.sample_dir) / run.run_name
        shown = (f"======== SAMPLE {n} ========\n{text}\n" for n, text in enumerate(samples, 1))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            atomic_write_text(folder / f"samples-{step}", "\n".join(shown))
        except OSError as error:
            self._save()
            raise OptionError(
                f"samples cannot be written to {folder}: {error.strerror}: give another "
                "sample_dir, or sample_every=0; the training is saved"
            ) from None
        return samples

    def _forget_samples(self) -> None:
        """On a processor what writes is made anew each time, since the weights have changed: until
        then it need not be held. On a GPU it is worth being made anew for a large model."""
        if runs_on_tflite(self.model.decoding_precision):
            self.decoders.clear()
        elif is_large(self.model.config):
            self.decoders.clear()
            gc.collect()  # TensorFlow's graphs hold each other

    def _save(self, told: bool = True) -> None:
        if self.trainer.step != self._saved_step:
            self._write()
        if self._events:
            self._events.flush()
        if (
            told and self.after_save
        ):  # also where nothing is new: what failed after a save is tried again
            self.after_save(self.folder)

    def _write(self) -> None:
        step = self.trainer.step
        variables = (self.model.adapters or self.model.variables).values()
        if not all(bool(tf.reduce_all(tf.math.is_finite(variable))) for variable in variables):
            raise self._diverged("the weights became infinite or no numbers")
        state, base = self.trainer.state(), self._base(step)
        protected = {step} if self._best_step is None else {step, self._best_step}
        in_folder = base is not None and base.prefix.parent.resolve() == self.folder.path.resolve()
        if base is not None and in_folder and step_of(base.prefix) >= 0:
            protected.add(step_of(base.prefix))  # what each save merges adapters into
        if self._overwrites:
            self.record.checkpoints = sorted(protected - {step})
        self.folder.save(self.model, self.tokenizer, step, state, self.record, base)
        self._saved_step = step
        if self._overwrites and self._events:
            self.folder.keep_only(step, self._events.path, protected)
            self._overwrites = False  # what this training saves from now on is none of the old
        self.folder.prune(self.run.max_checkpoints, self.record, protected)

    def _base(self, step: int) -> WeightsReader | None:
        """What reads the weights in fp32 that adapters are merged into, while it is still there and
        this save does not take its place."""
        base = self._begins.base
        if base is None or not Path(f"{base.prefix}{INDEX}").is_file():
            return None
        if base.prefix.resolve() == (self.folder.path / f"model-{step}").resolve():
            self._begins.base, self.record.base_checkpoint = None, ""
        return base

    def _kept(self) -> str:
        if self._saved_step is None:
            return "nothing was saved"
        return f"the run stays at step {self._saved_step}"

    def _diverged(self, what: str) -> Gpt2Error:
        return Gpt2Error(
            f"{what} at step {self.trainer.step} ({self._kept()}): lower learning_rate, now "
            f"{self.config.learning_rate:g}, or set max_grad_norm=1"
        )

    def _out_of_memory(self) -> OutOfMemoryError:
        """What is worth trying, the least change first."""
        config, ways = self.config, []
        if config.batch_size > 1:
            ways.append(f"lower batch_size, now {config.batch_size}")
        if not config.use_memory_saving_gradients:
            ways.append("set use_memory_saving_gradients=True")
        if config.accumulate_gradients > 1:
            ways.append(f"set accumulate_gradients=1, now {config.accumulate_gradients}")
        if config.optimizer.startswith("adam"):
            ways.append("set optimizer='adafactor'")
        if not config.lora_rank:
            ways.append("set lora_rank=8")
        return OutOfMemoryError(
            f"out of memory after step {self.trainer.step} ({self._kept()}): "
            f"{', or '.join([*ways, 'take a smaller model'])}"
        )

    def _return_to(self, step: int) -> None:
        """The best checkpoint becomes the newest one, and its weights the model's."""
        self.folder.roll_back(step, self.record)
        weights = WeightsReader(self.folder.path / f"model-{step}")
        for name, variable in self.model.variables.items():
            variable.assign(tf.cast(weights[name], variable.dtype))
        if self.model.adapters:  # what they had learned is in those weights
            rank = self.config.lora_rank
            self.model.load_adapters(new_adapters(self.model.config, rank, self.trainer.seed))
            self._begins.base = weights
        self.model.version += 1
        self._saved_step = step
        if self.after_save:
            self.after_save(self.folder)
        self.notes.append(
            f"stopped early: the run is back at its best validation loss, step {step}"
        )


def _counted(count: int) -> str:
    return f"{count / 1e6:,.1f} million" if count >= 1e6 else f"{count:,}"
