"""Parsing requests to /v1/completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import BadRequest
from gpt2_helpers.web.v1.requests import CompletionParser, CompletionRequest


def parse(body: dict[str, Any], **options: Any) -> CompletionRequest:
    return CompletionParser(ServeConfig(**options)).parse(json.dumps(body).encode())


def test_the_defaults_are_openais() -> None:
    request = parse({})
    assert request.prompts == ("",)
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.nsamples) == (1.0, 0.0, 1)
    assert (request.parameters.max_tokens, request.parameters.logprobs) == (16, None)


def test_null_stands_for_every_default() -> None:
    parser = CompletionParser(ServeConfig())
    assert parse(dict.fromkeys(field.name for field in parser.fields)) == parse({})


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a", ("a",)),
        (["a", ""], ("a", "")),
        ([5, 6], ((5, 6),)),
        ([[5], [6, 7]], ((5,), (6, 7))),
    ],
)
def test_prompts(prompt: Any, expected: Any) -> None:
    assert parse({"prompt": prompt}).prompts == expected


@pytest.mark.parametrize("prompt", [[], [[]], [True], [1.5], ["a", 1], {}, 3, [None], [["a"]]])
def test_invalid_prompts(prompt: Any) -> None:
    with pytest.raises(BadRequest, match="prompt must be a string") as raised:
        parse({"prompt": prompt})
    assert raised.value.param == "prompt"


def test_limits_of_the_server() -> None:
    with pytest.raises(BadRequest, match="max_tokens must be between 0 and 49"):
        parse({"max_tokens": 50}, max_length=50)
    with pytest.raises(BadRequest, match="at most 3 characters, got 4"):
        parse({"prompt": ["abc", "abcd"]}, max_prompt_chars=3)
    with pytest.raises(BadRequest, match="at most 3 token ids, got 4"):
        parse({"prompt": [1, 2, 3, 4]}, max_prompt_chars=3)
    with pytest.raises(BadRequest, match="at most 1 texts, got 2"):
        parse({"prompt": ["a", "b"]}, max_prompts=1)
    with pytest.raises(BadRequest, match="unpaired surrogate"):
        parse({"prompt": "\ud800"})


def test_the_number_of_texts() -> None:
    assert parse({"prompt": ["a", "b"], "n": 2, "best_of": 3}).n_texts == 6
    assert parse({"prompt": ["a", "b"], "n": 2, "max_tokens": 0}).n_texts == 2


@pytest.mark.parametrize("value", [1, {"include_usage": 1}, {"usage": True}])
def test_invalid_stream_options(value: Any) -> None:
    with pytest.raises(BadRequest, match="stream_options must be an object"):
        parse({"stream": True, "stream_options": value})
