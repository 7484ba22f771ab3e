"""Options that change logits: whole texts on every decoder, against a plain NumPy loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import regex

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation import decoders, tflite
from gpt2_helpers.generation.batch import ContinuousBatch, Sequence
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.processors import Processors
from gpt2_helpers.generation.tf_decoder import TfDecoder
from gpt2_helpers.generation.tflite_decoder import TfliteDecoder
from scripted import CONFIG, END, TOKENIZER, context_sensitive_toy, results_of

PROMPT = "What is"


@pytest.fixture(scope="module", params=[TfliteDecoder, TfDecoder])
def pool(request: pytest.FixtureRequest) -> Iterator[DecoderPool]:
    """A toy model whose decoders are all of one kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tflite, "is_available", lambda: request.param is TfliteDecoder)
        pool = context_sensitive_toy()
        for batch_size in (1, 3):
            decoder = pool.get(batch_size, CONFIG.n_ctx, "float32")
            assert type(decoder) is request.param
        patch.setattr(decoders, "runs_on_tflite", lambda precision: True)
        yield pool


def reference(pool: DecoderPool, n_tokens: int, **options: Any) -> str:
    """The likeliest text, from the logits of the whole text so far at each step."""
    penalty = options.get("repetition_penalty", 1.0)
    decoder = pool.get(1, CONFIG.n_ctx, "float32")
    prompt = TOKENIZER.encode(PROMPT)
    generated: list[int] = []
    for _ in range(n_tokens):
        ids = [*prompt, *generated]
        decoder.prefill(0, ids[:-1])
        newest, position = np.array([ids[-1]], np.int32), np.array([len(ids) - 1], np.int32)
        logits = decoder.logits(newest, position)[0].astype(np.float64)
        for text, bias in options.get("logit_bias", {}).items():
            *before, token = TOKENIZER.encode(text)
            logits[token] += bias if ids[len(ids) - len(before) :] == before else 0.0
        for token in {*ids}:
            logits[token] *= penalty if logits[token] < 0 else 1 / penalty
        for token in {*generated}:
            logits[token] -= options.get("presence_penalty", 0.0)
            logits[token] -= options.get("frequency_penalty", 0.0) * generated.count(token)
        text = TOKENIZER.decode_bytes(generated)
        for token, added in enumerate(TOKENIZER.tokens[:-1]):
            if size := options.get("no_repeat_ngram_size", 0):
                ngram = [*ids[len(ids) - size + 1 :], token]
                if any(ids[start : start + size] == ngram for start in range(len(ids))):
                    logits[token] = -np.inf
            for word in options.get("banned_words", []):
                start = max(0, len(PROMPT.encode() + text) - len(word.encode()) + 1)
                if word.encode() in (PROMPT.encode() + text + added)[start:]:
                    logits[token] = -np.inf
            if choices := options.get("choices"):
                allowed = any(choice.encode().startswith(text + added) for choice in choices)
            elif pattern := options.get("regex"):
                found = regex.fullmatch(pattern.encode(), text + added, partial=True)
                allowed = found is not None
            else:
                continue
            if not allowed:
                logits[token] = -np.inf
        if "choices" in options and text.decode() not in options["choices"]:
            logits[END] = -np.inf
        if "regex" in options and not regex.fullmatch(options["regex"].encode(), text):
            logits[END] = -np.inf
        generated.append(int(logits.argmax()))
        if generated[-1] == END:
            generated.pop()
            break
    return PROMPT + TOKENIZER.decode(generated)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"repetition_penalty": 1.8},
        {"presence_penalty": 2.0},
        {"frequency_penalty": 1.5},
        {"repetition_penalty": 1.2, "presence_penalty": -1.0, "frequency_penalty": 2.0},
        {"no_repeat_ngram_size": 1},
        {"no_repeat_ngram_size": 2},
        {"banned_words": ["e", "t", "s"]},
        {"logit_bias": {" the": 20.0, " best": -20.0, " thee": 20.0}},
        {"choices": [" the best", " of", "日本 is the end"]},
        {"regex": r" [a-z]{5}\.", "repetition_penalty": 1.5},
        {"regex": r"[a-z ]{6}\.", "banned_words": ["th", "s "], "no_repeat_ngram_size": 1},
    ],
    ids=str,
)
def test_texts_equal_the_reference_on_every_decoder(
    pool: DecoderPool, options: dict[str, Any]
) -> None:
    if "regex" in options:
        pytest.importorskip("llguidance")
    n_tokens = CONFIG.n_ctx + 1 - len(TOKENIZER.encode(PROMPT))
    expected = reference(pool, n_tokens, **options)
    found = results_of(
        pool, [PROMPT] * 3, temperature=0.0, length=CONFIG.n_ctx + 1, batch_size=3, **options
    )
    assert [result.text for result in found] == [expected] * 3


def test_the_history_of_a_text_outlives_the_context(pool: DecoderPool) -> None:
    config = SamplingConfig(length=40, temperature=1.0, no_repeat_ngram_size=1)
    sequence = Sequence(0, PROMPT, TOKENIZER.encode(PROMPT), config, 3, 0)
    batch = ContinuousBatch(pool.get(1, CONFIG.n_ctx, "float32"), TOKENIZER)
    batch.add(sequence)
    while batch.n_active:
        batch.prefill()
        list(batch.step())
    batch.close()
    assert len(sequence.ids) > CONFIG.n_ctx
    assert len(set(sequence.ids)) == len(sequence.ids)


def test_sampled_texts_match_whatever_else_is_set(pool: DecoderPool) -> None:
    pytest.importorskip("llguidance")
    results = results_of(
        pool,
        PROMPT,
        nsamples=8,
        batch_size=3,
        seed=1,
        regex="[ab]{3}",
        banned_words=["a", "b"],  # impossible, so the expression counts
        finish_sentence=True,
        top_k=5,
        include_prefix=False,
    )
    assert all(regex.fullmatch("[ab]{3}", result.text) for result in results)
    assert {result.finish_reason for result in results} == {"stop"}
    assert len({result.text for result in results}) > 1


def test_a_text_ends_if_every_token_is_excluded() -> None:
    letters = [TOKENIZER.decode([index]) for index in range(256)]
    config = SamplingConfig(banned_words=letters)
    processors = Processors(config, TOKENIZER, [])
    logits = np.full(TOKENIZER.n_vocab, -np.inf, np.float32)
    processors.apply(logits)
    assert logits.argmax() == END


def test_nothing_is_processed_by_default() -> None:
    assert not Processors(SamplingConfig(), TOKENIZER, [1, 2])
    assert not Processors(SamplingConfig(truncate=["a"]), TOKENIZER, [1, 2])
