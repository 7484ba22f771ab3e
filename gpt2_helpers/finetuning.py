"""The training loop: an iterator of Progress. Knows nothing of files, printing or samples.

Whoever consumes it prints, saves and draws between two steps; `Trainer.state()` is all that going
on later needs, to the last digit on a CPU in fp32.
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

from gpt2_helpers.batches import consecutive_windows, random_windows, window_length
from gpt2_helpers.config import FinetuneConfig
from gpt2_helpers.errors import CheckpointError, DatasetError
from gpt2_helpers.model import GPT2
from gpt2_helpers.tokenizer import Tokenizer

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
    stops_early: bool = False  # no better validation loss for `early_stopping` times

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


def learning_rate_at(config: FinetuneConfig, step: int) -> float:
    """The learning rate of step `step` of a schedule, counted from 0.

    >>> learning_rate_at(FinetuneConfig(steps=10, schedule="linear", learning_rate=1.0), 5)
    0.5
    """
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return rate
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    if config.schedule == "linear":
        return rate * (1.0 - done)
    return rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def make_optimizer(config: FinetuneConfig, undecayed: list[tf.Variable]) -> Any:
    """The Keras optimizer that `config` names; `undecayed` variables never shrink."""
    decay = config.weight_decay
    if decay is None:
        decay = 0.01 if config.optimizer == "adamw" else 0.0
    shared = {
        "learning_rate": config.learning_rate,
        "weight_decay": decay or None,
        "global_clipnorm": config.gradient_clip or None,
    }
    if config.optimizer in ("adam", "adamw"):
        optimizer = keras.optimizers.Adam(epsilon=1e-8, **shared)  # with decay it is AdamW
    elif config.optimizer == "adafactor":
        optimizer = keras.optimizers.Adafactor(**shared)
    else:
        optimizer = keras.optimizers.SGD(**shared)
    if decay:
        optimizer.exclude_from_weight_decay(var_list=undecayed)
    return optimizer


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
        self.schedule_start = 0
        self._average = (0.0, 0.0)
        self._best = math.inf
        self._since_best = 0

        self.variables = [
            variable
            for name, variable in model.variables.items()
            if "/h" in name or not config.only_train_transformer_layers
        ]
        undecayed = [variable for variable in self.variables if len(variable.shape) < 2]
        self._optimizer = make_optimizer(config, undecayed)
        self._loss_scale = None
        if model.precision == "float16":
            self._loss_scale = keras.optimizers.LossScaleOptimizer(self._optimizer)
        self._outer = self._loss_scale or self._optimizer
        self._outer.build(self.variables)
        self._sums = []
        if config.accumulate_gradients > 1:
            self._sums = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self.variables]
        windows = tf.TensorSpec([None, None], tf.int32)
        seed = tf.TensorSpec([2], tf.int32)
        self._accumulate = tf.function(self._accumulate_pass, input_signature=[windows, seed])
        self._apply = tf.function(self._apply_sums, input_signature=[])
        self._train = tf.function(self._single_pass, input_signature=[windows, seed])
        self._measure = tf.function(model.loss, input_signature=[windows])

    def __iter__(self) -> Iterator[Progress]:
        config = self.config
        steps = config.steps if config.steps > 0 else None
        first, began, recent = self.step, time.monotonic(), [time.monotonic()]
        end = None if steps is None else first + steps
        tokens_a_step = config.batch_size * config.accumulate_gradients * (self._window - 1)
        while end is None or self.step < end:
            rate = learning_rate_at(config, self.step - self.schedule_start)
            loss = self._train_step(rate)
            self.step += 1
            total, weight = self._average
            self._average = (total * AVERAGE_DECAY + loss, weight * AVERAGE_DECAY + 1.0)
            recent = [*recent[-RATE_STEPS:], time.monotonic()]
            a_step = (recent[-1] - recent[0]) / (len(recent) - 1)
            left = None if end is None else end - self.step
            measured = self._validation is not None and (
                self.step % config.validate_every == 0 or left == 0
            )
            validation_loss = self.validation_loss() if measured else None
            is_best = validation_loss is not None and validation_loss < self._best
            if validation_loss is not None:
                self._best = min(self._best, validation_loss)
                self._since_best = 0 if is_best else self._since_best + 1
            stops_early = 0 < config.early_stopping <= self._since_best
            yield Progress(
                step=self.step,
                steps_left=left,
                loss=loss,
                average_loss=self._average[0] / self._average[1],
                validation_loss=validation_loss,
                learning_rate=rate,
                tokens_per_second=tokens_a_step / max(a_step, 1e-9),
                seconds=time.monotonic() - began,
                seconds_left=None if left is None else left * a_step,
                is_best=is_best,
                stops_early=stops_early,
            )
            if stops_early:
                return
            # What the consumer did meanwhile, such as saving, is no part of a step's time.
            pause = time.monotonic() - recent[-1]
            recent = [moment + pause for moment in recent]

    def validation_loss(self) -> float:
        """Mean loss in nats a token over the validation windows, without dropout."""
        if not self._validation:
            raise DatasetError("there is no validation text: give validation= a share or a file")
        losses = [float(self._measure(window[None])) for window in self._validation]
        return float(np.mean(losses))

    def state(self) -> dict[str, np.ndarray]:
        """All that going on needs beside the weights, as named arrays."""
        arrays = {
            f"optimizer/{order}": variable.numpy()
            for order, variable in enumerate(self._outer.variables)
        }
        numbers = [*self._average, self._best]
        counts = [self.step, self.seed, self.schedule_start, self._since_best]
        return arrays | {"numbers": np.array(numbers), "counts": np.array(counts, np.int64)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from `state`; CheckpointError where it is of another optimizer or model."""
        variables = self._outer.variables
        for order, variable in enumerate(variables):
            saved = state.get(f"optimizer/{order}")
            if saved is None or tuple(saved.shape) != tuple(variable.shape):
                raise CheckpointError(
                    f"the saved optimizer state does not fit optimizer={self.config.optimizer!r}: "
                    "go on with the options that the run was trained with, or restore_from='fresh'"
                )
        for order, variable in enumerate(variables):
            variable.assign(state[f"optimizer/{order}"])
        total, weight, self._best = (float(number) for number in state["numbers"])
        self._average = (total, weight)
        self.step, seed, self.schedule_start, self._since_best = (int(n) for n in state["counts"])
        self.seed = seed if self.config.seed is None else self.config.seed

    def _train_step(self, rate: float) -> float:
        self._optimizer.learning_rate.assign(rate)
        passes = self.config.accumulate_gradients
        windows = random_windows(
            self._tokens, self.seed, self.step, passes * self.config.batch_size, self._window
        )
        losses = []
        for order, batch in enumerate(np.split(windows, passes)):  # (batch, window)
            seed = np.array([self.seed & 0x7FFFFFFF, self.step * passes + order], np.int32)
            step = self._accumulate if self._sums else self._train
            losses.append(step(batch, seed))
        if self._sums:
            self._apply()
        self.model.version += 1
        return float(np.mean([float(loss) for loss in losses]))

    def _gradients(self, windows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, list[Any]]:
        config = self.config
        with tf.GradientTape() as tape:
            loss = self.model.loss(
                windows,
                config.dropout,
                seed if config.dropout else None,
                recompute=config.use_memory_saving_gradients,
            )
            scaled = self._loss_scale.scale_loss(loss) if self._loss_scale else loss
        return loss, tape.gradient(scaled, self.variables)

    def _single_pass(self, windows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        loss, gradients = self._gradients(windows, seed)
        self._outer.apply(gradients, self.variables)
        return loss

    def _accumulate_pass(self, windows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        loss, gradients = self._gradients(windows, seed)
        for total, gradient in zip(self._sums, gradients, strict=True):
            total.assign_add(tf.convert_to_tensor(gradient))
        return loss

    def _apply_sums(self) -> None:
        share = 1.0 / self.config.accumulate_gradients
        self._outer.apply([total * share for total in self._sums], self.variables)
        for total in self._sums:
            total.assign(tf.zeros_like(total))


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
