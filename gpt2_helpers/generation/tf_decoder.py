"""One token at a time in TensorFlow's graphs, with keys and values kept: on graphics cards, and in
16-bit numbers on a processor. Ids in, ids out, no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.model.gpt2 import GPT2, dot_product_attention, feed_forward, hidden_states, linear
from gpt2_helpers.model.layers import layer_norm
from gpt2_helpers.types import Floats


class TfWeights:
    """The weights in the type that decoding multiplies in, and `wte` transposed once for all."""

    def __init__(self, model: GPT2, dtype: tf.DType) -> None:
        self._model, self._dtype = model, dtype
        self.version = model.version
        self.named: dict[str, Any] = {
            name: variable
            if variable.dtype == dtype and not model.has_adapter(name)
            else tf.Variable(tf.cast(model.effective_weight(name), dtype), trainable=False)
            for name, variable in model.variables.items()
        }
        embeddings = self.named["model/wte"]
        self.output = tf.Variable(tf.transpose(embeddings), trainable=False)  # (n_embd, n_vocab)

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
                self.named[name].assign(tf.cast(model.effective_weight(name), self._dtype))
        self.output.assign(tf.transpose(self.named["model/wte"]))
        self.version = version  # last, so that an interrupted refresh is repeated
        return True

    @cached_property
    def read(self) -> Any:
        """ids (1, time) -> each layer's keys, and each layer's values (1, head, time, head_dim)."""

        def keys_and_values(ids: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
            _, caches = hidden_states(self.named, self._model.config, ids)
            return [key for key, _ in caches], [value for _, value in caches]

        return compiled(keys_and_values, tf.TensorSpec([1, None], tf.int32))


def compiled(function: Any, *signature: Any) -> Any:
    """A graph for this signature. TensorFlow would warn of a tf.function that each model, or each
    size of batch, has traced anew for a few calls."""
    graph = tf.function(function, input_signature=signature, autograph=False)
    return graph.get_concrete_function()


class TfDecoder(Decoder):
    """Decodes with `TfWeights`; see `Decoder`."""

    def __init__(self, model: GPT2, batch_size: int, capacity: int, weights: TfWeights) -> None:
        super().__init__(model.config, batch_size, capacity)
        self._weights = weights
        dtype = weights.output.dtype
        # A row for each slot of each head of each row of the batch: a gather then reads just the
        # slots in use, where slicing a variable that is scattered into would copy it whole first.
        n_head, head_dim = self.config.n_head, self.config.head_dim
        shape = (batch_size * n_head * capacity, head_dim)
        self._keys, self._values = (
            [tf.Variable(tf.zeros(shape, dtype), trainable=False) for _ in self._layers()]
            for _ in range(2)
        )
        self._last_prefill: tuple[tuple[int, ...], Any] | None = None
        row = tf.TensorSpec([], tf.int32)
        caches = [tf.TensorSpec([1, n_head, None, head_dim], dtype)] * self.config.n_layer
        self._store = compiled(self._store_row, row, caches, caches)
        rows = tf.TensorSpec([batch_size], tf.int32)
        self._next_logits = compiled(self._one_more, rows, rows)

    @property
    def weights(self) -> TfWeights:
        return self._weights

    def _layers(self) -> range:
        return range(self.config.n_layer)

    def _prefill_chunk(
        self, row: int, ids: Sequence[int], start: int, max_tokens: int | None
    ) -> int:
        if not ids:
            return 0
        # In one pass, which is quick on a graphics card.
        key = (self._weights.version, *ids)
        if self._last_prefill is None or self._last_prefill[0] != key:
            self._last_prefill = (key, self._weights.read(tf.constant([ids], tf.int32)))
        self._store(tf.constant(row), *self._last_prefill[1])
        return len(ids)

    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        # A graph for each number of rows would be compiled anew too often: all are computed. The
        # others get a key and value where they begin, which their next text writes over.
        missing = (0, self.batch_size - len(ids))
        whole = (tf.constant(np.pad(array, missing)) for array in (ids, positions))
        logits: Floats = self._next_logits(*whole).numpy()
        return logits[: len(ids)]

    def _first_slots(self, rows: tf.Tensor) -> tf.Tensor:
        """rows (n) -> where in the caches each head of each row begins (n, head)."""
        n_head = self.config.n_head
        return (rows[:, None] * n_head + tf.range(n_head)) * self.capacity

    def _store_row(self, row: tf.Tensor, keys: list[tf.Tensor], values: list[tf.Tensor]) -> None:
        # (1, head, time)
        places = self._first_slots(row[None])[:, :, None] + tf.range(tf.shape(keys[0])[2])
        for layer in self._layers():
            self._keys[layer].scatter_update(tf.IndexedSlices(keys[layer], places))
            self._values[layer].scatter_update(tf.IndexedSlices(values[layer], places))

    def _one_more(self, ids: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """ids and positions (batch) -> fp32 logits (batch, n_vocab); keeps the keys and values."""
        config, weights = self.config, self._weights.named
        first = self._first_slots(tf.range(self.batch_size))  # (batch, head)
        here = first + positions[:, None]
        used = tf.range(tf.reduce_max(positions) + 1)
        seen = first[:, :, None] + used  # (batch, head, used)
        mask = (used[None] <= positions[:, None])[:, None, None]  # (batch, 1, 1, used)
        heads = [self.batch_size, 3, config.n_head, config.head_dim]
        x = tf.gather(weights["model/wte"], ids) + tf.gather(weights["model/wpe"], positions)
        for layer in self._layers():  # x (batch, n_embd)
            name = f"model/h{layer}"
            normal = layer_norm(x, weights[f"{name}/ln_1/g"], weights[f"{name}/ln_1/b"])
            parts = linear(normal, weights, f"{name}/attn/c_attn")
            # (batch, head, head_dim): with one token a row reshaping splits and merges heads
            query, key, value = tf.unstack(tf.reshape(parts, heads), axis=1)
            keys, values = self._keys[layer], self._values[layer]
            keys.scatter_update(tf.IndexedSlices(key, here))
            values.scatter_update(tf.IndexedSlices(value, here))
            # (batch, head, used, head_dim)
            past = tf.gather(keys, seen), tf.gather(values, seen)
            mixed = dot_product_attention(
                query[:, :, None], *past, mask
            )  # (batch, head, 1, head_dim)
            mixed = tf.reshape(mixed, [self.batch_size, config.n_embd])
            x = x + linear(mixed, weights, f"{name}/attn/c_proj")
            x = x + feed_forward(x, weights, name)
        hidden = layer_norm(x, weights["model/ln_f/g"], weights["model/ln_f/b"])
        return tf.cast(tf.matmul(hidden, self._weights.output), tf.float32)
