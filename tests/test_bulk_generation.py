"""Many texts in a file, and the same texts after an interruption."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.bulk_generation import BulkGeneration
from gpt2_helpers.checkpoint.model_files import save_weights
from gpt2_helpers.config import NoveltyConfig, SamplingConfig
from gpt2_helpers.evaluation.similarity import normalize
from gpt2_helpers.generation.output_formats import choose_format
from gpt2_helpers.generation.result import GenerationResult, in_order
from gpt2_helpers.session import Session
from gpt2_helpers.system.files import ignore
from toy import TOY, toy_tokenizer, toy_weights

PROMPTS = ["It was", "Once upon a time", "The"]


@pytest.fixture(scope="module")
def tiny() -> Session:
    session = Session()
    session.load_pretrained("tiny")
    return session


def generate(
    session: Session,
    path: Path,
    stop: int | None = None,
    novelty: NoveltyConfig | None = None,
    messages: list[str] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """The rows of a file, and of one that is interrupted after some texts."""
    config = SamplingConfig(**{"nsamples": 2, "length": 12, "batch_size": 4, **options})
    output = choose_format(path, "auto")
    report = ignore if messages is None else messages.append
    arguments = (session, PROMPTS, config, path, output, report)
    with BulkGeneration(*arguments, novelty=novelty) as bulk:
        for _ in bulk:
            if bulk.n_texts == stop:
                break
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines] if path.suffix == ".jsonl" else []


@pytest.mark.parametrize("options", [{"seed": 3}, {}, {"best_of": 3, "seed": 4}])
def test_an_interrupted_file_gets_the_texts_of_an_undisturbed_one(
    tiny: Session, tmp_path: Path, options: dict[str, Any]
) -> None:
    path, whole = tmp_path / "texts.jsonl", tmp_path / "whole.jsonl"
    generate(tiny, path, stop=3, **options)
    early = generate(tiny, path, stop=4, batch_size=1, **options)
    assert [row["index"] for row in early] == [0, 1, 2, 3]
    rows = generate(tiny, path, **options)
    seed = rows[0]["seed"]
    assert rows[:4] == early
    assert rows == generate(tiny, whole, **{**options, "seed": seed})
    assert [row["prompt"] for row in rows] == [prompt for prompt in PROMPTS for _ in range(2)]
    assert {row["seed"] for row in rows} == {seed}
    assert {(row["model"], row["step"]) for row in rows} == {("tiny", None)}


def test_rows_are_the_results(tiny: Session, tmp_path: Path) -> None:
    config = SamplingConfig(nsamples=2, length=12, seed=3)
    rows = generate(tiny, tmp_path / "texts.jsonl", seed=3)
    results = list(in_order(tiny.generate(PROMPTS, config, logprobs=True)))
    for row, result in zip(rows, results, strict=True):
        assert result.logprob is not None
        assert row["text"] == result.text
        assert (row["tokens"], row["finish_reason"]) == (result.n_tokens, result.finish_reason)
        assert row["logprob"] == pytest.approx(result.logprob, abs=1e-3)
    record = json.loads((tmp_path / "texts.jsonl.record.json").read_text(encoding="utf-8"))
    assert (record["model"], record["seed"], record["texts"]) == ("tiny", 3, 6)
    assert record["options"]["length"] == 12
    assert record["precision"] == tiny.inference_model.decoding_precision


def test_another_prompt_is_another_command(tiny: Session, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    generate(tiny, path, stop=2, seed=3)
    messages: list[str] = []
    config = SamplingConfig(nsamples=2, length=12, seed=3)
    output = choose_format(path, "auto")
    with BulkGeneration(tiny, ["Why"], config, path, output, messages.append) as bulk:
        assert bulk.n_texts == 0
        assert len(list(bulk)) == 2
    assert "are kept in" in messages[0]


def test_an_invalid_option_creates_no_file(tiny: Session, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="includes the prefix"):
        generate(tiny, tmp_path / "texts.txt", length=1)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_no_gap(
    tiny: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "texts.jsonl", tmp_path / "whole.jsonl"
    expected = generate(tiny, whole, seed=3)
    results = sorted(
        tiny.generate(PROMPTS, SamplingConfig(nsamples=2, length=12, seed=3), logprobs=True),
        key=lambda result: result.index,
    )

    def interrupted(*_: Any, **__: Any) -> Iterator[GenerationResult]:
        yield from (results[0], results[2], results[3])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tiny, "generate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            generate(tiny, path, seed=3)
    assert generate(tiny, path, seed=3) == expected


@pytest.mark.parametrize("name", ["texts.txt", "texts.csv", "texts.jsonl"])
def test_texts_stay_unique_over_interruptions(tiny: Session, tmp_path: Path, name: str) -> None:
    path, whole = tmp_path / name, tmp_path / f"whole-{name}"
    novelty = NoveltyConfig(unique=True, max_tries=4)
    options: dict[str, Any] = {"length": 5, "temperature": 0.3, "nsamples": 8, "seed": 2}
    generate(tiny, whole, novelty=novelty, **options)
    for stop in (1, 3, 6, 7):
        generate(tiny, path, stop=stop, novelty=novelty, batch_size=stop, **options)
    messages: list[str] = []
    rows = generate(tiny, path, novelty=novelty, messages=messages, **options)
    assert path.read_bytes() == whole.read_bytes()
    assert messages[0] == f"resuming: {path} has 7 of 24 texts"
    got = int(messages[-1].split()[1])
    assert messages[-1].startswith(f"got {got} of 24 texts: ")
    assert 7 < got < 24, "take another temperature"
    if rows:
        texts = [normalize(row["text"]) for row in rows]
        assert len(set(texts)) == len(texts) == got
        assert len({row["seed"] for row in rows}) > 1
        record = json.loads(path.with_name(f"{name}.record.json").read_text(encoding="utf-8"))
        assert (record["unique"], record["texts"]) == (True, got)
    assert not path.with_name(f"{name}.progress").exists()


def test_texts_of_other_weights_are_not_added_to_a_file(tmp_path: Path) -> None:
    """A run that was trained again, with the same number of steps."""
    path = tmp_path / "texts.jsonl"
    messages: list[str] = []
    shape = dataclasses.replace(TOY, n_vocab=toy_tokenizer().n_vocab, n_ctx=32)
    (tmp_path / "toy").mkdir()
    toy_tokenizer().save(tmp_path / "toy")
    for seed in (0, 1):
        save_weights(tmp_path / "toy", "model.ckpt", shape, toy_weights(shape, seed))
        session = Session()
        session.load_pretrained("toy", tmp_path)
        generate(session, path, stop=3, seed=5, length=30, messages=messages)
    assert len(messages) == 1
    assert "are kept in" in messages[0]
