"""Decoding in TensorFlow graphs: on GPUs, and in 16-bit precision on a CPU.

Ids in, logits out. The keys and values are kept in variables between decode steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.compiler.tf2xla.python import xla as xla_ops

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.generation.decoder import Decoder, LogProbabilities
from gpt2_helpers.model.attention import dot_product_attention
from gpt2_helpers.model.gpt2 import GPT2, Weights, feed_forward, hidden_states, linear
from gpt2_helpers.model.layers import layer_norm
from gpt2_helpers.system import device, xla
from gpt2_helpers.types import Floats, Ids


class TfWeights:
    """The model's weights in the dtype of decoding, and the transposed token embeddings.

    Attributes:
        dtype: The dtype of decoding.
        named: The weights under OpenAI's names.
        version: The model's version that they were copied from.
    """

    def __init__(self, model: GPT2, dtype: tf.DType) -> None:
        self._model, self.dtype = model, dtype
        self.version = model.version
        self.named: dict[str, Any] = {
            name: variable
            if variable.dtype == dtype and not model.has_adapter(name)
            else tf.Variable(tf.cast(model.effective_weight(name), dtype), trainable=False)
            for name, variable in model.variables.items()
        }
        self._outputs: dict[tf.DType, tf.Variable] = {}  # transposed embeddings, by dtype
        self._prefills: dict[int, Any] = {}  # by length of the padded prompt

    def refresh(self) -> bool:
        """Copy changed weights; see `Weights`."""
        model, version = self._model, self._model.version
        if self.version == version:
            return True
        variables = model.variables
        if any(
            self.named[name] is variables[name] and model.has_adapter(name) for name in variables
        ):
            return False
        for name, variable in variables.items():
            if self.named[name] is not variable:
                self.named[name].assign(tf.cast(model.effective_weight(name), self.dtype))
        for dtype, output in self._outputs.items():
            output.assign(self._transposed_embeddings(dtype))
        self.version = version  # last, so that an interrupted refresh is repeated
        return True

    @cached_property
    def prefill(self) -> Any:
        """ids (1, time) -> the keys of each layer and the values of each layer, (1, head, time,
        head_dim) each."""
        return compiled(self._keys_and_values, tf.TensorSpec([1, None], tf.int32))

    def prefill_padded(self, ids: Sequence[int], length: int) -> Any:
        """The keys and values of ids padded to `length`, from a program that XLA compiled."""
        if length not in self._prefills:
            signature = tf.TensorSpec([1, length], tf.int32)
            self._prefills[length] = compiled_by_xla(self._keys_and_values, signature)
        return self._prefills[length](tf.constant([[*ids, *[0] * (length - len(ids))]], tf.int32))

    def _keys_and_values(self, ids: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        _, layers = hidden_states(self.named, self._model.config, ids)
        return [key for key, _ in layers], [value for _, value in layers]

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """hidden (rows, n_embd) -> fp32 logits (rows, n_vocab). For use inside a graph.

        On a GPU the product is in fp32: in 16 bits the likeliest ids often have equal logits, of
        which the first would be chosen. A CPU would take twice as long.
        """
        if xla.is_tracing():
            embeddings = tf.convert_to_tensor(self.named["model/wte"])
            last = xla_ops.DotDimensionNumbers(
                lhs_contracting_dimensions=[1], rhs_contracting_dimensions=[1]
            )
            return xla_ops.dot_general(hidden, embeddings, last, preferred_element_type=tf.float32)
        output = self._output(tf.float32 if device.gpus() else self.dtype)
        return tf.cast(tf.matmul(tf.cast(hidden, output.dtype), output), tf.float32)

    def _output(self, dtype: tf.DType) -> tf.Variable:
        """The transposed embeddings (n_embd, n_vocab), which are multiplied faster."""
        if dtype not in self._outputs:
            with tf.init_scope():
                transposed = self._transposed_embeddings(dtype)
                self._outputs[dtype] = tf.Variable(transposed, trainable=False)
        return self._outputs[dtype]

    def _transposed_embeddings(self, dtype: tf.DType) -> tf.Tensor:
        return tf.cast(tf.transpose(self.named["model/wte"]), dtype)

    def log_probabilities(self, ids: Ids, top: int = 0) -> Iterator[LogProbabilities]:
        """See `Weights`. All at once, which is fast on a GPU."""
        top = min(top, self._model.config.n_vocab)
        found = self._log_probabilities(tf.constant(ids, tf.int32), tf.constant(top))
        yield LogProbabilities(*(array.numpy() for array in found))

    @cached_property
    def _log_probabilities(self) -> Any:
        """ids (batch, time), top -> the log-probabilities of all but the first (batch, time - 1),
        and the likeliest ids with theirs, (batch, time - 1, top) each."""

        def log_probabilities(
            ids: tf.Tensor, top: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            hidden, _ = hidden_states(self.named, self._model.config, ids[:, :-1])
            logits = self.logits(hidden)
            targets = tf.reshape(ids[:, 1:], [-1])
            found = -tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
            values, top_ids = tf.math.top_k(logits, top)
            chosen = tf.gather(logits, targets, batch_dims=1)
            likeliest = values - chosen[:, None] + found[:, None]
            shape = tf.shape(ids[:, 1:])
            shapes = shape, tf.concat([shape, [top]], 0), tf.concat([shape, [top]], 0)
            arrays = found, top_ids, likeliest
            return tuple(tf.reshape(*pair) for pair in zip(arrays, shapes, strict=True))

        ids, top = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([], tf.int32)
        return compiled(log_probabilities, ids, top)


def compiled(function: Any, *signature: Any) -> Any:
    """The graph of a function for this signature. Calling the tf.function itself would warn of
    retracing, since each model and batch size traces it again for a few calls."""
    graph = tf.function(function, input_signature=signature, autograph=False)
    return graph.get_concrete_function()


def compiled_by_xla(function: Any, *signature: Any) -> Any:
    """The same, compiled by XLA at the first call. The signature must have static shapes."""

    def traced(*arguments: Any) -> Any:
        with xla.tracing():
            return function(*arguments)

    graph = tf.function(traced, input_signature=signature, autograph=False, jit_compile=True)
    return graph.get_concrete_function()


class TfDecoder(Decoder):
    """Decodes with `TfWeights`; see `Decoder`."""

    def __init__(self, model: GPT2, batch_size: int, capacity: int, weights: TfWeights) -> None:
        super().__init__(model.config, batch_size, capacity)
        self._weights = weights
        dtype = weights.dtype
        # For each layer (batch * head * capacity, head_dim): a gather then reads only the tokens in
        # use, while slicing a variable that is scattered into would copy all of it first.
        n_head, head_dim = self.config.n_head, self.config.head_dim
        shape = (batch_size * n_head * capacity, head_dim)
        self._keys, self._values = (
            [tf.Variable(tf.zeros(shape, dtype), trainable=False) for _ in self._layers()]
            for _ in range(2)
        )
        self._last_prefill: tuple[tuple[int, ...], Any] | None = None
        row = tf.TensorSpec([], tf.int32)
        layers = [tf.TensorSpec([1, n_head, None, head_dim], dtype)] * self.config.n_layer
        self._store = compiled(self._store_row, row, layers, layers)
        rows = tf.TensorSpec([batch_size], tf.int32)
        self._step_logits = compiled(self._decode_step, rows, rows)

    @property
    def weights(self) -> TfWeights:
        return self._weights

    def _layers(self) -> range:
        return range(self.config.n_layer)

    def _prefill_chunk(
        self, row: int, ids: Sequence[int], start: int, max_tokens: int | None
    ) -> int:
        """Prefill all of `ids` in one pass, which is fast on a GPU."""
        if not ids:
            return 0
        key = (self._weights.version, *ids)
        if self._last_prefill is None or self._last_prefill[0] != key:
            self._last_prefill = (key, self._weights.prefill(tf.constant([ids], tf.int32)))
        self._store(tf.constant(row), *self._last_prefill[1])
        return len(ids)

    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        # All rows are computed, since a graph for each number of rows would be traced too often.
        # Free rows store a key and value at position 0, which their next text overwrites.
        padding = (0, self.batch_size - len(ids))
        padded = (tf.constant(np.pad(array, padding)) for array in (ids, positions))
        logits: Floats = self._step_logits(*padded).numpy()
        return logits[: len(ids)]

    def _offsets(self, rows: tf.Tensor) -> tf.Tensor:
        """rows (n) -> the index in the caches of each head's first token (n, head)."""
        n_head = self.config.n_head
        return (rows[:, None] * n_head + tf.range(n_head)) * self.capacity

    def _store_row(self, row: tf.Tensor, keys: list[tf.Tensor], values: list[tf.Tensor]) -> None:
        # (1, head, time)
        indices = self._offsets(row[None])[:, :, None] + tf.range(tf.shape(keys[0])[2])
        for layer in self._layers():
            self._keys[layer].scatter_update(tf.IndexedSlices(keys[layer], indices))
            self._values[layer].scatter_update(tf.IndexedSlices(values[layer], indices))

    def _decode_step(self, ids: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """ids and positions (batch) -> fp32 logits (batch, n_vocab); stores keys and values."""
        offsets = self._offsets(tf.range(self.batch_size))  # (batch, head)
        new = offsets + positions[:, None]
        # int64, since even on a GPU TensorFlow adds and compares int32 in main memory.
        steps = tf.cast(tf.range(tf.reduce_max(positions) + 1), tf.int64)  # (keys)
        used = tf.cast(offsets, tf.int64)[:, :, None] + steps  # (batch, head, keys)
        # (batch, 1, 1, keys)
        mask = (steps[None] <= tf.cast(positions, tf.int64)[:, None])[:, None, None]

        def attend(layer: int, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
            keys, values = self._keys[layer], self._values[layer]
            keys.scatter_update(tf.IndexedSlices(key, new))
            values.scatter_update(tf.IndexedSlices(value, new))
            # (batch, head, keys, head_dim)
            past = tf.gather(keys, used), tf.gather(values, used)
            return dot_product_attention(query[:, :, None], *past, mask)

        hidden = decode_step(self._weights.named, self.config, ids, positions, attend)
        return self._weights.logits(hidden)


def decode_step(
    weights: Weights,
    config: ModelConfig,
    ids: tf.Tensor,
    positions: tf.Tensor,
    attend: Callable[[int, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """All layers for one token per row.

    Args:
        weights: Variables under OpenAI's names.
        config: The model's shape.
        ids: The newest id of each row (batch).
        positions: The positions of these ids (batch).
        attend: Given a layer and its query, key and value (batch, head, head_dim), stores the key
            and value, and returns what the query attends to (batch, head, 1, head_dim).

    Returns:
        The last hidden states (batch, n_embd).
    """
    batch = ids.shape[0]
    x = tf.gather(weights["model/wte"], ids) + tf.gather(weights["model/wpe"], positions)
    for layer in range(config.n_layer):  # x (batch, n_embd)
        name = f"model/h{layer}"
        normal = layer_norm(x, weights[f"{name}/ln_1/g"], weights[f"{name}/ln_1/b"])
        qkv = linear(normal, weights, f"{name}/attn/c_attn")  # (batch, 3 * n_embd)
        # (batch, head, head_dim): with one token a row, a reshape splits and merges heads
        heads = tf.reshape(qkv, [batch, 3, config.n_head, config.head_dim])
        attended = attend(layer, *tf.unstack(heads, axis=1))
        attended = tf.reshape(attended, [batch, config.n_embd])
        x = x + linear(attended, weights, f"{name}/attn/c_proj")
        x = x + feed_forward(x, weights, name)
    return layer_norm(x, weights["model/ln_f/g"], weights["model/ln_f/b"])
