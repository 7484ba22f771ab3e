"""Generation that follows a script of token ids, and a toy model, for tests of generation."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from gpt2_helpers.config import ModelConfig, SamplingConfig
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate, stream
from gpt2_helpers.generation.result import GenerationResult, in_order
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import Tokenizer
from toy import toy_model, toy_tokenizer

TOKENIZER = toy_tokenizer()
END = TOKENIZER.end_of_text
CONFIG = ModelConfig(n_vocab=TOKENIZER.n_vocab, n_ctx=16, n_embd=16, n_head=2, n_layer=2)


def context_sensitive_toy() -> DecoderPool:
    """A toy model whose likeliest texts depend on all ids in its context and on their positions."""
    model = toy_model(CONFIG, seed=4, scale=12.0)
    model.variables["model/wpe"].assign(8.0 * model.variables["model/wpe"])
    return DecoderPool(model)


@lru_cache
def scripted_model() -> GPT2:
    """The model that a script stands in for; every script fits in its context."""
    return toy_model(ModelConfig(n_vocab=4, n_ctx=1000, n_embd=2, n_head=1, n_layer=1))


class Script(DecoderPool):
    """A pool with one decoder, which gives each new sequence the next of `texts`, lists of ids.

    After its last id a sequence continues with `x` forever.
    """

    def __init__(self, texts: Iterable[abc.Sequence[int]], model: GPT2 | None = None) -> None:
        super().__init__(model or scripted_model())
        self._texts = iter(texts)
        self._rows: dict[int, Iterator[int]] = {}
        self.config, self.batch_size = self.model.config, 0
        self.in_use = False
        self.steps = 0
        self.rows_per_step: set[int] = set()
        self.prefilled: list[tuple[int, ...]] = []
        self.precisions: list[str] = []

    def get(self, batch_size: int, length: int, precision: str) -> Any:
        self.batch_size = batch_size
        self.precisions.append(precision)
        return self

    def prefill_chunk(self, row: int, ids: abc.Sequence[int], *_: Any) -> int:
        self.prefilled.append(tuple(ids))
        self._rows[row] = iter(next(self._texts))
        return len(ids)

    def idle_position(self, row: int) -> int:
        return 0

    def step(self, ids: np.ndarray, *_: Any) -> np.ndarray:
        self.steps += 1
        self.rows_per_step.add(len(ids))
        x = TOKENIZER.encode("x")[0]
        rows = [self._rows.get(row, iter(())) for row in range(len(ids))]
        return np.array([next(row, x) for row in rows], np.int32)


def scripted(*texts: str | bytes | abc.Sequence[int]) -> Script:
    """A script of texts, each given as text, as bytes with an id for each, or as ids."""
    return Script(ids_of(text) for text in texts)


def ids_of(text: str | bytes | abc.Sequence[int]) -> list[int]:
    """The ids of a text; bytes are given one id each."""
    return TOKENIZER.encode(text, special=True) if isinstance(text, str) else list(text)


def options(**changes: Any) -> SamplingConfig:
    return SamplingConfig(**{"length": 60, "temperature": 1.0, **changes})


def results_of(
    decoders: DecoderPool,
    prompts: str | abc.Sequence[str] = "",
    tokenizer: Tokenizer = TOKENIZER,
    **changes: Any,
) -> list[GenerationResult]:
    """All results in order."""
    return list(in_order(generate(decoders, tokenizer, prompts, options(**changes))))


def texts_of(
    decoders: DecoderPool, prompts: str | abc.Sequence[str] = "", **changes: Any
) -> list[str]:
    return [result.text for result in results_of(decoders, prompts, **changes)]


def result_of(decoders: DecoderPool, prompt: str = "", **changes: Any) -> GenerationResult:
    (result,) = results_of(decoders, prompt, **changes)
    return result


def text_of(decoders: DecoderPool, prompt: str = "", **changes: Any) -> str:
    return result_of(decoders, prompt, **changes).text


def chunks_of(
    decoders: DecoderPool, prompts: str | abc.Sequence[str] = "", **changes: Any
) -> dict[int, list[str]]:
    """The chunks of each text, after checking that joined they are the text."""
    found: dict[int, list[str]] = {}
    for chunk in stream(decoders, TOKENIZER, prompts, options(**changes)):
        found.setdefault(chunk.index, []).append(chunk.text)
        if chunk.result is not None:
            assert chunk.result.index == chunk.index
            assert "".join(found[chunk.index]) == chunk.result.text
    return found
