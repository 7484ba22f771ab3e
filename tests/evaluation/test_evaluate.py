"""Results of documents and models, as objects, JSON and tables."""

from __future__ import annotations

import json
import math

import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.evaluation.documents import Document
from gpt2_helpers.evaluation.evaluate import (
    SHOWN_DOCUMENTS,
    DocumentResult,
    ModelResult,
    as_json,
    as_lines,
    evaluate,
)
from gpt2_helpers.evaluation.scoring import Measures, Scorer
from gpt2_helpers.generation.decoders import DecoderPool
from toy import toy_model, toy_tokenizer


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    tokenizer = toy_tokenizer()
    shape = ModelConfig(tokenizer.n_vocab, n_ctx=12, n_embd=16, n_head=2, n_layer=2)
    return Scorer(DecoderPool(toy_model(shape)), tokenizer)


def results(name: str, total: float, count: int = 2) -> ModelResult:
    documents = tuple(
        DocumentResult("a.txt", number, f"Text {number}", Measures(10, 50, total * number))
        for number in range(1, count + 1)
    )
    return ModelResult(name, 12, 6, "float32", documents)


def test_documents_are_scored_in_order(scorer: Scorer) -> None:
    long = "What is the best thing\nthat people would ever have to start? " * 3
    documents = [Document("a.txt", 1, long), Document("b.txt", 1, "the end.")]
    parts = list(evaluate(scorer, documents))
    found = [part for part in parts if isinstance(part, DocumentResult)]
    assert [(result.file, result.number) for result in found] == [("a.txt", 1), ("b.txt", 1)]
    assert [result.start for result in found] == [
        "What is the best thing that people woul…",
        "the end.",
    ]
    expected = [score.measures for score in scorer.score([long, "the end."])]
    assert [result.measures for result in found] == expected
    tokens = sum(part for part in parts if isinstance(part, int))
    assert tokens == sum(measures.tokens for measures in expected)


def test_json_has_every_number() -> None:
    found = as_json([results("run1", -20.0)])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    (model,) = found["models"]
    assert (model["name"], model["window"], model["stride"]) == ("run1", 12, 6)
    assert model["total"] == {
        "documents": 2,
        "tokens": 20,
        "bytes": 100,
        "loss": 3.0,
        "perplexity": pytest.approx(math.exp(3)),
        "bits_per_byte": pytest.approx(60 / math.log(2) / 100),
    }
    assert [d["loss"] for d in model["documents"]] == [2.0, 4.0]
    assert model["documents"][1]["start"] == "Text 2"


def test_json_has_no_infinite_number() -> None:
    (model,) = as_json([results("run1", -1e5)])["models"]
    assert model["total"]["perplexity"] is None


def test_one_model_has_a_table_of_its_documents() -> None:
    assert as_lines([results("run1", -20.0)]) == [
        "all documents  tokens    loss  perplexity  bits per byte",
        "run1               20  3.0000       20.09         0.8656",
        "",
        "document  tokens    loss  perplexity  bits per byte",
        "a.txt:1       10  2.0000        7.39         0.5771  Text 1",
        "a.txt:2       10  4.0000       54.60         1.1542  Text 2",
    ]


def test_several_models_are_side_by_side() -> None:
    assert as_lines([results("run1", -20.0), results("124M", -10.0)]) == [
        "all documents  tokens    loss  perplexity  bits per byte",
        "run1               20  3.0000       20.09         0.8656",
        "124M               20  1.5000        4.48         0.4328",
        "",
        "bits per byte    run1    124M",
        "a.txt:1        0.5771  0.2885  Text 1",
        "a.txt:2        1.1542  0.5771  Text 2",
    ]


def test_a_single_document_needs_no_table_of_documents() -> None:
    assert len(as_lines([results("run1", -20.0, count=1)])) == 2


def test_long_tables_end_with_how_many_more_there_are() -> None:
    lines = as_lines([results("run1", -20.0, count=SHOWN_DOCUMENTS + 1)])
    assert lines[-1] == "and 1 more document, which --json lists too"
    assert len(lines) == 4 + SHOWN_DOCUMENTS + 1


def test_control_characters_are_escaped() -> None:
    documents = (DocumentResult("a.txt", 1, "a\x1b[2J", Measures(1, 1, -1.0)),) * 2
    lines = as_lines([ModelResult("run1", 12, 6, "float32", documents)])
    assert "\x1b" not in "".join(lines)
