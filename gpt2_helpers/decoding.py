"""One token at a time: GPT-2 with its keys and values kept. Ids in, ids out, no text.

Each row of the batch stands at a position of its own, so that a row whose text has ended can start
another while its neighbours go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.model import (
    GPT2,
    attend,
    feed_forward,
    hidden_states,
    layer_norm,
    linear,
    merge_heads,
    split_heads,
)
from gpt2_helpers.sampling import next_ids

SLOT_SIZES = (64, 128, 256, 512, 1024)  # caches come in few sizes, so that few are compiled
KEPT_DECODERS = 4


class DecodingWeights:
    """The weights in the type that decoding multiplies in, and `wte` transposed once for all."""

    def __init__(self, model: GPT2, dtype: tf.DType) -> None:
        self._model, self._dtype = model, dtype
        self._version = model.version
        self.named: dict[str, Any] = dict(model.variables)
        if dtype != tf.float32:
            self.named = {
                name: tf.Variable(tf.cast(variable, dtype), trainable=False)
                for name, variable in model.variables.items()
            }
        embeddings = self.named["model/wte"]
        self.output = tf.Variable(tf.transpose(embeddings), trainable=False)  # (n_embd, n_vocab)

    def refresh(self) -> None:
        """Copy again what training has changed."""
        if self._version == self._model.version:
            return
        self._version = self._model.version
        for name, variable in self._model.variables.items():
            if self.named[name] is not variable:
                self.named[name].assign(tf.cast(variable, self._dtype))
        self.output.assign(tf.transpose(self.named["model/wte"]))


def decoder_for(model: GPT2, batch_size: int, length: int, dtype: tf.DType) -> Decoder:
    """A decoder with room for `length` tokens a row; the last few are kept, compiled, with the
    model, so that a second call starts at once."""
    n_ctx = model.config.n_ctx
    slots = next((size for size in SLOT_SIZES if size >= min(length, n_ctx)), n_ctx)
    key = (batch_size, min(slots, n_ctx), dtype.name)
    decoder = model.decoders.pop(key, None)
    if decoder is None:
        shared = next(
            (kept.weights for kept in model.decoders.values() if kept.dtype == dtype), None
        )
        decoder = Decoder(model, batch_size, key[1], shared or DecodingWeights(model, dtype))
    model.decoders[key] = decoder  # the most recently used stands last
    while len(model.decoders) > KEPT_DECODERS:
        model.decoders.pop(next(iter(model.decoders)))
    decoder.weights.refresh()
    return decoder


class Decoder:
    """Rows of tokens that grow by one at each `step`. `prefill` gives a row its beginning."""

    def __init__(self, model: GPT2, batch_size: int, slots: int, weights: DecodingWeights) -> None:
        self.config, self.weights = model.config, weights
        self.batch_size, self.slots = batch_size, slots
        self.dtype: tf.DType = weights.output.dtype
        shape = (batch_size, self.config.n_head, slots, self.config.head_dim)
        self._keys, self._values = (
            [tf.Variable(tf.zeros(shape, self.dtype), trainable=False) for _ in self._layers()]
            for _ in range(2)
        )
        self._steps: dict[tuple[float, int, float], Any] = {}
        self._last_prefill: tuple[tuple[int, ...], Any] | None = None
        self._weights_version = -1
        row, ids = tf.TensorSpec([], tf.int32), tf.TensorSpec([1, None], tf.int32)
        self._read = tf.function(self._keys_and_values, input_signature=[ids])
        caches = [tf.TensorSpec([1, shape[1], None, shape[3]], self.dtype)] * self.config.n_layer
        self._store = tf.function(self._store_row, input_signature=[row, caches, caches])

    def _layers(self) -> range:
        return range(self.config.n_layer)

    def prefill(self, row: int, ids: Sequence[int]) -> None:
        """Let row `row` have seen `ids`, at positions 0 and up. Many rows often begin alike: the
        last beginning is kept and only copied for the next row."""
        if not ids:
            return
        key = (self.weights._version, *ids)
        if self._last_prefill is None or self._last_prefill[0] != key:
            self._last_prefill = (key, self._read(np.asarray([ids], np.int32)))
        self._store(row, *self._last_prefill[1])

    def step(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        uniforms: NDArray[np.float32],
        config: SamplingConfig,
    ) -> NDArray[np.int32]:
        """Each row's token (batch) at its position (batch) -> each row's next token (batch)."""
        key = (config.temperature, config.top_k, config.top_p)
        compiled = self._steps.get(key)
        if compiled is None:

            def step(ids: tf.Tensor, positions: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
                return next_ids(self._logits(ids, positions), uniforms, config)

            rows = [self.batch_size]
            compiled = self._steps[key] = tf.function(
                step,
                input_signature=[
                    tf.TensorSpec(rows, tf.int32),
                    tf.TensorSpec(rows, tf.int32),
                    tf.TensorSpec(rows, tf.float32),
                ],
            )
        return compiled(ids, positions, uniforms).numpy()

    def _keys_and_values(self, ids: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        _, caches = hidden_states(self.weights.named, self.config, ids)
        return [key for key, _ in caches], [value for _, value in caches]

    def _store_row(self, row: tf.Tensor, keys: list[tf.Tensor], values: list[tf.Tensor]) -> None:
        for layer in self._layers():
            time = tf.shape(keys[layer])[2]
            self._keys[layer][row : row + 1, :, :time].assign(keys[layer])
            self._values[layer][row : row + 1, :, :time].assign(values[layer])

    def _logits(self, ids: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """ids and positions (batch) -> fp32 logits (batch, n_vocab); keeps the keys and values."""
        config, weights = self.config, self.weights.named
        rows, heads = tf.meshgrid(tf.range(self.batch_size), tf.range(config.n_head), indexing="ij")
        slots = tf.broadcast_to(positions[:, None], [self.batch_size, config.n_head])
        places = tf.stack([rows, heads, slots], axis=-1)  # (batch, head, 3)
        used = tf.reduce_max(positions) + 1
        # (batch, 1, 1, used)
        visible = (tf.range(used)[None] <= positions[:, None])[:, None, None]
        x = tf.gather(weights["model/wte"], ids) + tf.gather(weights["model/wpe"], positions)
        for layer in self._layers():  # x (batch, n_embd)
            name = f"model/h{layer}"
            normal = layer_norm(x, weights[f"{name}/ln_1/g"], weights[f"{name}/ln_1/b"])
            parts = tf.split(linear(normal, weights, f"{name}/attn/c_attn"), 3, axis=-1)
            query, key, value = (
                split_heads(part, self.batch_size, config.n_head) for part in parts
            )  # (batch, head, 1, head_dim)
            self._keys[layer].scatter_nd_update(places, key[:, :, 0])
            self._values[layer].scatter_nd_update(places, value[:, :, 0])
            seen = (cache[layer][:, :, :used] for cache in (self._keys, self._values))
            mixed = merge_heads(attend(query, *seen, visible), config.n_embd)
            x = x + linear(mixed, weights, f"{name}/attn/c_proj")
            x = x + feed_forward(x, weights, name)
        hidden = layer_norm(x, weights["model/ln_f/g"], weights["model/ln_f/b"])
        return tf.cast(tf.matmul(hidden, self.weights.output), tf.float32)
