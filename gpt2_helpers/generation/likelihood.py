"""How likely generated texts are, and choosing the most likely of several candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult, TokenLogprob
from gpt2_helpers.generation.sampling import likeliest
from gpt2_helpers.types import Floats


class LogProbability:
    """Records the log-probabilities that the model gives to generated tokens; changes no logits.

    It comes before other `LogitsProcessor`s, so the probabilities are those of the model itself,
    at temperature 1.

    Args:
        top: How many of the likeliest tokens to record in the place of each token.

    Attributes:
        total: The log-probability of all tokens so far.
        tokens: The tokens so far.
    """

    def __init__(self, top: int = 0) -> None:
        self.total = 0.0
        self.tokens: list[TokenLogprob] = []
        self._top = top
        self._logits: Floats | None = None

    def append(self, token: int) -> None:
        assert self._logits is not None
        logits = self._logits.astype(np.float64)
        highest = logits.max()
        normalizer = highest + np.log(np.exp(logits - highest).sum())
        logprob = float(logits[token] - normalizer)
        self.total += logprob
        top: tuple[tuple[int, float], ...] = ()
        if self._top:
            values, ids = likeliest(logits - normalizer, min(self._top, len(logits)))
            top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        self.tokens.append(TokenLogprob(token, logprob, top))

    def apply(self, logits: Floats) -> None:
        self._logits = logits.copy()


class BestOf:
    """Collects the candidates of one prompt, and passes on the `nsamples` most likely ones.

    Args:
        config: The sampling options.
        first: The index of the first text that is passed on.
    """

    def __init__(self, config: SamplingConfig, first: int = 0) -> None:
        self._config, self._first = config, first
        self._results: list[GenerationResult] = []

    def add(self, chunk: GenerationChunk) -> list[GenerationChunk]:
        """Add a chunk of a candidate. With the last candidate, return whole texts, the most likely
        one first; else nothing."""
        if chunk.result is not None:
            self._results.append(chunk.result)
        if chunk.result is None or len(self._results) < self._config.n_candidates:
            return []
        ranked = sorted(self._results, key=lambda result: (-self._score(result), result.index))
        return [
            GenerationChunk(index, result.text, replace(result, index=index))
            for index, result in enumerate(ranked[: self._config.nsamples], self._first)
        ]

    def _score(self, result: GenerationResult) -> float:
        assert result.logprob is not None
        is_mean = self._config.best_of_by == "mean"
        return result.logprob / max(1, result.n_tokens) if is_mean else result.logprob
