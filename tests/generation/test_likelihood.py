"""Log-probabilities of texts, and the most likely of several candidates."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.batch import ContinuousBatch, Sequence
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.likelihood import BestOf, LogProbability
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from scripted import CONFIG, TOKENIZER, chunks_of, context_sensitive_toy, results_of

OPTIONS: dict[str, Any] = {"length": CONFIG.n_ctx, "seed": 3, "top_k": 8, "repetition_penalty": 1.3}


@pytest.fixture(scope="module")
def toy() -> DecoderPool:
    return context_sensitive_toy()


def test_log_probabilities_are_those_of_the_model(toy: DecoderPool) -> None:
    config = SamplingConfig(**OPTIONS, temperature=2.0, best_of=1)
    sequence = Sequence(0, "What", TOKENIZER.encode("What"), config, 3, 0)
    batch = ContinuousBatch(toy.get(1, CONFIG.n_ctx, "float32"), TOKENIZER)
    batch.add(sequence)
    while batch.n_active:
        batch.prefill()
        chunks = list(batch.step())
    batch.close()
    result = chunks[-1].result
    assert result is not None
    assert result.n_tokens > 3
    decoder, total = toy.get(1, CONFIG.n_ctx, "float32"), 0.0
    start = len(TOKENIZER.encode("What"))
    for position, (token, following) in enumerate(itertools.pairwise(sequence.ids)):
        inputs = np.array([token], np.int32), np.array([position], np.int32)
        logits = decoder.logits(*inputs)[0].astype(np.float64)
        if position + 1 >= start:
            total += logits[following] - np.log(np.exp(logits).sum())
    assert result.logprob == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("best_of_by", ["mean", "total"])
def test_the_most_likely_candidates_are_kept(toy: DecoderPool, best_of_by: str) -> None:
    prompts = ["What", "How is"]
    plain = results_of(toy, prompts, nsamples=6, batch_size=4, **OPTIONS)
    shared: dict[str, Any] = {"best_of": 6, "best_of_by": best_of_by, "batch_size": 5, **OPTIONS}
    ranked = results_of(toy, prompts, nsamples=6, **shared)
    assert sorted(result.text for result in ranked) == sorted(result.text for result in plain)
    kept = results_of(toy, prompts, nsamples=2, **shared)
    assert [result.index for result in kept] == [0, 1, 2, 3]
    assert [result.text for result in kept] == [ranked[n].text for n in (0, 1, 6, 7)]
    for first in (0, 6):
        scores = []
        for result in ranked[first : first + 6]:
            assert result.logprob is not None
            divisor = result.n_tokens if best_of_by == "mean" else 1
            scores.append(result.logprob / divisor)
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) > 2


def test_candidates_are_streamed_when_all_are_complete(toy: DecoderPool) -> None:
    chunks = chunks_of(toy, "What", nsamples=2, best_of=4, batch_size=2, **OPTIONS)
    assert {index: len(texts) for index, texts in chunks.items()} == {0: 1, 1: 1}


def test_texts_have_no_log_probability_by_default(toy: DecoderPool) -> None:
    (result,) = results_of(toy, "What", **OPTIONS)
    assert result.logprob is None


def test_equally_likely_candidates_keep_their_order() -> None:
    best = BestOf(SamplingConfig(nsamples=2, best_of=3), first=4)
    results = [GenerationResult(str(n), "", n, 2, "stop", -1.0) for n in (2, 0, 1)]
    chunks = [best.add(GenerationChunk(result.index, "", result)) for result in results]
    assert chunks[:2] == [[], []]
    assert [(chunk.index, chunk.text) for chunk in chunks[2]] == [(4, "0"), (5, "1")]


def test_logits_are_unchanged() -> None:
    logits = np.array([1.0, -np.inf, 2.0], np.float32)
    counted = LogProbability()
    counted.apply(logits)
    assert logits.tolist() == [1.0, -np.inf, 2.0]
    counted.append(0)
    assert counted.total == pytest.approx(1 - np.log(np.exp(1) + np.exp(2)))


def test_fewer_candidates_than_texts_are_an_error() -> None:
    with pytest.raises(OptionError, match="best_of must be 0 or at least nsamples=3, got 2"):
        SamplingConfig(nsamples=3, best_of=2)
