"""The training loop: an iterator that runs one optimizer step per item.

Consumers save and print between steps. On a CPU in fp32, a run resumed from `Trainer.state()` is
bit-identical to one that was not interrupted.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.data.batches import WindowSource
from gpt2_helpers.errors import DatasetError, GradientOverflowError
from gpt2_helpers.model import layers
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.training.lr_schedule import learning_rate_at
from gpt2_helpers.training.optimizers import make_optimizer
from gpt2_helpers.training.train_step import TrainStep, unregistered_gradients
from gpt2_helpers.training.windows import as_window_source, n_targets
from gpt2_helpers.training.workers import Workers

AVERAGE_DECAY = 0.99
MAX_VALIDATION_WINDOWS = 64
TIMED_STEPS = 20  # speed is averaged over this many recent steps
MAX_OVERFLOWS = 20  # attempts at a step in fp16, each with half the loss scale of the last


@dataclass(frozen=True)
class Progress:
    """What one optimizer step reports.

    Attributes:
        step: Completed steps of the run, including those before it was resumed.
        steps_left: Steps left, None if training until interrupted.
        loss: Training loss of this step, in nats per token.
        average_loss: Exponential moving average of the loss.
        validation_loss: Validation loss, None if it was not computed at this step.
        learning_rate: The learning rate of this step.
        tokens_per_second: Training speed over the last steps.
        seconds: Time since training started or resumed.
        seconds_left: Estimated time left, None if training until interrupted.
        is_best: Whether this is the lowest validation loss so far.
        stops_early: Whether training stops because the validation loss no longer improves, or
            because memorization has begun.
        overflows: Attempts at this step that were repeated because gradients overflowed in fp16.
    """

    step: int
    steps_left: int | None
    loss: float
    average_loss: float
    validation_loss: float | None
    learning_rate: float
    tokens_per_second: float
    seconds: float
    seconds_left: float | None
    is_best: bool = False
    stops_early: bool = False
    overflows: int = 0

    @property
    def is_last(self) -> bool:
        """Whether training ends with this step."""
        return self.stops_early or self.steps_left == 0


class Trainer:
    """Trains a model in place; iterating over it yields a Progress per optimizer step.

    Attributes:
        notes: Lines for the user about the last steps; the consumer clears them.

    Example:
        for progress in Trainer(model, tokens, FinetuneConfig(steps=100)):
            print(progress.step, progress.loss)
    """

    def __init__(
        self,
        model: GPT2,
        data: NDArray[np.integer] | WindowSource,
        config: FinetuneConfig,
        validation: NDArray[np.integer] | WindowSource | None = None,
        workers: Workers | None = None,
    ) -> None:
        """Build the optimizer and the training graph.

        Args:
            model: The model to train; only its adapters if it has some.
            data: The training data: token ids (count,) to cut anywhere, or a source of windows.
            config: The training options.
            validation: The validation data, if any.
            workers: The workers that train together (default: this process alone).

        Raises:
            DatasetError: There are fewer than two tokens, or ids outside the model's vocabulary.
        """
        self.model, self.config = model, config
        self._strategy = model.strategy
        self.workers = workers or Workers(self._strategy)
        self.windows = as_window_source(data, model)
        self._validation: list[NDArray[np.int32]] | None = None
        if validation is not None:
            source = as_window_source(validation, model)
            self._validation = source.validation(MAX_VALIDATION_WINDOWS)
        self.step = 0
        seed = secrets.randbits(63) if config.seed is None else config.seed
        self.seed = self.workers.from_chief(seed)
        self._schedule_range = (0, max(0, config.steps))  # first and last step
        self._average = (0.0, 0.0)  # sum of the decayed losses, sum of their weights
        self._best_loss = math.inf
        self._evaluations_since_best = 0
        self.stopped_early = False

        self.variables = list(model.adapters.values()) or [
            variable
            for name, variable in model.variables.items()
            if "/h" in name or not config.only_train_transformer_layers
        ]
        vectors = [variable for variable in self.variables if len(variable.shape) < 2]
        with self._strategy.scope():
            self._optimizer = make_optimizer(config, vectors)
            self._loss_scale = None
            if model.precision == "float16":
                self._loss_scale = keras.optimizers.LossScaleOptimizer(self._optimizer)
            self._scaled_optimizer = self._loss_scale or self._optimizer
            self._scaled_optimizer.build(self.variables)
        layers.make_graphs()
        self.notes: list[str] = []
        self._overflows = 0  # at the last step
        self._last_step: int | None = None
        self._train = TrainStep(
            model,
            config,
            self.variables,
            self._scaled_optimizer,
            self.windows.shape,
            self.notes,
            self.workers.local_devices,
        )
        validation_shape = self._validation[0].shape if self._validation else [None]
        self._evaluate = tf.function(
            self._loss_only,
            input_signature=[tf.TensorSpec([1, *validation_shape], tf.int32)],
            autograph=False,
        )

    def __iter__(self) -> Iterator[Progress]:
        first_step, started, timer = self.step, time.monotonic(), _StepTimer()
        last_step = first_step + self.config.steps if self.config.steps > 0 else None
        self._last_step = last_step
        while last_step is None or self.step < last_step:
            schedule_start, schedule_end = self._schedule_range
            learning_rate = learning_rate_at(
                self.config, self.step - schedule_start, schedule_end - schedule_start
            )
            loss = self._train_step(learning_rate)
            self.step += 1
            self._note_overflows()
            total, weight = self._average
            self._average = (total * AVERAGE_DECAY + loss, weight * AVERAGE_DECAY + 1.0)
            seconds_per_step = timer.stop()
            left = None if last_step is None else last_step - self.step
            validation_loss, is_best, stops_early = self._validate(is_last=left == 0)
            yield Progress(
                step=self.step,
                steps_left=left,
                loss=loss,
                average_loss=self._average[0] / self._average[1],
                validation_loss=validation_loss,
                learning_rate=learning_rate,
                tokens_per_second=self.tokens_per_step / max(seconds_per_step, 1e-9),
                seconds=time.monotonic() - started,
                seconds_left=None if left is None else left * seconds_per_step,
                is_best=is_best,
                stops_early=stops_early,
                overflows=self._overflows,
            )
            self.stopped_early = self.stopped_early or stops_early
            if self.stopped_early:
                return
            # The first step includes compiling, and so do those after which a program is chosen.
            timer.start(forget=self.step == first_step + 1 or self._train.is_choosing)

    def stop_early(self) -> None:
        """End training after the current step."""
        self.stopped_early = True

    @property
    def tokens_per_step(self) -> int:
        """Tokens trained on per optimizer step, on average."""
        return round(self._windows_per_step() * self.windows.tokens_per_window)

    def validation_loss(self) -> float:
        """Mean loss over the validation windows without dropout, in nats per token.

        Raises:
            DatasetError: There is no validation data.
        """
        if not self._validation:
            raise DatasetError("no validation data: set validation_split or validation_data")
        losses = np.zeros(len(self._validation))
        for number in range(self.workers.index, len(losses), self.workers.count):
            losses[number] = self._evaluate(self._validation[number][None])
        losses = self.workers.sum(losses)
        counts = [n_targets(window) for window in self._validation]
        return float(np.average(losses, weights=counts))

    def state(self) -> dict[str, Any]:
        """Everything other than the weights that resuming needs, by name.

        Contains the optimizer's variables themselves, since copies would take twice the model's
        memory, and NumPy arrays.
        """
        variables = {
            f"optimizer/{index}": variable.value
            for index, variable in enumerate(self._scaled_optimizer.variables)
        }
        numbers = [*self._average, self._best_loss]
        counts = [self.step, self.seed, *self._schedule_range, self._evaluations_since_best]
        return variables | {"numbers": np.array(numbers), "counts": np.array(counts, np.int64)}

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Continue from a saved state.

        Args:
            state: What `state` returned, possibly read from files.

        Returns:
            False if the state is another optimizer's. The optimizer then starts fresh, but the
            step, the averages and the order of the data are restored.

        Raises:
            ValueError: The state is damaged.
            KeyError: The state lacks numbers.
        """
        variables = self._scaled_optimizer.variables
        names = [f"optimizer/{index}" for index in range(len(variables))]
        fits = f"optimizer/{len(variables)}" not in state and all(
            name in state and _stored_shape(state, name) == tuple(variable.shape)
            for name, variable in zip(names, variables, strict=True)
        )
        if fits:
            for name, variable in zip(names, variables, strict=True):
                value = state[name]
                if np.size(value) and np.isnan(np.min(value)):
                    raise ValueError(f"{name} contains NaN")
                variable.assign(value)
        (total, weight, self._best_loss), counts = _read_counters(state)
        self._average = (total, weight)
        self.step, seed, start, end, self._evaluations_since_best = counts
        self.seed = seed if self.config.seed is None else self.config.seed
        # A run that was interrupted and now trains to its original end keeps its schedule.
        last_step = self.step + max(0, self.config.steps)
        keeps_schedule = last_step == end or (self.config.steps <= 0 and start == end)
        self._schedule_range = (start, end) if keeps_schedule else (self.step, last_step)
        return fits

    def start_at(self, step: int) -> None:
        """Continue from a step without a saved state."""
        self.step = step
        self._schedule_range = (step, step + max(0, self.config.steps))

    def _validate(self, is_last: bool) -> tuple[float | None, bool, bool]:
        """The validation loss if it is due, whether it is the best, and whether to stop early."""
        if self._validation is None or not (is_last or self.step % self.config.eval_every == 0):
            return None, False, False
        loss, patience = self.validation_loss(), self.config.early_stopping_patience
        if self.config.stops_at_memorization:
            patience = 0  # the consumer calls `stop_early`
        is_best = loss < self._best_loss
        self._best_loss = min(self._best_loss, loss)
        if patience and not is_best:
            self._evaluations_since_best += 1
        else:
            self._evaluations_since_best = 0
        return loss, is_best, 0 < patience <= self._evaluations_since_best

    def _note_overflows(self) -> None:
        if self._overflows and self._loss_scale is not None:
            scale = float(tf.convert_to_tensor(self._loss_scale.dynamic_scale.value))
            self.notes.append(
                f"step {self.step}: gradients overflowed in fp16, {self._overflows} "
                f"{'attempt' if self._overflows == 1 else 'attempts'} repeated with a loss scale "
                f"of {scale:g}"
            )

    def _windows_per_step(self) -> int:
        config = self.config
        return config.accumulate_gradients * config.batch_size * self._strategy.num_replicas_in_sync

    def _train_step(self, learning_rate: float) -> float:
        self._optimizer.learning_rate.assign(learning_rate)
        count = self._windows_per_step()
        own = self.workers.share(self.config.accumulate_gradients, self.config.batch_size)
        windows = self.windows.batch(self.seed, self.step, count, own)
        # (micro-batch, window of any device, *shape of a window)
        shape = (self.config.accumulate_gradients, -1, *self.windows.shape)
        micro_batches = windows.reshape(shape)
        seed = np.array([self.seed & 0x7FFFFFFF, self.step], np.int32)
        steps_left = None if self._last_step is None else self._last_step - self.step
        for self._overflows in range(MAX_OVERFLOWS):
            self.model.version += 1  # before the step, since an interrupt may end it halfway
            updates = self._n_updates()
            loss = self._train(micro_batches, seed, steps_left)
            # Another loss scale would not make a loss finite.
            if self._loss_scale is None or self._n_updates() > updates or not math.isfinite(loss):
                return loss
        raise GradientOverflowError(
            f"gradients overflowed in fp16 in {MAX_OVERFLOWS} attempts at step {self.step + 1}: "
            "set precision='float32' or 'bfloat16', or lower learning_rate "
            f"(now {self.config.learning_rate:g})"
        )

    def _n_updates(self) -> int:
        """How often the optimizer has updated the weights: in fp16 not if gradients overflow."""
        return int(tf.convert_to_tensor(self._optimizer.iterations.value))

    def _loss_only(self, window: tf.Tensor) -> tf.Tensor:
        with unregistered_gradients():
            return self.model.loss(window, differentiable=False)


class _StepTimer:
    """Measures the average duration of the last steps, without the consumer's work in between."""

    def __init__(self) -> None:
        self._times = [time.monotonic()]

    def stop(self) -> float:
        """End a step; returns the average duration in seconds."""
        self._times = [*self._times[-TIMED_STEPS:], time.monotonic()]
        return (self._times[-1] - self._times[0]) / (len(self._times) - 1)

    def start(self, forget: bool = False) -> None:
        """Start the next step; with `forget`, earlier steps no longer count."""
        pause = time.monotonic() - self._times[-1]
        self._times = [moment + pause for moment in self._times]
        if forget:
            self._times = self._times[-1:]


def _stored_shape(state: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """The shape of a stored array, without reading the array from its file."""
    shapes = getattr(state, "shapes", None)
    return tuple(state[name].shape if shapes is None else shapes[name])


def _read_counters(state: Mapping[str, Any]) -> tuple[list[float], list[int]]:
    """The numbers and the counts of a state; raises ValueError if they cannot be those."""
    numbers, counts = np.asarray(state["numbers"]), np.asarray(state["counts"])
    if numbers.shape != (3,) or counts.shape != (5,):
        raise ValueError(f"shapes {numbers.shape} and {counts.shape} of its numbers")
    if numbers.dtype.kind not in "fiu" or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise ValueError("its counts are negative or not integers")
    return numbers.astype(float).tolist(), counts.tolist()
