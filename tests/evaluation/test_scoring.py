"""Scores of texts, compared with transformers' and with one prediction per token."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator

import numpy as np
import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.evaluation import scoring
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import Measures, Scorer, TextScore, token_texts
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer
from hugging_face import SIZES, TEXTS, golden, golden_model
from toy import toy_model, toy_tokenizer

# Several windows of the toy model, and characters of several tokens.
LONG = "What is the best thing that people would ever have to start? Ça va, the café 😀 and you."
SHORT = "the end."


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return toy_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> GPT2:
    return toy_model(ModelConfig(tokenizer.n_vocab, n_ctx=12, n_embd=16, n_head=2, n_layer=2))


@pytest.fixture(scope="module")
def decoders(model: GPT2) -> DecoderPool:
    return DecoderPool(model)


def score(scorer: Scorer, text: str, special: bool = False) -> TextScore:
    (result,) = scorer.score([text], special)
    return result


@pytest.mark.parametrize(("window", "stride"), SIZES)
def test_scores_are_those_of_transformers(window: int, stride: int) -> None:
    expected = golden("scores")
    model, tokenizer = golden_model()
    scorer = Scorer(DecoderPool(model), tokenizer, ScoreConfig(window=window, stride=stride))
    for order, (text, found) in enumerate(zip(TEXTS, scorer.score(TEXTS), strict=True)):
        key = f"{order}_{window}_{stride}"
        np.testing.assert_allclose(found.logprobs, expected[f"logprobs_{key}"], atol=1e-4)
        assert found.text == text
        if f"loss_{key}" in expected:
            assert found.loss == pytest.approx(float(expected[f"loss_{key}"]), abs=1e-4)


def test_golden_scores_include_the_documented_loop_with_a_stride() -> None:
    assert {"loss_1_47_1", "loss_1_20_7"} <= golden("scores").keys()


def test_texts_scored_together_have_the_scores_of_each_alone(
    decoders: DecoderPool, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(decoders, tokenizer, ScoreConfig(stride=5))
    texts = [LONG, SHORT, "é", "a", LONG[:40], "What"]
    alone = [score(scorer, text) for text in texts]
    monkeypatch.setattr(scoring, "_BATCH_TOKENS", 30)
    for read_ahead in (1, 25, 10_000):
        monkeypatch.setattr(scoring, "_READ_AHEAD_TOKENS", read_ahead)
        parts = list(scorer.parts(texts))
        together = [part for part in parts if isinstance(part, TextScore)]
        assert [result.text for result in together] == texts
        scored = sum(part for part in parts if isinstance(part, int))
        assert scored == sum(len(result.ids) for result in together)
        for ours, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(ours.logprobs, expected.logprobs, atol=1e-5)


def test_texts_are_read_as_they_are_needed(
    decoders: DecoderPool, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_READ_AHEAD_TOKENS", 1)
    read: list[int] = []

    def texts() -> Iterator[str]:
        for number in range(9):
            read.append(number)
            yield SHORT

    next(Scorer(decoders, tokenizer).score(texts()))
    assert read == [0]


def test_the_prefix_is_seen_but_not_scored(decoders: DecoderPool, tokenizer: Tokenizer) -> None:
    plain, prefix = Scorer(decoders, tokenizer), "How?"
    whole = score(plain, f"{prefix}{SHORT}")
    after = score(Scorer(decoders, tokenizer, prompt_prefix=prefix), SHORT)
    n_prefix = len(tokenizer.encode(prefix))
    assert after.text == SHORT
    np.testing.assert_allclose(after.logprobs, whole.logprobs[n_prefix:], atol=1e-5)
    given = ScoreConfig(prompt_prefix="")
    without = score(Scorer(decoders, tokenizer, given, prompt_prefix=prefix), SHORT)
    assert without.total == pytest.approx(score(plain, SHORT).total)


def test_a_prefix_longer_than_the_window_is_rejected(
    decoders: DecoderPool, tokenizer: Tokenizer
) -> None:
    with pytest.raises(OptionError, match="prompt_prefix has 5 tokens, which leaves no room"):
        Scorer(decoders, tokenizer, ScoreConfig(window=5, prompt_prefix="zzzzz"))


def test_an_end_of_text_inside_a_text_is_one_token_if_it_is_special(
    decoders: DecoderPool, tokenizer: Tokenizer
) -> None:
    text = f"the{END_OF_TEXT}end"
    scorer = Scorer(decoders, tokenizer)
    marked = score(scorer, text, special=True)
    assert marked.ids.count(tokenizer.end_of_text) == 1
    assert (marked.text, marked.measures.bytes) == (text, 6)
    plain = score(scorer, text)
    assert tokenizer.end_of_text not in plain.ids
    assert plain.measures.bytes == len(text)


def test_measures_follow_from_the_total(decoders: DecoderPool, tokenizer: Tokenizer) -> None:
    found = score(Scorer(decoders, tokenizer), LONG)
    assert found.total == pytest.approx(sum(found.logprobs))
    assert found.loss == pytest.approx(-found.total / len(found.ids))
    assert found.perplexity == pytest.approx(math.exp(found.loss))
    bits = -found.total / math.log(2)
    assert found.bits_per_byte == pytest.approx(bits / len(LONG.encode()))


def test_measures_of_several_texts_count_each_token_once() -> None:
    both = Measures(2, 5, -1.0) + Measures(8, 15, -9.0)
    assert (both.loss, both.tokens, both.bytes) == (1.0, 10, 20)
    assert Measures(1, 1, -1e4).perplexity == math.inf


def test_tokens_are_the_parts_of_the_text(decoders: DecoderPool, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the 😀 é")
    tokens = token_texts(ids, tokenizer)
    assert len(tokens) == len(ids)
    assert "".join(tokens) == "the 😀 é"
    assert [token for token in tokens if token.strip()][-2:] == ["😀", "é"]
    assert token_texts(ids[:-1], tokenizer)[-1] == "�"  # cut inside a character


def test_segments_join_the_tokens_of_a_character(
    decoders: DecoderPool, tokenizer: Tokenizer
) -> None:
    found = score(Scorer(decoders, tokenizer), "the 😀")
    texts, probabilities = zip(*found.segments, strict=True)
    assert "".join(texts) == "the 😀"
    assert texts[-1] == "😀"
    assert probabilities[-1] == pytest.approx(math.exp(sum(found.logprobs[-4:])))
    assert found.tokens[-4:] == ("", "", "", "😀")


def test_a_score_survives_json(decoders: DecoderPool, tokenizer: Tokenizer) -> None:
    found = score(Scorer(decoders, tokenizer), SHORT)
    assert TextScore.from_dict(json.loads(json.dumps(dataclasses.asdict(found)))) == found


@pytest.mark.parametrize(("text", "special"), [("", False), ("", True), (END_OF_TEXT, True)])
def test_an_empty_text_is_rejected(
    decoders: DecoderPool, tokenizer: Tokenizer, text: str, special: bool
) -> None:
    with pytest.raises(DatasetError, match="cannot score an empty text"):
        list(Scorer(decoders, tokenizer).score([SHORT, text], special))


def test_auto_is_the_precision_that_generates(model: GPT2, tokenizer: Tokenizer) -> None:
    config = ScoreConfig(precision="auto")
    assert Scorer(DecoderPool(model), tokenizer, config).precision == model.decoding_precision
