"""Prompts start from what earlier prompts have in common with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from decoding import CONFIG, change_weights
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.generation import prefix_cache
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.kv_cache import KeyValueCache
from gpt2_helpers.generation.prefix_cache import KEPT_ROWS, PrefixCache, PrefixRows
from gpt2_helpers.generation.tflite_decoder import TfliteDecoder, TfliteWeights
from gpt2_helpers.types import Floats, Ids
from scripted import context_sensitive_toy, texts_of
from toy import toy_model

SHAPE = ModelConfig(n_vocab=48, n_ctx=64, n_embd=32, n_head=2, n_layer=2)
RANDOM = np.random.default_rng(1)
# Ids below 8 are left for what follows them.
FIRST, SECOND, THIRD = RANDOM.integers(8, SHAPE.n_vocab, (3, 40)).tolist()


@pytest.fixture(scope="module")
def pool() -> DecoderPool:
    return DecoderPool(toy_model(SHAPE))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids that prefill computes from now on."""
    found: list[int] = []
    compute = TfliteWeights.read_tokens

    def record(
        self: TfliteWeights, cache: KeyValueCache, rows: slice, ids: Ids, *rest: Any
    ) -> tuple[Floats, Floats]:
        found.extend(ids.ravel().tolist())
        return compute(self, cache, rows, ids, *rest)

    monkeypatch.setattr(TfliteWeights, "read_tokens", record)
    return found


def decoder_of(pool: DecoderPool, batch_size: int = 1, length: int = SHAPE.n_ctx) -> TfliteDecoder:
    """A decoder that knows no prompt."""
    decoder = pool.get(batch_size, length, "int8")
    assert isinstance(decoder, TfliteDecoder)
    decoder.weights.prefixes.clear()
    return decoder


def logits(decoder: TfliteDecoder, row: int, position: int) -> np.ndarray:
    """The logits after id 7 at `position` of a row, whose other rows stay idle."""
    positions = np.array([decoder.idle_position(each) for each in range(decoder.batch_size)])
    positions[row] = position
    ids = np.full(decoder.batch_size, 7, np.int32)
    return decoder.logits(ids, positions.astype(np.int32))[row]


def test_only_what_is_new_is_computed(pool: DecoderPool, computed: list[int]) -> None:
    decoder = decoder_of(pool)
    typed = [*FIRST[:20], 1, 2]
    decoder.prefill(0, FIRST[:20])
    decoder.prefill(0, typed)
    decoder.prefill(0, [*FIRST[:20], 1, 3, 4])
    decoder.prefill(0, FIRST[:9])
    decoder.prefill(0, FIRST[:12])
    assert computed == [*FIRST[:20], 1, 2, 3, 4, *FIRST[9:12]]
    again = logits(decoder, 0, 12)
    decoder.weights.prefixes.clear()
    decoder.prefill(0, FIRST[:12])
    np.testing.assert_array_equal(logits(decoder, 0, 12), again)


def test_rows_and_decoders_share_their_prefixes(pool: DecoderPool, computed: list[int]) -> None:
    decoder, other = decoder_of(pool, 3), decoder_of(pool, 2, 45)
    decoder.prefill(0, FIRST)
    decoder.prefill(2, [*FIRST[:30], 5])
    other.prefill(1, [*FIRST[:35], 6])
    assert computed == [*FIRST, 5, 6]
    shared = logits(other, 1, 36)
    other.weights.prefixes.clear()
    other.prefill(1, [*FIRST[:35], 6])
    np.testing.assert_array_equal(logits(other, 1, 36), shared)


def test_former_prompts_are_kept_and_the_least_recently_used_goes(
    pool: DecoderPool, computed: list[int]
) -> None:
    decoder = decoder_of(pool)
    prompts = RANDOM.integers(0, SHAPE.n_vocab, (5, 40)).tolist()
    for prompt in prompts[:4]:
        decoder.prefill(0, prompt)
    room = KEPT_ROWS * SHAPE.n_ctx // 40
    assert room == 3
    computed.clear()
    decoder.prefill(0, prompts[0])
    assert not computed
    decoder.prefill(0, prompts[4])
    assert computed == prompts[4]
    assert decoder.weights.prefixes.tokens <= decoder.weights.prefixes.max_tokens
    decoder.prefill(0, prompts[0])
    assert computed == prompts[4]
    decoder.prefill(0, prompts[1])
    assert computed == [*prompts[4], *prompts[1]]


def test_short_and_repeated_prompts_are_not_copied(pool: DecoderPool) -> None:
    decoder = decoder_of(pool, 2)
    kept = decoder.weights.prefixes
    decoder.prefill(0, FIRST[: prefix_cache.MIN_KEPT - 1])
    decoder.prefill(0, SECOND)
    assert not kept.tokens
    decoder.prefill(1, SECOND)
    decoder.prefill(0, FIRST)  # the other row still has it
    assert not kept.tokens
    decoder.prefill(1, THIRD)
    assert kept.tokens == len(SECOND)
    decoder.prefill(1, SECOND)
    decoder.prefill(1, THIRD)
    assert kept.tokens == len(SECOND) + len(THIRD)


def test_tokens_that_steps_overwrote_are_computed_again(
    pool: DecoderPool, computed: list[int]
) -> None:
    decoder = decoder_of(pool, 2)
    decoder.prefill(1, FIRST)
    positions = np.array([0, 10], np.int32)  # another text
    decoder.logits(np.array([1, 2], np.int32), positions)
    decoder.prefill(0, FIRST)
    assert computed == [*FIRST, *FIRST[10:]]


def test_prefixes_of_other_weights_are_forgotten(computed: list[int]) -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    decoder = pool.get(2, CONFIG.n_ctx, "float32")
    prompt = RANDOM.integers(0, CONFIG.n_vocab, 20).tolist()
    decoder.prefill(0, prompt)
    change_weights(model)
    decoder = pool.get(2, CONFIG.n_ctx, "float32")
    decoder.prefill(1, prompt)
    assert computed == [*prompt, *prompt]


def test_prefixes_go_with_their_decoder() -> None:
    kept = PrefixCache()
    cache = KeyValueCache(SHAPE, batch_size=1, capacity=64)
    rows, own = PrefixRows(cache, kept), PrefixRows(KeyValueCache(SHAPE, 1, 64), kept)
    rows.set(0, FIRST)
    assert [prefix.ids for prefix in kept.others(own, 0)] == [tuple(FIRST)]
    del rows
    assert not kept.others(own, 0)


PROMPTS = ["It was a", "It was a da", "It", "Once"]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_texts_are_the_same_with_and_without_the_cache(
    precision: str, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = context_sensitive_toy()
    toy.model.decoding_precision = precision
    monkeypatch.setattr(prefix_cache, "MIN_KEPT", 2)  # the prompts are short

    def texts() -> list[str]:
        # Longer than the toy's context, so that the window slides.
        return texts_of(toy, PROMPTS, seed=3, nsamples=2, length=80, batch_size=batch_size)

    first, second = texts(), texts()
    (decoder,) = toy._decoders.values()
    assert isinstance(decoder, TfliteDecoder)
    assert decoder.weights.prefixes.tokens
    monkeypatch.setattr(PrefixRows, "start", lambda *_: 0)
    assert [first, second] == [texts()] * 2
