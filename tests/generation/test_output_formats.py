"""The formats of a file of texts."""

from __future__ import annotations

import csv
import io
import json

import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.output_formats import (
    TextSource,
    choose_format,
    generation_options,
    record_of,
)
from gpt2_helpers.generation.result import GenerationResult
from hard_strings import HARD_STRINGS

SOURCE = TextSource(seed=7, model="run1", step=40)


def result_of(text: str, prompt: str = "What") -> GenerationResult:
    return GenerationResult(text, prompt, 3, 12, "length", -20.123456)


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("texts.txt", "auto", "text"),
        ("texts", "auto", "text"),
        ("texts.CSV", "auto", "csv"),
        ("texts.jsonl", "auto", "jsonl"),
        ("texts.ndjson", "auto", "jsonl"),
        ("texts.csv", "text", "text"),
        ("texts.txt", "jsonl", "jsonl"),
        ("texts.json", "jsonl", "jsonl"),
    ],
)
def test_the_suffix_or_the_option_decides(path: str, name: str, expected: str) -> None:
    assert choose_format(path, name).name == expected


def test_json_is_not_a_format() -> None:
    with pytest.raises(OptionError, match="name it .jsonl, or set output_format"):
        choose_format("texts.json", "auto")


def test_text_is_followed_by_the_delimiter() -> None:
    chosen = choose_format("texts.txt", "auto", delimiter="--\n")
    assert chosen.header + chosen.row(result_of("One.\nTwo."), SOURCE) == b"One.\nTwo.\n--\n"


def test_json_lines_can_be_read_again() -> None:
    chosen = choose_format("texts.jsonl", "auto")
    rows = [chosen.row(result_of(text), SOURCE) for text in HARD_STRINGS]
    assert chosen.header == b""
    assert all(row.count(b"\n") == 1 for row in rows)
    read = [json.loads(row) for row in rows]
    assert read == [record_of(result_of(text), SOURCE) for text in HARD_STRINGS]
    assert read[0]["logprob"] == -20.1235


def test_csv_can_be_read_again() -> None:
    chosen = choose_format("texts.csv", "auto")
    texts = [text for text in HARD_STRINGS if "\0" not in text] + ["a\rb", "\r", 'a "b"\r\n']
    content = chosen.header + b"".join(chosen.row(result_of(text), SOURCE) for text in texts)
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert [row["text"] for row in rows] == texts
    assert {name: rows[0][name] for name in rows[0] if name != "text"} == {
        "index": "3", "prompt": "What", "seed": "7", "tokens": "12", "finish_reason": "length",
        "logprob": "-20.1235", "model": "run1", "step": "40",
    }  # fmt: skip


def test_options_are_those_that_texts_depend_on() -> None:
    values = generation_options(SamplingConfig(batch_size=3, seed=1, truncate=["a", "b"]))
    assert values.keys().isdisjoint({"batch_size", "seed"})
    assert json.loads(json.dumps(values)) == values
    assert values == generation_options(SamplingConfig(batch_size=9, truncate=["a", "b"]))
