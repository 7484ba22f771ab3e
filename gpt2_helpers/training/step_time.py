"""How long an optimizer step takes on this device, before training starts.

An earlier run on this device has measured it. Otherwise one layer and the loss are timed with
random weights, a fraction of a second each; the model's other layers are equal. The time of the
optimizer, a few percent of a step, is left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.checkpoint.run_search import run_names
from gpt2_helpers.config import MODEL_ALIASES, FinetuneConfig, ModelConfig
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.model import layers
from gpt2_helpers.model.attention import additive_masks
from gpt2_helpers.model.gpt2 import block, recomputed
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.model.loss import mean_cross_entropy
from gpt2_helpers.model.variables import random_weights
from gpt2_helpers.system import device
from gpt2_helpers.training.train_step import unregistered_gradients

LOSS_ROWS = 256  # tokens that the loss is timed with on a CPU, where its time grows linearly
MIN_SECONDS, MAX_REPEATS = 0.2, 20  # of a timing, after the first call
# Options that change the time of a token.
_DECISIVE = (
    *("optimizer", "use_memory_saving_gradients", "only_train_transformer_layers", "lora_rank"),
    *("dropout", "multi_gpu", "batch_size"),
)


@dataclass(frozen=True)
class StepTime:
    """The time of an optimizer step, and how it was measured."""

    seconds: float
    source: str

    def of_steps(self, steps: int) -> float:
        """Seconds that a number of steps take."""
        return steps * self.seconds


def step_time(
    model_name: str,
    model: ModelConfig,
    finetune: FinetuneConfig,
    window: int | None = None,
    checkpoint_dir: str | Path = "checkpoint",
) -> StepTime:
    """Return the time of an optimizer step on this device.

    Args:
        model_name: The model that is trained.
        model: Its shape.
        finetune: The training options.
        window: Tokens per sequence, if the text is shorter than the context (default: the context).
        checkpoint_dir: Folder with earlier runs, which may have measured it.

    Returns:
        The time, measured by the newest such run, or now.

    Example:
        step_time("tiny", ModelConfig.load(BUNDLED_FOLDER), FinetuneConfig()).of_steps(100)
    """
    window = min(window or model.n_ctx, model.n_ctx)
    sequences = finetune.accumulate_gradients * finetune.batch_size
    precision = device.choose_precision(finetune.precision)
    for name in run_names(checkpoint_dir):
        try:
            record = RunFolder(checkpoint_dir, name).read().record
        except Gpt2Error:
            continue
        if _measured_the_same(record, model_name, finetune, precision):
            seconds = sequences * window / record.tokens_per_second
            return StepTime(seconds, f"measured in {name} on this device")
    # A CPU computes the sequences of a batch one after the other, a GPU in parallel.
    batch = finetune.batch_size if device.gpus() else 1
    seconds = sequence_seconds(
        model,
        precision,
        window,
        batch,
        recompute=finetune.use_memory_saving_gradients,
        lora_rank=finetune.lora_rank,
        train_embeddings=not (finetune.only_train_transformer_layers or finetune.lora_rank),
        dropout=finetune.dropout,
    )
    return StepTime(sequences * seconds, "one layer and the loss were timed on this device")


def _measured_the_same(
    record: RunRecord, model_name: str, finetune: FinetuneConfig, precision: str
) -> bool:
    """Whether a run was trained here with the same model and options, so that it is as fast."""
    options = record.parameters
    return (
        record.tokens_per_second > 0
        and record.device == device.name()
        and _current_name(record.base_model) == _current_name(model_name)
        and device.choose_precision(str(options.get("precision", "auto"))) == precision
        and all(options.get(name) == getattr(finetune, name) for name in _DECISIVE)
    )


def _current_name(model_name: str) -> str:
    return MODEL_ALIASES.get(model_name, model_name)


@lru_cache(maxsize=32)
def sequence_seconds(
    model: ModelConfig,
    precision: str,
    window: int,
    batch: int = 1,
    *,
    recompute: bool = False,
    lora_rank: int = 0,
    train_embeddings: bool = True,
    dropout: float = 0.0,
) -> float:
    """Time one layer and the loss; return the seconds per sequence, forward and backward.

    Args:
        model: The model's shape.
        precision: float32, bfloat16 or float16.
        window: Tokens per sequence.
        batch: Sequences per forward pass.
        recompute: Whether the backward pass computes activations again.
        lora_rank: Rank of the adapters that are trained; 0 trains the weights.
        train_embeddings: Whether the embeddings are trained.
        dropout: Dropout rate.
    """
    dtype = tf.as_dtype(precision)
    layers.make_graphs()
    with unregistered_gradients():
        layer = _layer_seconds(model, dtype, window, batch, recompute, lora_rank, dropout)
        rows = batch * window if device.gpus() else min(window, LOSS_ROWS)
        loss = _loss_seconds(model, dtype, rows, recompute, train_embeddings)
    return model.n_layer * layer / batch + loss * window / rows


def _layer_seconds(
    model: ModelConfig,
    dtype: tf.DType,
    window: int,
    batch: int,
    recompute: bool,
    lora_rank: int,
    dropout: float,
) -> float:
    one_layer = ModelConfig(1, window, model.n_embd, model.n_head, 1)
    weights: dict[str, Any] = {
        name: tf.cast(array, dtype)
        for name, array in random_weights(one_layer).items()
        if "/h0/" in name
    }
    trained = weights
    if lora_rank:
        adapters = new_adapters(one_layer, lora_rank, seed=0)
        trained = {name: tf.cast(array, dtype) for name, array in adapters.items()}
    seed = tf.constant([1, 2, 0]) if dropout else None
    masks = additive_masks(window)
    run = partial(
        block, config=one_layer, layer=0, batch=batch, masks=masks, dropout_rate=dropout, seed=seed
    )

    def step(x: tf.Tensor, trained: Mapping[str, tf.Tensor]) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((x, trained))
            every = {**weights, **trained}
            out = recomputed(run, x, every) if recompute else run(x, every)[0]
        return tape.gradient(out, (x, trained), output_gradients=out)

    x = tf.cast(tf.random.normal([batch * window, model.n_embd]), dtype)
    return _seconds(tf.function(step, autograph=False), x, trained)


def _loss_seconds(
    model: ModelConfig, dtype: tf.DType, rows: int, recompute: bool, train_embeddings: bool
) -> float:
    def step(hidden: tf.Tensor, embeddings: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((hidden, embeddings))
            loss = mean_cross_entropy(
                hidden, embeddings, targets, train_embeddings, save_memory=recompute
            )
        return tape.gradient(loss, (hidden, embeddings) if train_embeddings else (hidden,))

    targets = tf.constant(np.arange(rows, dtype=np.int32) % model.n_vocab)
    hidden = tf.cast(tf.random.normal([rows, model.n_embd]), dtype)
    embeddings = tf.cast(tf.random.normal([model.n_vocab, model.n_embd]), dtype)
    return _seconds(tf.function(step, autograph=False), hidden, embeddings)


def _seconds(call: Callable[..., Any], *arguments: Any) -> float:
    """The shortest time of a few calls. The result is fetched, because a GPU computes it later."""

    def finish(result: Any) -> None:
        for tensor in tf.nest.flatten(result):
            if tensor is not None:
                tf.reduce_sum(tensor).numpy()

    finish(call(*arguments))  # compiles
    shortest, started = math.inf, time.perf_counter()
    for _ in range(MAX_REPEATS):
        before = time.perf_counter()
        finish(call(*arguments))
        now = time.perf_counter()
        shortest = min(shortest, now - before)
        if now - started > MIN_SECONDS:
            break
    return shortest
