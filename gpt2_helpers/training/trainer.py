"""The training loop: an iterator that runs one optimizer step per item.

Consumers save and print between steps. On a CPU in fp32, a run resumed from `Trainer.state()` is
bit-identical to one that was not interrupted.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.ops import gradient_registry

from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.data.batches import WindowSource
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.model import layers
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.loss import count_targets
from gpt2_helpers.training.lr_schedule import learning_rate_at
from gpt2_helpers.training.optimizers import make_optimizer
from gpt2_helpers.training.windows import as_window_source, n_targets

AVERAGE_DECAY = 0.99
MAX_VALIDATION_WINDOWS = 64
TIMED_STEPS = 20  # speed is averaged over this many recent steps


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
        stops_early: Whether training stops because the validation loss no longer improves.
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

    @property
    def is_last(self) -> bool:
        """Whether training ends with this step."""
        return self.stops_early or self.steps_left == 0


class Trainer:
    """Trains a model in place; iterating over it yields a Progress per optimizer step.

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
    ) -> None:
        """Build the optimizer and the training graph.

        Args:
            model: The model to train; only its adapters if it has some.
            data: The training data: token ids (count,) to cut anywhere, or a source of windows.
            config: The training options.
            validation: The validation data, if any.

        Raises:
            DatasetError: There are fewer than two tokens, or ids outside the model's vocabulary.
        """
        self.model, self.config = model, config
        self.windows = as_window_source(data, model)
        self._validation: list[NDArray[np.int32]] | None = None
        if validation is not None:
            source = as_window_source(validation, model)
            self._validation = source.validation(MAX_VALIDATION_WINDOWS)
        self.step = 0
        self.seed = secrets.randbits(63) if config.seed is None else config.seed
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
        self._strategy = model.strategy
        with self._strategy.scope():
            self._optimizer = make_optimizer(config, vectors, self._strategy.num_replicas_in_sync)
            self._loss_scale = None
            if model.precision == "float16":
                self._loss_scale = keras.optimizers.LossScaleOptimizer(self._optimizer)
            self._scaled_optimizer = self._loss_scale or self._optimizer
            self._scaled_optimizer.build(self.variables)
        layers.make_graphs()
        windows = tf.TensorSpec([config.accumulate_gradients, None, *self.windows.shape], tf.int32)
        seed = tf.TensorSpec([2], tf.int32)
        validation_shape = self._validation[0].shape if self._validation else [None]
        # AutoGraph would find no loop or branch here, and double the time of tracing.
        self._train = tf.function(
            self._distributed_step, input_signature=[windows, seed], autograph=False
        )
        self._evaluate = tf.function(
            self._loss_only,
            input_signature=[tf.TensorSpec([1, *validation_shape], tf.int32)],
            autograph=False,
        )

    def __iter__(self) -> Iterator[Progress]:
        first_step, started, timer = self.step, time.monotonic(), _StepTimer()
        last_step = first_step + self.config.steps if self.config.steps > 0 else None
        while last_step is None or self.step < last_step:
            schedule_start, schedule_end = self._schedule_range
            learning_rate = learning_rate_at(
                self.config, self.step - schedule_start, schedule_end - schedule_start
            )
            loss = self._train_step(learning_rate)
            self.step += 1
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
            )
            if stops_early:
                self.stopped_early = True
                return
            timer.start(forget=self.step == first_step + 1)  # the first step includes compiling

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
        losses = [float(self._evaluate(window[None])) for window in self._validation]
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
        """
        variables = self._scaled_optimizer.variables
        names = [f"optimizer/{index}" for index in range(len(variables))]
        fits = f"optimizer/{len(variables)}" not in state and all(
            name in state and _stored_shape(state, name) == tuple(variable.shape)
            for name, variable in zip(names, variables, strict=True)
        )
        if fits:
            for name, variable in zip(names, variables, strict=True):
                variable.assign(state[name])
        total, weight, self._best_loss = (float(number) for number in state["numbers"])
        self._average = (total, weight)
        self.step, seed, start, end, self._evaluations_since_best = map(int, state["counts"])
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
        is_best = loss < self._best_loss
        self._best_loss = min(self._best_loss, loss)
        if patience and not is_best:
            self._evaluations_since_best += 1
        else:
            self._evaluations_since_best = 0
        return loss, is_best, 0 < patience <= self._evaluations_since_best

    def _windows_per_step(self) -> int:
        config = self.config
        return config.accumulate_gradients * config.batch_size * self._strategy.num_replicas_in_sync

    def _train_step(self, learning_rate: float) -> float:
        self._optimizer.learning_rate.assign(learning_rate)
        count = self._windows_per_step()
        windows = self.windows.batch(self.seed, self.step, count)
        # (micro-batch, window of any device, *shape of a window)
        shape = (self.config.accumulate_gradients, -1, *self.windows.shape)
        micro_batches = windows.reshape(shape)
        seed = np.array([self.seed & 0x7FFFFFFF, self.step], np.int32)
        self.model.version += 1  # before the step, since an interrupt may end it halfway
        return float(self._train(micro_batches, seed))

    def _distributed_step(self, micro_batches: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        with unregistered_gradients():
            losses = self._strategy.run(self._replica_step, args=(micro_batches, seed))
        return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

    def _replica_step(self, micro_batches: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One step on one device: average gradients over micro-batches and devices, apply them."""
        config, context = self.config, tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group
        first = replica * config.batch_size
        # A static shape saves TensorFlow from computing it at each step.
        shape = [config.accumulate_gradients, config.batch_size, *self.windows.shape]
        replicas = context.num_replicas_in_sync
        divisor = None
        if len(self.windows.shape) > 1:
            # Windows of documents differ in their number of targets. Each micro-batch is divided
            # by the average, so that every target of the step weighs the same.
            total = count_targets(micro_batches[:, :, 1])
            divisor = total / (config.accumulate_gradients * replicas)
        micro_batches = tf.reshape(micro_batches[:, first : first + config.batch_size], shape)
        loss, gradients = self._accumulated_gradients(micro_batches, seed + [replica, 0], divisor)
        if replicas > 1:
            # Keras sums the gradients of all devices, so each passes its share of the mean.
            mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
            gradients = [gradient / replicas for gradient in mean]
        self._scaled_optimizer.apply(gradients, self.variables)
        return loss

    def _accumulated_gradients(
        self, micro_batches: tf.Tensor, seed: tf.Tensor, divisor: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Mean loss and gradients over micro-batches (micro-batch, batch, *shape of a window)."""
        count = self.config.accumulate_gradients
        if count == 1:
            return self._gradients(micro_batches[0], seed, divisor)

        def add(index: tf.Tensor, loss: tf.Tensor, totals: list[tf.Tensor]) -> Any:
            micro_loss, gradients = self._gradients(
                micro_batches[index], seed + [index * 65536, 0], divisor
            )
            totals = [a + b for a, b in zip(totals, gradients, strict=True)]
            return index + 1, loss + micro_loss, totals

        # Starting from the first micro-batch's gradients would hold a second set of activations.
        zeros = [tf.zeros(variable.shape) for variable in self.variables]
        _, loss, totals = tf.while_loop(
            lambda index, *_: index < count, add, [0, 0.0, zeros], parallel_iterations=1
        )
        return loss / count, [total / count for total in totals]

    def _gradients(
        self, windows: tf.Tensor, seed: tf.Tensor, divisor: tf.Tensor | None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Loss and gradients of windows (batch, *shape of a window)."""
        config = self.config
        with tf.GradientTape() as tape:
            loss = self.model.loss(
                windows,
                config.dropout,
                seed if config.dropout else None,
                recompute=config.use_memory_saving_gradients,
                train_embeddings=not config.only_train_transformer_layers,
                n_targets=divisor,
            )
            scaled = self._loss_scale.scale_loss(loss) if self._loss_scale else loss
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(scaled, self.variables)]

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


@contextmanager
def unregistered_gradients() -> Iterator[None]:
    """Unregister the custom gradients that were registered inside the context.

    TensorFlow would keep them, and with them the graph, the weights and the optimizer, for the life
    of the process. Recomputed activations register some, and so does a reduction over devices, even
    over one. The registry is global: two threads must not compile training graphs at the same time.
    """
    before = set(gradient_registry.list())
    try:
        yield
    finally:
        for name in set(gradient_registry.list()) - before:
            del gradient_registry._registry[name]  # there is no public function


def _stored_shape(state: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """The shape of a stored array, without reading the array from its file."""
    shapes = getattr(state, "shapes", None)
    return tuple(state[name].shape if shapes is None else shapes[name])
