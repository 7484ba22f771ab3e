"""Decoding on a GPU, in programs that XLA compiles: a decode step, with sampling, is one of them.

The keys and values are in ring buffers with one clock for all rows: each step writes the slot
`clock % capacity` of every row. Positions are part of the embeddings, so attention does not depend
on which slot a key is in: a row at position p attends to the p + 1 slots written last. So a step
writes one slice per buffer, however far apart the rows are, and all shapes are static.

Of a step only ids are copied from the GPU, except for rows that `sampling` must sample: their
logits are changed by processors, or they need more candidates than `xla_sampling` sorts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.compiler.tf2xla.python import xla as xla_ops

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.sampling import sample_next_tokens_by_row
from gpt2_helpers.generation.tf_decoder import TfWeights, compiled_by_xla, decode_step
from gpt2_helpers.generation.xla_sampling import (
    N_OPTIONS,
    UNDECIDED,
    needs_logits,
    packed_options,
    sample_ids,
)
from gpt2_helpers.model.attention import dot_product_attention
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.types import Floats

# Prompts are padded to one of these lengths, or to the capacity. Few, since each is compiled.
PROMPT_LENGTHS = (64, 256, 1024)


class XlaDecoder(Decoder):
    """Decodes with `TfWeights`; see `Decoder`."""

    def __init__(self, model: GPT2, batch_size: int, capacity: int, weights: TfWeights) -> None:
        """Compile the decode step. Raises TensorFlow's error if XLA cannot."""
        super().__init__(model.config, batch_size, capacity)
        self._weights = weights
        shape = (batch_size, self.config.n_head, capacity, self.config.head_dim)
        self._keys, self._values = (
            [tf.Variable(tf.zeros(shape, weights.dtype), trainable=False) for _ in self._layers()]
            for _ in range(2)
        )
        self._clock = 0  # number of steps so far
        self._last_prefill: tuple[tuple[int, ...], Any] | None = None
        self._stores: dict[int, Any] = {}  # by length of the padded prompt
        scalar, rows = tf.TensorSpec([], tf.int32), tf.TensorSpec([batch_size, 2], tf.int32)
        options = tf.TensorSpec([batch_size, N_OPTIONS], tf.float32)
        self._compiled_step = compiled_by_xla(self._decode_step, scalar, rows, options)
        self._run(np.zeros(1, np.int32), np.zeros(1, np.int32), [], np.zeros(0, np.float32))

    @property
    def weights(self) -> TfWeights:
        return self._weights

    def step(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        uniform_samples: NDArray[np.float32],
        configs: Sequence[SamplingConfig],
        adjust: Mapping[int, Callable[[Floats], None]] | None = None,
    ) -> NDArray[np.int32]:
        """See `Decoder`."""
        self._check_room(int(positions.max()) + 1)
        adjust = adjust or {}
        sampled, logits = self._run(ids, positions, configs, uniform_samples)
        chosen: NDArray[np.int32] = sampled.numpy()[: len(ids)].copy()
        on_host = [
            row
            for row, config in enumerate(configs)
            if row in adjust or needs_logits(config) or chosen[row] == UNDECIDED
        ]
        if on_host:
            rows = tf.gather(logits, on_host).numpy()
            for order, row in enumerate(on_host):
                if row in adjust:
                    adjust[row](rows[order])
            chosen[on_host] = sample_next_tokens_by_row(
                rows, uniform_samples[on_host], [configs[row] for row in on_host]
            )
        return chosen

    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        _, logits = self._run(ids, positions, [], np.zeros(0, np.float32))
        copied: Floats = logits.numpy()
        return copied[: len(ids)]

    def _layers(self) -> range:
        return range(self.config.n_layer)

    def _run(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        configs: Sequence[SamplingConfig],
        uniform_samples: Floats,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Run a step -> the ids sampled on the GPU (batch) and the logits (batch, n_vocab).

        All rows are computed: free ones write a slot of their own, which their next text does not
        attend to.
        """
        inputs = np.zeros((self.batch_size, 2), np.int32)
        inputs[: len(ids)] = np.stack([ids, positions], axis=1)
        options = packed_options(configs, uniform_samples, self.batch_size)
        slot = self._clock % self.capacity
        self._clock += 1
        sampled, logits = self._compiled_step(*map(tf.constant, (slot, inputs, options)))
        return sampled, logits

    def _decode_step(
        self, slot: tf.Tensor, inputs: tf.Tensor, options: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Write the slot of each row and sample its next id.

        Args:
            slot: Where keys and values are stored.
            inputs: The newest id of each row and its position (batch, 2).
            options: See `packed_options`.

        Returns:
            The sampled ids (batch), and the logits that they were sampled from (batch, n_vocab).
        """
        ids, positions = tf.unstack(inputs, axis=1)
        age = (slot - tf.range(self.capacity)) % self.capacity  # in steps, of each slot
        mask = (age <= positions[:, None])[:, None, None]  # (batch, 1, 1, slots)

        def attend(layer: int, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
            # (batch, head, slots, head_dim)
            keys = _write(self._keys[layer], key[:, :, None], [0, 0, slot, 0])
            values = _write(self._values[layer], value[:, :, None], [0, 0, slot, 0])
            return dot_product_attention(query[:, :, None], keys, values, mask)

        hidden = decode_step(self._weights.named, self.config, ids, positions, attend)
        logits = self._weights.logits(hidden)
        return sample_ids(logits, options), logits

    def _prefill_chunk(
        self, row: int, ids: Sequence[int], start: int, max_tokens: int | None
    ) -> int:
        """Prefill all of `ids` in one pass, which is fast on a GPU."""
        if not ids:
            return 0
        lengths = (length for length in PROMPT_LENGTHS if length >= len(ids))
        length = min(next(lengths, self.capacity), self.capacity)
        key = (self._weights.version, length, *ids)
        if self._last_prefill is None or self._last_prefill[0] != key:
            self._last_prefill = (key, self._weights.prefill_padded(ids, length))
        if length not in self._stores:
            n_head, head_dim = self.config.n_head, self.config.head_dim
            layer = tf.TensorSpec([1, n_head, length, head_dim], self._weights.dtype)
            scalar, layers = tf.TensorSpec([], tf.int32), [layer] * self.config.n_layer
            self._stores[length] = compiled_by_xla(
                self._store_row, scalar, scalar, scalar, layers, layers
            )
        numbers = (row, self._clock % self.capacity, len(ids))
        self._stores[length](*map(tf.constant, numbers), *self._last_prefill[1])
        return len(ids)

    def _store_row(
        self,
        row: tf.Tensor,
        slot: tf.Tensor,
        count: tf.Tensor,
        keys: list[tf.Tensor],
        values: list[tf.Tensor],
    ) -> None:
        """Store the keys and values of a prompt in the slots before the next one to write.

        Args:
            row: The row to fill.
            slot: The slot that the next step writes.
            count: Tokens of the prompt; the rest is padding.
            keys: Of each layer (1, head, padded prompt, head_dim).
            values: The same.
        """
        age = (slot - 1 - tf.range(self.capacity)) % self.capacity
        # Older slots get any of the keys: they are not attended to before a step writes them.
        position = tf.maximum(count - 1 - age, 0)
        for buffers, layers in ((self._keys, keys), (self._values, values)):
            for buffer, prompt in zip(buffers, layers, strict=True):
                _write(buffer, tf.gather(prompt, position, axis=2), [row, 0, 0, 0])


def _write(buffer: tf.Variable, update: tf.Tensor, start: list[Any]) -> tf.Tensor:
    """Write a slice into a buffer at this index, in place, and return the whole."""
    written = xla_ops.dynamic_update_slice(buffer, update, tf.stack(start))
    buffer.assign(written)
    return written
