"""The decoder of a CPU: bit-exact rows, and prompts in chunks."""

from __future__ import annotations

import numpy as np
import pytest

from decoding import assert_close
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.generation.decoder import PREFILL_CHUNK
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.tflite_decoder import SCORE_TOKENS, TfliteDecoder
from toy import toy_model

NARROW = ModelConfig(n_vocab=48, n_ctx=100, n_embd=32, n_head=2, n_layer=2)
WIDE_AS_124M = ModelConfig(n_vocab=200, n_ctx=640, n_embd=768, n_head=12, n_layer=1)


@pytest.mark.parametrize(
    ("config", "starts"),
    [
        (NARROW, [0, 3, 90, 31, 32, 33, 50, 64, 1]),
        (WIDE_AS_124M, [0, 5, 630, 300, 255, 257, 511, 64, 1]),
    ],
)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_row_is_the_same_whatever_the_other_rows_are(
    precision: str, config: ModelConfig, starts: list[int]
) -> None:
    pool = DecoderPool(toy_model(config))
    texts = np.random.default_rng(3).integers(0, config.n_vocab, (9, config.n_ctx))
    alone = []
    for text, start in zip(texts, starts, strict=True):
        decoder = pool.get(1, config.n_ctx, precision)
        decoder.prefill(0, text[:start].tolist())
        alone.append(
            [
                decoder.logits(text[at : at + 1].astype(np.int32), np.array([at], np.int32))[0]
                for at in range(start, start + 8)
            ]
        )
    together = pool.get(len(texts), config.n_ctx, precision)
    for row, start in enumerate(starts):
        together.prefill(row, texts[row][:start].tolist())
    for step in range(8):
        positions = np.array(starts, np.int32) + step
        ids = texts[np.arange(len(texts)), positions].astype(np.int32)
        for row, logits in enumerate(together.logits(ids, positions)):
            # Up to rounding: BLAS may sum the products of attention in another order.
            np.testing.assert_allclose(logits, alone[row][step], rtol=0, atol=1e-4)


def test_a_long_prompt_is_prefilled_in_chunks() -> None:
    config = ModelConfig(n_vocab=20, n_ctx=3 * PREFILL_CHUNK, n_embd=8, n_head=1, n_layer=2)
    model = toy_model(config)
    pool = DecoderPool(model)
    text = np.random.default_rng(4).integers(0, config.n_vocab, (1, config.n_ctx))
    expected_logits = model.logits(text).numpy()[0]
    decoder = pool.get(1, config.n_ctx, "float32")
    for length in (PREFILL_CHUNK - 1, PREFILL_CHUNK, 2 * PREFILL_CHUNK + 5):
        decoder.prefill(0, text[0, :length].tolist())
        last = np.array([length], np.int32)
        ours = decoder.logits(text[0, last].astype(np.int32), last)[0]
        assert_close(ours, expected_logits[length])


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_logits_do_not_depend_on_the_parts_that_a_prompt_is_read_in(precision: str) -> None:
    decoder = DecoderPool(toy_model(WIDE_AS_124M)).get(1, 330, precision)
    assert isinstance(decoder, TfliteDecoder)
    ids = np.random.default_rng(6).integers(0, WIDE_AS_124M.n_vocab, 300).tolist()
    found = []
    for parts in ([300], [1] * 10 + [290], [64, 236], [100, 3, 31, 166]):
        done = 0
        for part in parts:
            end = done + part
            while done < end:
                done = decoder.prefill_chunk(0, ids, done, end - done)
        found.append(decoder.logits(np.array([7], np.int32), np.array([300], np.int32)))
        decoder.weights.prefixes.clear()
    for logits in found[1:]:
        np.testing.assert_array_equal(logits, found[0])


def test_long_texts_are_scored_in_parts_with_all_their_context() -> None:
    config = ModelConfig(n_vocab=20, n_ctx=2 * SCORE_TOKENS + 5, n_embd=8, n_head=2, n_layer=2)
    model = toy_model(config)
    ids = np.random.default_rng(5).integers(0, config.n_vocab, (2, config.n_ctx)).astype(np.int32)
    parts = list(DecoderPool(model).weights("float32").log_probabilities(ids))
    assert len(parts) == 5
    logits = model.logits(ids).numpy().astype(np.float64)[:, :-1]
    chosen = np.take_along_axis(logits, ids[:, 1:, None].astype(np.int64), -1)[..., 0]
    expected = chosen - np.log(np.exp(logits).sum(-1))
    found = np.concatenate([part.targets for part in parts], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)
