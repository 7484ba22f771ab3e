"""One token at a time on a processor: the layers' products as TensorFlow Lite programs, attention
in NumPy over keys and values that are kept in one block. Ids in, logits out, no text.

A row's numbers do not depend on those beside it, not in their last bit either: the products are
whole numbers or summed in one order, and attention looks at keys in blocks of one size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers import device
from gpt2_helpers.decoder import Decoder, Model
from gpt2_helpers.lite import Builder, Program
from gpt2_helpers.sampling import Floats
from gpt2_helpers.shapes import LAYER_NORM_EPSILON
from gpt2_helpers.startup import quietly

KEYS_AT_ONCE = 32  # attention looks at a multiple of so many keys, those not yet written masked
READ_AT_ONCE = 256  # tokens of a beginning that are read in one pass
WORTH_THREADS = 1_000_000  # products of an attention that are worth a second thread
UNSEEN = np.float32(-1e9)


class LiteWeights:
    """A model's products, compiled, and its embeddings. `precision` is float32 or int8."""

    def __init__(self, model: Model, precision: str) -> None:
        self._model, self.precision = model, precision
        self._compile()

    def refresh(self) -> None:
        """Compile again what training has changed."""
        if self.version != self._model.version:
            self._compile()

    def _compile(self) -> None:
        self.version = self._model.version
        self.positions = self._array("model/wpe")
        with quietly(), ThreadPoolExecutor(device.cores()) as pool:
            last = pool.submit(self._last)  # takes the longest, so it begins first
            self.first, *self.between = pool.map(self._program, range(self._model.config.n_layer))
            self.tokens, self.last = last.result()

    def _array(self, name: str) -> Floats:
        array: Floats = np.asarray(self._model.merged(name))
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


class LiteDecoder(Decoder):
    """Decodes with `LiteWeights`; see `Decoder`."""

    def __init__(self, model: Model, batch_size: int, slots: int, weights: LiteWeights) -> None:
        super().__init__(model.config, batch_size, slots)
        self._weights = weights
        # Memory is taken as rows grow: what the system hands out as zeros is not there until then.
        # Zeros they must be, since no odds make nothing of what is no number.
        n_layer, n_head, head_dim = self.config.n_layer, self.config.n_head, self.config.head_dim
        shape = (n_layer, batch_size, n_head, _in_blocks(slots), head_dim)
        self._keys, self._values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._last_read: _Beginning | None = None

    @property
    def weights(self) -> LiteWeights:
        return self._weights

    def _read(self, row: int, ids: Sequence[int], done: int, at_most: int | None) -> int:
        reading = _Beginning(row, self._weights.version, tuple(ids))
        if not done:
            before, self._last_read = self._last_read, None
            if before is not None and before[1:] == reading[1:]:
                if before.row != row:
                    for cache in (self._keys, self._values):
                        cache[:, row, :, : len(ids)] = cache[:, before.row, :, : len(ids)]
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
        used = _in_blocks(start + time)
        positions = np.arange(start, start + time)
        # (1, 1, time, used): each token sees those before it, and itself
        unseen = np.where(np.arange(used) > positions[:, None], UNSEEN, np.float32(0))[None, None]
        x = self._weights.tokens[ids] + self._weights.positions[positions]  # (time, n_embd)
        (parts,) = self._weights.first(x)
        for layer, program in enumerate([*self._weights.between, None]):
            # 3 of (1, head, time, head_dim)
            query, key, value = parts.reshape(1, time, 3, n_head, -1).transpose(2, 0, 3, 1, 4)
            place = slice(row, row + 1)
            self._keys[layer, place, :, start : start + time] = key
            self._values[layer, place, :, start : start + time] = value
            if program is not None:  # after the last keys and values nothing more is needed
                mixed = self._attend(layer, place, query, used, unseen)
                mixed = mixed.transpose(0, 2, 1, 3).reshape(time, -1)
                x, parts = program(x, mixed)

    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        batch, rows = len(ids), np.arange(len(ids))
        read = self._last_read
        if read is not None and read.row < batch and positions[read.row] < len(read.ids):
            self._last_read = None  # another text begins in that row
        used = _in_blocks(int(positions.max()) + 1)
        # (batch, 1, 1, used)
        unseen = np.where(np.arange(used) > positions[:, None], UNSEEN, np.float32(0))[
            :, None, None
        ]
        x = self._weights.tokens[ids] + self._weights.positions[positions]  # (batch, n_embd)
        (parts,) = self._weights.first(x)
        for layer, program in enumerate([*self._weights.between, self._weights.last]):
            # 3 of (batch, head, head_dim)
            query, key, value = parts.reshape(batch, 3, self.config.n_head, -1).swapaxes(0, 1)
            self._keys[layer, rows, :, positions] = key
            self._values[layer, rows, :, positions] = value
            mixed = self._attend(layer, slice(batch), query[:, :, None], used, unseen)
            *rest, parts = program(x, mixed.reshape(batch, -1))
            x = rest[0] if rest else x
        return parts

    def _attend(self, layer: int, rows: slice, query: Floats, used: int, unseen: Floats) -> Floats:
        """query (rows, head, time, head_dim) over the first `used` keys -> the same shape."""
        count, n_head, time, head_dim = query.shape
        # A row and a head in one: (rows * head, used, head_dim), so that threads share them evenly
        keys, values = (
            cache[layer, rows].reshape(count * n_head, -1, head_dim)[:, :used]
            for cache in (self._keys, self._values)
        )
        query = query.reshape(count * n_head, time, head_dim) * np.float32(head_dim**-0.5)
        unseen = np.broadcast_to(unseen, (count, n_head, *unseen.shape[2:]))
        unseen = unseen.reshape(count * n_head, -1, used)
        mixed = np.empty_like(query)

        def attend(part: slice) -> None:
            mixed[part] = _attended(query[part], keys[part], values[part], unseen[part])

        _in_parts(attend, len(query), work=query.size * used)
        return mixed.reshape(count, n_head, time, head_dim)


def _attended(query: Floats, keys: Floats, values: Floats, unseen: Floats) -> Floats:
    """Attention of query (n, time, head_dim) over keys and values (n, used, head_dim)."""
    odds = np.matmul(query, keys.swapaxes(1, 2))
    odds += unseen  # (n, time, used)
    odds -= odds.max(axis=-1, keepdims=True)
    np.exp(odds, out=odds)
    mixed = np.matmul(odds, values)
    # Block by block, so that the order does not depend on how many zeros follow.
    blocks = odds.reshape(*odds.shape[:2], -1, KEYS_AT_ONCE)
    mixed /= np.add.reduce(blocks.transpose(2, 0, 1, 3)).sum(axis=-1, keepdims=True)
    return mixed


def _in_parts(function: Callable[[slice], None], count: int, work: int) -> None:
    """Call `function` for all of `count`, in as many parts as there are cores where the `work`
    (products) is worth waking them."""
    parts = min(count, device.cores()) if work >= WORTH_THREADS else 1
    bounds = [count * part // parts for part in range(parts + 1)]
    slices = [slice(first, last) for first, last in itertools.pairwise(bounds)]
    others = [_threads().submit(function, part) for part in slices[1:]]
    function(slices[0])
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, device.cores() - 1), thread_name_prefix="attention")


def _in_blocks(tokens: int) -> int:
    return math.ceil(tokens / KEYS_AT_ONCE) * KEYS_AT_ONCE
