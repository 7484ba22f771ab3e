"""The compiled decoder on a CPU: the texts of the decoder that TensorFlow runs as a graph."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig, SamplingConfig
from gpt2_helpers.errors import OutOfMemoryError
from gpt2_helpers.generation import decoders, xla_decoder
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.generate import generate
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.generation.sampling import sample_next_tokens_by_row
from gpt2_helpers.generation.tf_decoder import TfDecoder, TfWeights
from gpt2_helpers.generation.xla_decoder import XlaDecoder
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.system import xla
from gpt2_helpers.tokenizer import Tokenizer
from scripted import context_sensitive_toy, results_of
from toy import toy_model

PROMPTS = ["", "What is the best", "the", "How would people in the end have that thing ever?"]


@pytest.fixture(autouse=True, scope="module")
def _without_tflite() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "runs_on_tflite", lambda _: False)
        yield


@pytest.fixture(autouse=True)
def _undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xla, "_failed", [])


class Pools:
    """A pool of graphs and a pool of compiled decoders of one model."""

    def __init__(self, model: GPT2) -> None:
        self.graph, self.compiled = DecoderPool(model), DecoderPool(model)

    def get(self, *arguments: Any) -> tuple[Decoder, Decoder]:
        """A decoder of each pool."""
        graph = self.graph.get(*arguments)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(xla.VARIABLE, "1")
            compiled = self.compiled.get(*arguments)
        assert isinstance(graph, TfDecoder)
        assert isinstance(compiled, XlaDecoder)
        return graph, compiled


@pytest.fixture(scope="module")
def pools() -> Pools:
    """Of a model whose context of 16 tokens the texts outgrow."""
    return Pools(cast("GPT2", context_sensitive_toy().model))


# --- Texts


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"temperature": 0.8},
        {"top_k": 40},
        {"top_p": 0.9, "nsamples": 2},  # more texts than rows: rows are used again
        {"min_p": 0.05},
        {"typical_p": 0.8},
        {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "top_k": 30},
        {"logit_bias": {" the": 3.0}, "banned_words": ["a"]},
        {"choices": [" the best", " the end", " people"]},
        {"best_of": 3, "top_k": 10},
        {"truncate": "e"},
    ],
    ids=str,
)
def test_texts_equal_those_of_the_graph(pools: Pools, options: dict[str, Any]) -> None:
    options = {"length": 60, "seed": 7, "batch_size": 4, **options}
    pools.get(4, 61, "float32")
    graph, compiled = (
        results_of(pool, PROMPTS, **options) for pool in (pools.graph, pools.compiled)
    )
    assert [dataclasses.replace(result, logprob=None, tokens=()) for result in compiled] == [
        dataclasses.replace(result, logprob=None, tokens=()) for result in graph
    ]
    for ours, expected in zip(compiled, graph, strict=True):
        assert ours.logprob == (
            None if expected.logprob is None else pytest.approx(expected.logprob, abs=1e-3)
        )
    assert isinstance(next(iter(pools.compiled._decoders.values())), XlaDecoder)


def test_texts_of_the_bundled_model_equal_those_of_the_graph() -> None:
    pools, tokenizer = Pools(load_model(BUNDLED_FOLDER)), Tokenizer.load(BUNDLED_FOLDER)
    pools.get(4, 41, "float32")
    prompts = ["", "It was", "The old house on the hill had been empty for years, and", "“Well,”"]
    choices: list[dict[str, Any]] = [{"top_k": 40}, {"top_p": 0.9}, {"temperature": 0.0}, {}]
    for options in choices:
        config = SamplingConfig(**{"length": 40, "batch_size": 4, "seed": 3, **options})
        graph, compiled = (
            [result.text for result in in_order(generate(pool, tokenizer, prompts, config))]
            for pool in (pools.graph, pools.compiled)
        )
        assert compiled == graph
        assert len(set(graph)) == 4


# --- Steps


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float16", 0.02)])
def test_1024_slots_and_a_ring_that_wraps(precision: str, tolerance: float) -> None:
    shape = ModelConfig(n_vocab=300, n_ctx=1024, n_embd=16, n_head=2, n_layer=1)
    model = toy_model(shape)
    text = np.random.default_rng(3).integers(0, shape.n_vocab, (1, shape.n_ctx))
    expected = model.logits(text).numpy()[0]
    weights = TfWeights(model, tf.as_dtype(precision))
    decoder = XlaDecoder(model, 3, shape.n_ctx, weights)
    decoder._clock = 10 * shape.n_ctx - 8  # as if it had decoded ten contexts
    starts = np.array([3, 300, 1000])
    for row, start in enumerate(starts):
        decoder.prefill(row, text[0, :start].tolist())
    for step in range(24):  # the last one is the end of the context of the third row
        positions = starts + step
        logits = decoder.logits(text[0, positions].astype(np.int32), positions.astype(np.int32))
        np.testing.assert_allclose(logits, expected[positions], rtol=0, atol=tolerance)
    # A row starts over while the others continue, in the slots that it has used before.
    decoder.prefill(2, text[0, :2].tolist())
    positions = np.array([27, 324, 2])
    logits = decoder.logits(text[0, positions].astype(np.int32), positions.astype(np.int32))
    np.testing.assert_allclose(logits, expected[positions], rtol=0, atol=tolerance)
    assert sorted(decoder._stores) == [64, 1024]


def test_logits_in_half_precision_are_not_rounded_to_it() -> None:
    model = toy_model(ModelConfig(n_vocab=300, n_ctx=16, n_embd=16, n_head=2, n_layer=1))
    decoder = XlaDecoder(model, 1, 16, TfWeights(model, tf.bfloat16))
    logits = decoder.logits(np.array([5], np.int32), np.array([0], np.int32))
    assert logits.dtype == np.float32
    rounded = tf.cast(tf.cast(logits, tf.bfloat16), tf.float32).numpy()
    assert (rounded != logits).mean() > 0.9


def test_only_rows_that_need_it_are_sampled_from_their_logits(
    pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, decoder = pools.get(4, 61, "float32")
    sampled: list[int] = []

    def spy(logits: np.ndarray, *rest: Any) -> np.ndarray:
        sampled.append(len(logits))
        return sample_next_tokens_by_row(logits, *rest)

    monkeypatch.setattr(xla_decoder, "sample_next_tokens_by_row", spy)
    ids, start = np.arange(4, dtype=np.int32), np.zeros(4, np.int32)
    uniform = np.full(4, 0.4, np.float32)
    plain, typical = SamplingConfig(top_k=40), SamplingConfig(typical_p=0.5)
    decoder.step(ids, start, uniform, [plain] * 4)
    assert not sampled
    flat = SamplingConfig(temperature=100.0, top_p=0.9)  # needs more than 128 candidates

    def only_three(logits: np.ndarray) -> None:
        logits[np.arange(len(logits)) != 3] = -np.inf

    chosen = decoder.step(ids, start, uniform, [plain, plain, typical, flat], {0: only_three})
    assert sampled == [3]
    assert chosen[0] == 3


def test_the_program_updates_the_buffers_in_place(pools: Pools) -> None:
    _, decoder = pools.get(4, 61, "float32")
    assert isinstance(decoder, XlaDecoder)
    buffers = [*decoder._keys, *decoder._values]
    before = [buffer.numpy() for buffer in buffers]
    slot = decoder._clock % decoder.capacity
    decoder.logits(np.zeros(4, np.int32), np.zeros(4, np.int32))
    for buffer, old in zip(buffers, before, strict=True):
        changed = np.flatnonzero((buffer.numpy() != old).any(axis=(0, 1, 3)))
        assert changed.tolist() == [slot]


# --- Where XLA cannot compile


def test_the_graph_is_used_where_xla_cannot_compile_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempts = []

    def cannot(*arguments: Any) -> None:
        attempts.append(arguments)
        raise tf.errors.InternalError(None, None, "libdevice not found at ./libdevice.10.bc")

    monkeypatch.setenv(xla.VARIABLE, "1")
    monkeypatch.setattr(xla_decoder, "XlaDecoder", cannot)
    pool = context_sensitive_toy()
    with pytest.warns(UserWarning, match="XLA cannot compile here .libdevice not found"):
        assert isinstance(pool.get(1, 16, "float32"), TfDecoder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(pool.get(2, 16, "float32"), TfDecoder)
        assert len(results_of(pool, "What", length=20)) == 1
    assert len(attempts) == 1


def test_a_decoder_that_does_not_fit_in_memory_is_no_reason_to_use_the_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setenv(xla.VARIABLE, "1")
    monkeypatch.setattr(xla_decoder, "XlaDecoder", full)
    with pytest.raises(OutOfMemoryError, match="with batch_size=1 and length=20: lower one"):
        results_of(context_sensitive_toy(), "What", length=20)
    assert xla.is_enabled()


def test_on_a_cpu_nothing_is_compiled_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(xla.VARIABLE, raising=False)
    assert isinstance(context_sensitive_toy().get(1, 16, "float16"), TfDecoder)
