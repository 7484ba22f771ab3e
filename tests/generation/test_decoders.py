"""The pool of decoders: reuse, shared weights, and weights that change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from decoding import CONFIG, TEXTS, assert_close, change_weights, logits_at
from gpt2_helpers.generation import decoders
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.decoders import MAX_CACHED_DECODERS, DecoderPool
from gpt2_helpers.generation.tf_decoder import TfDecoder, TfWeights
from gpt2_helpers.generation.tflite_decoder import TfliteDecoder, TfliteWeights
from gpt2_helpers.generation.xla_decoder import XlaDecoder
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import new_adapters
from gpt2_helpers.system import xla
from toy import toy_model, toy_weights


@pytest.mark.parametrize("kind", [TfliteDecoder, TfDecoder, XlaDecoder])
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.1)]
)  # of the frozen weights' own logits
def test_decoders_use_the_current_adapters(
    monkeypatch: pytest.MonkeyPatch, kind: type[Decoder], precision: str, tolerance: float
) -> None:
    if kind is not TfliteDecoder:
        monkeypatch.setattr(decoders, "runs_on_tflite", lambda _: False)
        monkeypatch.setenv(xla.VARIABLE, "1" if kind is XlaDecoder else "0")
    model = GPT2(CONFIG, toy_weights(CONFIG), precision, frozen=True)
    pool = DecoderPool(model)
    pool.get(1, CONFIG.n_ctx, "float32")  # made before there are adapters
    model.load_adapters(new_adapters(CONFIG, 2, seed=1))
    merged = toy_model(CONFIG)
    for change in (0.0, 0.1, -0.2):
        for name, adapter in model.adapters.items():
            if name.endswith("lora_b"):
                adapter.assign_add(tf.fill(adapter.shape, change))
        model.version += 1
        for name, variable in merged.variables.items():
            variable.assign(model.effective_weight(name))
        expected = merged.logits(TEXTS).numpy()[:1, 8]
        decoder = pool.get(1, CONFIG.n_ctx, "float32")
        assert isinstance(decoder, kind)
        decoder.prefill(0, TEXTS[0][:8].tolist())
        ours = logits_at(decoder, [(0, 8)])
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
        np.testing.assert_allclose(ours, model.logits(TEXTS)[:1, 8], rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_decoders_use_the_weights_after_training(dtype: str, tolerance: float) -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    before = model.logits(TEXTS).numpy()[:1, 8]
    prompt = TEXTS[0][:8].tolist()
    decoder = pool.get(1, CONFIG.n_ctx, dtype)
    decoder.prefill(0, prompt)
    np.testing.assert_allclose(logits_at(decoder, [(0, 8)]), before, rtol=0, atol=tolerance)
    change_weights(model)
    after = model.logits(TEXTS).numpy()[:1, 8]
    assert abs(after - before).max() > 5 * tolerance
    again = pool.get(1, CONFIG.n_ctx, dtype)
    assert again is decoder  # still compiled
    again.prefill(0, prompt)  # the same prompt, now with other keys and values
    np.testing.assert_allclose(logits_at(again, [(0, 8)]), after, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", [TfliteWeights, TfWeights])
def test_an_interrupted_refresh_is_repeated(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    if kind is TfWeights:
        monkeypatch.setattr(decoders, "runs_on_tflite", lambda _: False)
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    precision = "float32" if kind is TfliteWeights else "bfloat16"
    pool.get(1, CONFIG.n_ctx, precision)
    change_weights(model)
    copy = GPT2(CONFIG, {name: value.numpy() for name, value in model.variables.items()})
    with monkeypatch.context() as patch:
        names: list[str] = []

        def interrupted(name: str, original: Any = model.effective_weight) -> Any:
            names.append(name)
            if len(names) > 2:
                raise KeyboardInterrupt
            return original(name)

        patch.setattr(model, "effective_weight", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pool.get(1, CONFIG.n_ctx, precision)
    decoder = pool.get(1, CONFIG.n_ctx, precision)
    assert isinstance(decoder.weights, kind)
    expected = logits_at(DecoderPool(copy).get(1, CONFIG.n_ctx, precision), [(0, 0)])
    assert (logits_at(decoder, [(0, 0)]) == expected).all()


def test_the_most_recently_used_decoders_are_kept() -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    first = pool.get(1, 8, "float32")
    for batch_size in range(2, MAX_CACHED_DECODERS + 4):
        pool.get(batch_size, 8, "float32")
        assert pool.get(1, 8, "float32") is first
        assert len(pool) <= MAX_CACHED_DECODERS
    for batch_size in range(2, MAX_CACHED_DECODERS + 2):
        pool.get(batch_size, 8, "float32")
    assert pool.get(1, 8, "float32") is not first


def test_a_decoder_in_use_is_neither_returned_again_nor_dropped() -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    mine = pool.get(1, CONFIG.n_ctx, "float32")
    mine.in_use = True
    mine.prefill(0, TEXTS[0][:5].tolist())
    other = pool.get(1, CONFIG.n_ctx, "float32")
    assert other is not mine
    assert other.weights is mine.weights
    other.prefill(0, TEXTS[1][:7].tolist())
    for batch_size in range(2, MAX_CACHED_DECODERS + 4):
        pool.get(batch_size, CONFIG.n_ctx, "float32")
    assert_close(logits_at(mine, [(0, 5)]), model.logits(TEXTS).numpy()[:1, 5])
    mine.in_use = False
    assert pool.get(1, CONFIG.n_ctx, "float32") is mine


def test_decoders_of_one_precision_share_their_weights() -> None:
    model = toy_model(CONFIG)
    pool = DecoderPool(model)
    one, two, half = (
        pool.get(size, 8, dtype)
        for size, dtype in ((1, "float32"), (2, "float32"), (1, "bfloat16"))
    )
    assert one.weights is two.weights
    assert one.weights is not half.weights
