"""Decoding on a CPU: matmuls as TensorFlow Lite programs, attention in NumPy (`kv_cache`).

Ids in, logits out. A row's logits do not depend on the other rows, not even in the last bit: the
matmuls are of integers, or summed in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.generation import prompt_attention
from gpt2_helpers.generation.decoder import (
    PREFILL_CHUNK,
    Decoder,
    LogProbabilities,
    Model,
)
from gpt2_helpers.generation.kv_cache import KeyValueCache, additive_mask
from gpt2_helpers.generation.prefix_cache import PrefixCache, PrefixRows
from gpt2_helpers.generation.prompt_attention import PromptAttention
from gpt2_helpers.generation.sampling import likeliest
from gpt2_helpers.generation.tflite import Builder, Program
from gpt2_helpers.model.variables import LAYER_NORM_EPSILON
from gpt2_helpers.system import device
from gpt2_helpers.system.tensorflow_setup import suppress_stderr
from gpt2_helpers.system.threads import parallel_for
from gpt2_helpers.types import Floats, Ids

SCORE_TOKENS = 256  # tokens that are scored in one pass
LOGIT_TOKENS = 64  # tokens whose logits are in memory at a time
MIN_PARALLEL_LOGITS = 200_000  # smallest size at which a second thread speeds up the softmax


class TfliteWeights:
    """The model's matmuls as compiled programs, and its embeddings.

    Attributes:
        precision: float32 or int8.
        positions: Position embeddings (n_ctx, n_embd).
        tokens: Token embeddings (n_vocab, n_embd).
        attention: The attention of several tokens.
        first: The program before the first attention.
        between: The programs between two attentions.
        last: The program after the last attention, which ends with the logits.
        prefixes: The prompts whose keys and values were computed with them.
        version: The model's version that they were compiled from.
    """

    def __init__(self, model: Model, precision: str) -> None:
        self._model, self.precision = model, precision
        self.prefixes = PrefixCache()
        with suppress_stderr():  # a process's first program prints which kernels it uses
            self.attention = PromptAttention(model.config.head_dim, device.cores())
        self._compile()

    def refresh(self) -> bool:
        """Compile the programs again if the weights have changed; see `Weights`."""
        if self.version != self._model.version:
            self._compile()
        return True

    def log_probabilities(self, ids: Ids, top: int = 0) -> Iterator[LogProbabilities]:
        """See `Weights`."""
        top = min(top, len(self.tokens))
        batch, time = len(ids), ids.shape[1] - 1
        cache = KeyValueCache(self._model.config, batch, time)
        part = max(1, SCORE_TOKENS // batch)
        for start in range(0, time, part):
            positions = np.arange(start, min(time, start + part))
            x, attended = self.read_tokens(cache, slice(0, batch), ids[:, positions], positions)
            targets = ids[:, positions + 1].reshape(-1)
            parts = []
            for first in range(0, len(targets), LOGIT_TOKENS):
                rows = slice(first, first + LOGIT_TOKENS)
                (logits,) = self.last(x[rows], attended[rows])
                parts.append(_log_softmax_at(logits, targets[rows], top))
            found = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            yield LogProbabilities(
                *(array.reshape(batch, len(positions), *array.shape[1:]) for array in found)
            )

    def read_tokens(
        self,
        cache: KeyValueCache,
        rows: slice,
        ids: Ids,
        positions: NDArray[Any],
        attend_last: bool = True,
    ) -> tuple[Floats, Floats]:
        """Compute several tokens for each of some rows, and store their keys and values.

        Args:
            cache: Has the keys and values of the tokens before; those of `ids` are added.
            rows: The rows of the cache.
            ids: Token ids (row, time).
            positions: Their positions (time).
            attend_last: Whether the result is needed, else the last attention is left out.

        Returns:
            The inputs of `last`, (row * time, n_embd) each.
        """
        batch, time = ids.shape
        n_head, head_dim = self._model.config.n_head, self._model.config.head_dim
        mask = additive_mask(positions, prompt_attention.KEY_BLOCK)  # (time, keys)
        cache_rows = np.repeat(np.arange(rows.start, rows.stop), time)
        steps = np.tile(positions, batch)
        x = self.tokens[ids.reshape(-1)] + self.positions[steps]  # (row * time, n_embd)
        attended = x  # replaced unless there is one layer without attention
        (qkv,) = self.first(x)
        for layer, program in enumerate([*self.between, None]):
            qkv = qkv.reshape(batch * time, 3, n_head, head_dim)
            cache.store(layer, cache_rows, steps, qkv[:, 1:])
            if program is None and not attend_last:
                break
            query = qkv[:, 0].reshape(batch, time, n_head, head_dim).swapaxes(1, 2)
            query = query.reshape(batch * n_head, time, head_dim)
            attended = self.attention(query, *cache.read(layer, rows, mask.shape[-1]), mask)
            attended = attended.reshape(batch, n_head, time, head_dim).swapaxes(1, 2)
            attended = attended.reshape(batch * time, -1)
            if program is not None:
                x, qkv = program(x, attended)
        return x, attended

    def _compile(self) -> None:
        version = self._model.version
        with suppress_stderr(), ThreadPoolExecutor(device.cores()) as pool:
            future = pool.submit(self._last_program)  # takes the longest, so it starts first
            first, *between = pool.map(self._program, range(self._model.config.n_layer))
            tokens, last = future.result()
        self.prefixes.clear()
        # Assigned together, the version last, so that an interrupted compilation is repeated.
        self.positions, self.tokens = self._array("model/wpe"), tokens
        self.first, self.between, self.last = first, between, last
        self.version = version

    def share_embeddings(self, other: TfliteWeights) -> None:
        """Use the embeddings of another model if they are equal."""
        if np.array_equal(self.tokens, other.tokens):
            self.tokens = other.tokens
        if np.array_equal(self.positions, other.positions):
            self.positions = other.positions

    def _array(self, name: str) -> Floats:
        array: Floats = np.asarray(self._model.effective_weight(name))
        return array

    def _last_program(self) -> tuple[Floats, Program]:
        """The token embeddings, and the program after the last attention, which multiplies with
        them."""
        tokens = self._array("model/wte")
        return tokens, self._program(self._model.config.n_layer, tokens)

    def _program(self, number: int, tokens: Floats | None = None) -> Program:
        """The matmuls between two attentions: the rest of layer `number` - 1, and the start of
        layer `number`.

        The first program takes embeddings alone. The last one is given the token embeddings and
        returns logits.

        x, attention's output (rows, n_embd) -> x (rows, n_embd), query key value (rows, 3 n_embd)
        """
        width = self._model.config.n_embd
        build = Builder(self.precision)
        x = build.input(width)
        inputs = [x]
        if number:
            attended = build.input(width)
            inputs.append(attended)
            layer = f"model/h{number - 1}"
            x = build.add(x, self._linear(build, attended, f"{layer}/attn/c_proj"))
            hidden = self._linear(build, self._norm(build, x, f"{layer}/ln_2"), f"{layer}/mlp/c_fc")
            x = build.add(x, self._linear(build, build.gelu(hidden), f"{layer}/mlp/c_proj"))
        if tokens is not None:
            logits = build.dense(self._norm(build, x, "model/ln_f"), tokens)
            return build.program(inputs, [logits], device.cores())
        layer = f"model/h{number}"
        qkv = self._linear(build, self._norm(build, x, f"{layer}/ln_1"), f"{layer}/attn/c_attn")
        outputs = [x, qkv] if number else [qkv]
        return build.program(inputs, outputs, device.cores())

    def _linear(self, build: Builder, x: int, name: str) -> int:
        matrix = self._array(f"{name}/w")[0].T  # OpenAI's is (1, n_in, n_out)
        return build.dense(x, matrix, self._array(f"{name}/b"))

    def _norm(self, build: Builder, x: int, name: str) -> int:
        gain, bias = self._array(f"{name}/g"), self._array(f"{name}/b")
        return build.layer_norm(x, gain, bias, LAYER_NORM_EPSILON)


class TfliteDecoder(Decoder):
    """Decodes with `TfliteWeights`; see `Decoder`."""

    def __init__(
        self, model: Model, batch_size: int, capacity: int, weights: TfliteWeights
    ) -> None:
        super().__init__(model.config, batch_size, capacity)
        self._weights = weights
        self._cache = KeyValueCache(self.config, batch_size, capacity)
        self._prefixes = PrefixRows(self._cache, weights.prefixes)

    @property
    def weights(self) -> TfliteWeights:
        return self._weights

    def _prefill_chunk(
        self, row: int, ids: Sequence[int], start: int, max_tokens: int | None
    ) -> int:
        if not start:
            start = self._prefixes.start(row, ids)
        end = min(len(ids), start + min(PREFILL_CHUNK, max_tokens or PREFILL_CHUNK))
        if end > start:
            part, positions = np.array([ids[start:end]]), np.arange(start, end)
            self._weights.read_tokens(self._cache, slice(row, row + 1), part, positions, False)
        self._prefixes.set(row, ids[:end])
        return end

    def idle_position(self, row: int) -> int:
        return len(self._prefixes[row].ids)

    def _logits(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> Floats:
        batch, rows = len(ids), np.arange(len(ids))
        self._prefixes.cut(positions)
        n_head = self.config.n_head
        mask = additive_mask(positions[:, None])  # (row, 1, keys)
        mask = np.repeat(mask, n_head, axis=0)  # (row * head, 1, keys)
        x = self._weights.tokens[ids] + self._weights.positions[positions]  # (batch, n_embd)
        (qkv,) = self._weights.first(x)
        for layer, program in enumerate([*self._weights.between, self._weights.last]):
            qkv = qkv.reshape(batch, 3, n_head, -1)
            self._cache.store(layer, rows, positions, qkv[:, 1:])
            attended = self._cache.attend(layer, qkv[:, 0], mask)  # (batch, head, head_dim)
            *rest, qkv = program(x, attended.reshape(batch, -1))
            x = rest[0] if rest else x
        return qkv  # of the last program: the logits


def _log_softmax_at(logits: Floats, targets: NDArray[Any], top: int) -> LogProbabilities:
    """The log-probability of each row's target (rows), and the `top` likeliest ids with theirs
    (rows, top); overwrites logits (rows, n_vocab)."""
    found = LogProbabilities(
        np.empty(len(targets), np.float32),
        np.empty((len(targets), top), np.int32),
        np.empty((len(targets), top), np.float32),
    )

    def compute(part: slice) -> None:
        for row in range(part.start, part.stop):  # a row fits in a CPU cache, all of them do not
            numbers = logits[row]
            numbers -= numbers.max()
            chosen = numbers[targets[row]]
            if top:
                found.top[row], found.top_ids[row] = likeliest(numbers, top)
            normalizer = np.log(np.exp(numbers, out=numbers).sum(dtype=np.float64))
            found.targets[row] = chosen - normalizer
            if top:
                found.top[row] -= normalizer

    parallel_for(compute, len(targets), worth_threads=logits.size >= MIN_PARALLEL_LOGITS)
    return found
