"""The training loop: an iterator of Progress. Knows nothing of files, printing or samples.

Whoever consumes it prints, saves and draws between two steps; `Trainer.state()` is all that going
on later needs, to the last digit on a CPU in fp32.
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
from gpt2_helpers.data.batches import consecutive_windows, random_windows, window_length
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.model import layers
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.optimizers import make_optimizer

AVERAGE_DECAY = 0.99
VALIDATION_WINDOWS = 64  # the most that one validation loss looks at
RATE_STEPS = 20  # steps over which speed is averaged


@dataclass(frozen=True)
class Progress:
    """What one finished step has to tell. Losses are in nats a token, times in seconds."""

    step: int  # completed steps of the run, those before resuming included
    steps_left: int | None  # None when training until interrupted
    loss: float
    average_loss: float  # exponential, 0.99
    validation_loss: float | None  # measured at this step, else None
    learning_rate: float
    tokens_per_second: float
    seconds: float  # since this call began
    seconds_left: float | None
    is_best: bool = False  # the lowest validation loss so far
    stops_early: bool = False  # no better validation loss for `early_stopping_patience` times

    @property
    def is_last(self) -> bool:
        """Whether the loop ends with this step."""
        return self.stops_early or self.steps_left == 0


def run(
    model: GPT2,
    tokenizer: Tokenizer,
    tokens: NDArray[np.integer],
    config: FinetuneConfig,
    validation: NDArray[np.integer] | None = None,
) -> Iterator[Progress]:
    """Train `model` in place on `tokens` (one row of ids); yields a Progress after each step.

    Raises DatasetError where the ids are not this tokenizer's or too few.

    for progress in run(model, tokenizer, np.array(tokenizer.encode(text)), FinetuneConfig()):
        print(progress.step, progress.loss)
    """
    if tokenizer.n_vocab > model.config.n_vocab:
        raise DatasetError(
            f"the tokenizer has {tokenizer.n_vocab} ids but the model only {model.config.n_vocab}: "
            "take both from one model folder"
        )
    yield from Trainer(model, np.asarray(tokens), config, validation)


def learning_rate_at(config: FinetuneConfig, step: int, steps: int) -> float:
    """The learning rate of step `step`, counted from 0, of a schedule of `steps`.

    >>> learning_rate_at(FinetuneConfig(lr_schedule="linear", learning_rate=1.0), 5, 10)
    0.5
    """
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.lr_schedule == "constant":
        return rate
    done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    if config.lr_schedule == "linear":
        return rate * (1.0 - min(1.0, done))
    return rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


class Trainer:
    """Trains a model; iterate over it for Progress. `state` and `restore` carry it over a stop."""

    def __init__(
        self,
        model: GPT2,
        tokens: NDArray[np.integer],
        config: FinetuneConfig,
        validation: NDArray[np.integer] | None = None,
    ) -> None:
        """Raises DatasetError where `tokens` are too few or outside the vocabulary."""
        self.model, self.config = model, config
        self._tokens, self._validation = _checked(tokens, model), None
        self._window = window_length(len(tokens), model.config.n_ctx)
        if validation is not None:
            length = window_length(len(_checked(validation, model)), model.config.n_ctx)
            self._validation = consecutive_windows(validation, length, VALIDATION_WINDOWS)
        self.step = 0
        self.seed = secrets.randbits(63) if config.seed is None else config.seed
        self._schedule = (0, max(0, config.steps))  # first step and end of the learning rate's
        self._average = (0.0, 0.0)
        self._best = math.inf
        self._since_best = 0
        self.stopped_early = False

        self.variables = list(model.adapters.values()) or [
            variable
            for name, variable in model.variables.items()
            if "/h" in name or not config.only_train_transformer_layers
        ]
        undecayed = [variable for variable in self.variables if len(variable.shape) < 2]
        self._strategy = model.strategy
        with self._strategy.scope():
            self._optimizer = make_optimizer(config, undecayed, model.strategy.num_replicas_in_sync)
            self._loss_scale = None
            if model.precision == "float16":
                self._loss_scale = keras.optimizers.LossScaleOptimizer(self._optimizer)
            self._outer = self._loss_scale or self._optimizer
            self._outer.build(self.variables)
        layers.make_graphs()
        windows = tf.TensorSpec([config.accumulate_gradients, None, self._window], tf.int32)
        seed = tf.TensorSpec([2], tf.int32)
        # Nothing in these is a loop or a branch for AutoGraph to find, and its search would take as
        # long as all the rest of tracing.
        self._train = tf.function(
            self._all_replicas, input_signature=[windows, seed], autograph=False
        )
        self._measure = tf.function(
            self._without_gradients,
            input_signature=[tf.TensorSpec([1, None], tf.int32)],
            autograph=False,
        )

    def __iter__(self) -> Iterator[Progress]:
        config = self.config
        steps = config.steps if config.steps > 0 else None
        first, began, recent = self.step, time.monotonic(), [time.monotonic()]
        end = None if steps is None else first + steps
        while end is None or self.step < end:
            start, planned = self._schedule
            rate = learning_rate_at(config, self.step - start, planned - start)
            loss = self._train_step(rate)
            self.step += 1
            total, weight = self._average
            self._average = (total * AVERAGE_DECAY + loss, weight * AVERAGE_DECAY + 1.0)
            recent = [*recent[-RATE_STEPS:], time.monotonic()]
            a_step = (recent[-1] - recent[0]) / (len(recent) - 1)
            left = None if end is None else end - self.step
            measured = self._validation is not None and (
                self.step % config.eval_every == 0 or left == 0
            )
            validation_loss = self.validation_loss() if measured else None
            is_best = validation_loss is not None and validation_loss < self._best
            if validation_loss is not None:
                self._best = min(self._best, validation_loss)
                counts = config.early_stopping_patience > 0 and not is_best
                self._since_best = self._since_best + 1 if counts else 0
            stops_early = measured and 0 < config.early_stopping_patience <= self._since_best
            yield Progress(
                step=self.step,
                steps_left=left,
                loss=loss,
                average_loss=self._average[0] / self._average[1],
                validation_loss=validation_loss,
                learning_rate=rate,
                tokens_per_second=self.tokens_per_step / max(a_step, 1e-9),
                seconds=time.monotonic() - began,
                seconds_left=None if left is None else left * a_step,
                is_best=is_best,
                stops_early=stops_early,
            )
            if stops_early:
                self.stopped_early = True
                return
            # What the consumer did meanwhile, such as saving, is no part of a step's time.
            pause = time.monotonic() - recent[-1]
            recent = [moment + pause for moment in recent]
            if self.step == first + 1:
                recent = recent[-1:]  # compiling, as the first step did, tells nothing of the next

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one step learns from."""
        return self._windows_a_step() * (self._window - 1)

    def validation_loss(self) -> float:
        """Mean loss in nats a token over the validation windows, without dropout. Raises
        DatasetError where there are none."""
        if not self._validation:
            raise DatasetError(
                "there is no validation text: give validation_split or validation_data"
            )
        losses = [float(self._measure(window[None])) for window in self._validation]
        return float(np.mean(losses))

    def state(self) -> dict[str, Any]:
        """All that going on needs beside the weights, by name: the optimizer's own variables, since
        a copy of all of them would be twice as large as the model, and arrays."""
        variables = {
            f"optimizer/{order}": variable.value
            for order, variable in enumerate(self._outer.variables)
        }
        numbers = [*self._average, self._best]
        counts = [self.step, self.seed, *self._schedule, self._since_best]
        return variables | {"numbers": np.array(numbers), "counts": np.array(counts, np.int64)}

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Go on from `state`. False where its optimizer is another one: then that starts afresh,
        and the step, the averages and the order of the data go on."""
        variables = self._outer.variables
        names = [f"optimizer/{order}" for order in range(len(variables))]
        fits = f"optimizer/{len(variables)}" not in state and all(
            name in state and _shape_in(state, name) == tuple(variable.shape)
            for name, variable in zip(names, variables, strict=True)
        )
        if fits:
            for name, variable in zip(names, variables, strict=True):
                variable.assign(state[name])
        total, weight, self._best = (float(number) for number in state["numbers"])
        self._average = (total, weight)
        self.step, seed, start, end, self._since_best = (int(n) for n in state["counts"])
        self.seed = seed if self.config.seed is None else self.config.seed
        # A run that was stopped and now goes to the end it had planned keeps its schedule.
        planned = self.step + max(0, self.config.steps)
        goes_on = planned == end or (self.config.steps <= 0 and start == end)
        self._schedule = (start, end) if goes_on else (self.step, planned)
        return fits

    def start_at(self, step: int) -> None:
        """Count on from a run of which nothing but its step is known."""
        self.step = step
        self._schedule = (step, step + max(0, self.config.steps))

    def _windows_a_step(self) -> int:
        config = self.config
        return config.accumulate_gradients * config.batch_size * self._strategy.num_replicas_in_sync

    def _train_step(self, rate: float) -> float:
        self._optimizer.learning_rate.assign(rate)
        count = self._windows_a_step()
        windows = random_windows(self._tokens, self.seed, self.step, count, self._window)
        # (passes, batch of all devices, window)
        passes = windows.reshape(self.config.accumulate_gradients, -1, self._window)
        seed = np.array([self.seed & 0x7FFFFFFF, self.step], np.int32)
        self.model.version += 1  # before: an interrupt may come when the weights are changed
        return float(self._train(passes, seed))

    def _all_replicas(self, passes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        with _forgotten_gradients():
            losses = self._strategy.run(self._one_replica, args=(passes, seed))
        return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

    def _one_replica(self, passes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One step on one device: gradients averaged over passes and devices, then applied."""
        config, context = self.config, tf.distribute.get_replica_context()
        first = context.replica_id_in_sync_group * config.batch_size
        shape = [config.accumulate_gradients, config.batch_size, self._window]
        # Of a shape that is known TensorFlow need not ask at each step.
        mine = tf.reshape(passes[:, first : first + config.batch_size], shape)
        seed += [context.replica_id_in_sync_group, 0]
        count = config.accumulate_gradients
        if count == 1:
            loss, gradients = self._gradients(mine[0], seed)
        else:

            def add(order: tf.Tensor, loss: tf.Tensor, totals: list[tf.Tensor]) -> Any:
                one_loss, more = self._gradients(mine[order], seed + [order * 65536, 0])
                return (
                    order + 1,
                    loss + one_loss,
                    [a + b for a, b in zip(totals, more, strict=True)],
                )

            # A first pass before the loop would hold its activations beside the loop's.
            nothing = [tf.zeros(variable.shape) for variable in self.variables]
            _, loss, gradients = tf.while_loop(
                lambda order, *_: order < count, add, [0, 0.0, nothing], parallel_iterations=1
            )
            loss, gradients = loss / count, [gradient / count for gradient in gradients]
        replicas = context.num_replicas_in_sync
        if replicas > 1:
            # Keras adds up what the devices hand in, so each hands in its share of the mean.
            mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
            gradients = [gradient / replicas for gradient in mean]
        self._outer.apply(gradients, self.variables)
        return loss

    def _without_gradients(self, window: tf.Tensor) -> tf.Tensor:
        with _forgotten_gradients():
            return self.model.loss(window, differentiable=False)

    def _gradients(self, windows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        config = self.config
        with tf.GradientTape() as tape:
            loss = self.model.loss(
                windows,
                config.dropout,
                seed if config.dropout else None,
                recompute=config.use_memory_saving_gradients,
                train_embeddings=not config.only_train_transformer_layers,
            )
            scaled = self._loss_scale.scale_loss(loss) if self._loss_scale else loss
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(scaled, self.variables)]


@contextmanager
def _forgotten_gradients() -> Iterator[None]:
    """Forgets at its end which custom gradients were made within. TensorFlow would keep them, and
    with them the graph, the weights and the optimizer, for as long as the process runs. Recomputing
    activations makes some, and so does adding up over devices, even over one. It is the whole
    process's: two threads must not compile trainings at once."""
    before = set(gradient_registry.list())
    try:
        yield
    finally:
        for name in set(gradient_registry.list()) - before:
            del gradient_registry._registry[name]  # there is no public way


def _shape_in(state: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """Without reading what lies in a file."""
    shapes = getattr(state, "shapes", None)
    return tuple(state[name].shape if shapes is None else shapes[name])


def _checked(tokens: NDArray[np.integer], model: GPT2) -> NDArray[np.integer]:
    if len(tokens) < 2:
        raise DatasetError(f"training needs at least 2 tokens, got {len(tokens)}: add more text")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= model.config.n_vocab:
        raise DatasetError(
            f"the data holds the id {high if low >= 0 else low}, outside the model's "
            f"{model.config.n_vocab}: it was encoded with another tokenizer; encode the text again"
        )
    return tokens
