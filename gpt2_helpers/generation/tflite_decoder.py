"""One token at a time on a processor: the layers' products as TensorFlow Lite programs, attention
in NumPy (`kv_cache`). Ids in, logits out, no text.

A row's numbers do not depend on those beside it, not in their last bit either: the products are
whole numbers or summed in one order.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.generation.decoder import Decoder, Model
from gpt2_helpers.generation.kv_cache import KeyValueCache, unseen_after
from gpt2_helpers.generation.tflite import Builder, Program
from gpt2_helpers.model.variables import LAYER_NORM_EPSILON
from gpt2_helpers.system import device
from gpt2_helpers.system.tensorflow_setup import suppress_stderr
from gpt2_helpers.types import Floats

READ_AT_ONCE = 256  # tokens of a beginning that are read in one pass


class TfliteWeights:
    """A model's products, compiled, and its embeddings. `precision` is float32 or int8."""

    def __init__(self, model: Model, precision: str) -> None:
        self._model, self.precision = model, precision
        self._compile()

    def refresh(self) -> bool:
        """Compile the programs again if the weights have changed; see `Weights`."""
        if self.version != self._model.version:
            self._compile()
        return True

    def _compile(self) -> None:
        version = self._model.version
        with suppress_stderr(), ThreadPoolExecutor(device.cores()) as pool:
            ending = pool.submit(self._last)  # takes the longest, so it begins first
            first, *between = pool.map(self._program, range(self._model.config.n_layer))
            tokens, last = ending.result()
        # All at once, and the version at the end: whatever stops this leaves it to be done again.
        self.positions, self.tokens = self._array("model/wpe"), tokens
        self.first, self.between, self.last = first, between, last
        self.version = version

    def _array(self, name: str) -> Floats:
        array: Floats = np.asarray(self._model.effective_weight(name))
        return array

    def _last(self) -> tuple[Floats, Program]:
        """The token embeddings, and the program after the last attention, which ends with them."""
        tokens = self._array("model/wte")
        return tokens, self._program(self._model.config.n_layer, tokens)

    def _program(self, order: int, tokens: Floats | None = None) -> Program:
        """The products between two attentions: the end of layer `order` - 1 and the beginning of
        layer `order`. Before the first there are only embeddings, after the last the output by
        `tokens`.

        x, mixed (rows, n_embd) -> x (rows, n_embd), query key value (rows, 3 n_embd)
        """
        width = self._model.config.n_embd
        build = Builder(self.precision)
        x = beginning = build.input(width)
        inputs = [beginning]
        if order:
            mixed = build.input(width)
            inputs.append(mixed)
            layer = f"model/h{order - 1}"
            x = build.add(x, self._dense(build, mixed, f"{layer}/attn/c_proj"))
            hidden = self._dense(build, self._norm(build, x, f"{layer}/ln_2"), f"{layer}/mlp/c_fc")
            x = build.add(x, self._dense(build, build.gelu(hidden), f"{layer}/mlp/c_proj"))
        if tokens is not None:
            logits = build.dense(self._norm(build, x, "model/ln_f"), tokens)
            return build.program(inputs, [logits], device.cores())
        layer = f"model/h{order}"
        parts = self._dense(build, self._norm(build, x, f"{layer}/ln_1"), f"{layer}/attn/c_attn")
        outputs = [x, parts] if order else [parts]
        return build.program(inputs, outputs, device.cores())

    def _dense(self, build: Builder, x: int, name: str) -> int:
        matrix = self._array(f"{name}/w")[0].T  # OpenAI's is (1, n_in, n_out)
        return build.dense(x, matrix, self._array(f"{name}/b"))

    def _norm(self, build: Builder, x: int, name: str) -> int:
        gain, bias = self._array(f"{name}/g"), self._array(f"{name}/b")
        return build.layer_norm(x, gain, bias, LAYER_NORM_EPSILON)


class _Beginning(NamedTuple):
    """A row that has just read its beginning, and the weights' version it was read by."""

    row: int
    version: int
    ids: tuple[int, ...]


class TfliteDecoder(Decoder):
    """Decodes with `TfliteWeights`; see `Decoder`."""

    def __init__(
        self, model: Model, batch_size: int, capacity: int, weights: TfliteWeights
    ) -> None:
        super().__init__(model.config, batch_size, capacity)
        self._weights = weights
        self._cache = KeyValueCache(self.config, batch_size, capacity)
        self._last_read: _Beginning | None = None

    @property
    def weights(self) -> TfliteWeights:
        return self._weights

    def _prefill_chunk(self, row: int, ids: Sequence[int], done: int, at_most: int | None) -> int:
        reading = _Beginning(row, self._weights.version, tuple(ids))
        if not done:
            before, self._last_read = self._last_read, None
            if before is not None and before[1:] == reading[1:]:
                if before.row != row:
                    self._cache.copy(before.row, row, len(ids))
                self._last_read = reading
                return len(ids)
        if not ids:
            return 0
        stop = min(len(ids), done + min(READ_AT_ONCE, at_most or READ_AT_ONCE))
        self._read_more(row, np.array(ids[done:stop]), done)
        if stop == len(ids):
            self._last_read = reading
        return stop

    def _read_more(self, row: int, ids: NDArray[np.int32], start: int) -> None:
        """Keep keys and values of `ids` (time), which stand from `start` on, for row `row`."""
        time, n_head = len(ids), self.config.n_head
        rows, positions = np.full(time, row), np.arange(start, start + time)
        unseen = unseen_after(positions)  # (time, used)
        unseen = np.broadcast_to(unseen, (n_head, *unseen.shape))
        x = self._weights.tokens[ids] + self._weights.positions[positions]  # (time, n_embd)
        (parts,) = self._weights.first(x)
        for layer, program in enumerate([*self._weights.between, None]):
            parts = parts.reshape(time, 3, n_head, -1)
            self._cache.keep(layer, rows, positions, parts[:, 1:])
            if program is not None:  # after the last keys and values nothing more is needed
                query = parts[:, 0].swapaxes(0, 1)[None]  # (1, head, time, head_dim)
                mixed = self._cache.attend(layer, slice(row, row + 1), query, unseen)
                x, parts = program(x, mixed[0].swapaxes(0, 1).reshape(time, -1))

    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        batch, rows = len(ids), np.arange(len(ids))
        read = self._last_read
        if read is not None and read.row < batch and positions[read.row] < len(read.ids):
            self._last_read = None  # another text begins in that row
        n_head = self.config.n_head
        unseen = unseen_after(positions[:, None])  # (row, 1, used)
        unseen = np.repeat(unseen, n_head, axis=0)  # (row * head, 1, used)
        x = self._weights.tokens[ids] + self._weights.positions[positions]  # (batch, n_embd)
        (parts,) = self._weights.first(x)
        for layer, program in enumerate([*self._weights.between, self._weights.last]):
            parts = parts.reshape(batch, 3, n_head, -1)
            self._cache.keep(layer, rows, positions, parts[:, 1:])
            query = parts[:, 0, :, None]  # (batch, head, 1, head_dim)
            mixed = self._cache.attend(layer, slice(batch), query, unseen)
            *rest, parts = program(x, mixed.reshape(batch, -1))
            x = rest[0] if rest else x
        return parts
