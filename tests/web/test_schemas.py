"""Validation of requests."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import BadRequest
from gpt2_helpers.web.schemas import RequestParser, last_part
from web_server import serving


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty"),
        (b"[]", "must be a JSON object"),
        (b"\xff", "must be JSON in UTF-8"),
        (b'{"length": NaN}', "NaN is not valid JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b'{"lenght": 5}', "did you mean 'length'"),
        (b'{"length": "5"}', "length must be a whole number, got '5'"),
        (b'{"length": true}', "length must be a whole number"),
        (b'{"length": 0}', "length must be between 1 and 1023"),
        (b'{"length": 1e99}', "length must be"),
        (b'{"temperature": -1}', "temperature must be between 0.0 and 100.0"),
        (b'{"top_p": 1.1}', "top_p must be between"),
        (b'{"nsamples": 9}', "nsamples must be between 1 and 8"),
        (b'{"prefix": null}', "got null"),
        (b'{"include_prefix": "yes"}', "include_prefix must be true or false, got 'yes'"),
        (b'{"prefix": "\\ud800"}', "prefix has an unpaired surrogate at index 0"),
        (b'{"prefix": "The garden of", "length": 2}', "length=2"),
        (b'{"batch_size": 3}', "unknown parameter 'batch_size'"),
    ],
)
def test_invalid_requests_get_a_message(client: httpx.Client, body: bytes, message: str) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/api/generate", "/api/stream"):
        response = client.post(path, content=body, headers=headers)
        assert response.status_code == 400
        assert message in response.json()["error"]
        assert "\n" not in response.json()["error"]


def test_complete_rejects_the_parameter_of_generate(client: httpx.Client) -> None:
    response = client.post("/api/complete", json={"prefix": "It was"})
    assert response.status_code == 400
    assert response.json() == {
        "error": "unknown parameter 'prefix': /api/complete takes the prompt as text"
    }


def test_a_prefix_above_the_limit(tiny: Session) -> None:
    with serving(tiny, max_prompt_chars=10) as client:
        response = client.post("/api/generate", json={"prefix": "x" * 11})
        assert response.status_code == 400
        assert "prefix must have at most 10 characters, got 11" in response.json()["error"]
        text = client.get("/", params={"prefix": "x" * 11, "length": 20}).json()["text"]
        assert text.startswith("x" * 10)


def test_the_cloud_run_parser_accepts_strings_and_lowers_values() -> None:
    parser = RequestParser(ServeConfig(max_length=50))
    request = parser.parse_cloud_run({"length": "99", "top_k": "5", "include_prefix": "false"})
    assert (request.sampling.length, request.sampling.top_k) == (50, 5)
    assert not request.sampling.include_prefix
    with pytest.raises(BadRequest, match="length must be a whole number, got 'many'"):
        parser.parse_cloud_run({"length": "many"})


def test_a_text_to_score_is_not_cut() -> None:
    parser = RequestParser(ServeConfig(max_prompt_chars=5))
    assert parser.parse_score(b'{"text": "12345"}').text == "12345"
    with pytest.raises(BadRequest, match="text must have at most 5 characters, got 6"):
        parser.parse_score(b'{"text": "123456"}')
    with pytest.raises(BadRequest, match="text must not be empty"):
        parser.parse_score(b"{}")


def test_complete_keeps_the_last_part_of_a_long_text() -> None:
    parser = RequestParser(ServeConfig(max_prompt_chars=4))
    assert parser.parse_complete(b'{"text": "abcdef"}').text == "cdef"


def test_the_last_part_of_a_typed_text_starts_at_the_same_character_for_many_keystrokes() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(100))
    starts = []
    for end in range(1, 101):
        part = last_part(text[:end], 30)
        assert text[:end].endswith(part)
        assert min(end, 20) <= len(part) <= 30
        starts.append(part[0])
    assert len(set(starts)) == 8
    assert last_part("abc", 1) == "c"


def test_lists_and_mappings_are_validated() -> None:
    parser = RequestParser(ServeConfig())
    body = b'{"truncate": ["a", ""], "banned_words": "b", "logit_bias": {"7": -1}, "choices": []}'
    sampling = parser.parse_generate(body).sampling
    assert (sampling.truncate, sampling.banned_words) == (("a",), ("b",))
    assert (sampling.logit_bias, sampling.choices) == ({"7": -1.0}, None)
    for body, message in [
        (b'{"truncate": [1]}', "truncate must be a string or a list of strings"),
        (b'{"truncate": ["\\ud800"]}', "truncate has an unpaired surrogate at index 0"),
        (b'{"logit_bias": {"a": 101}}', "logit_bias must be between -100.0 and 100.0, got 101"),
        (b'{"logit_bias": {"": null}}', "logit_bias must be a number"),
        (b'{"logit_bias": ["a"]}', "logit_bias must be strings with a number each"),
        (json.dumps({"choices": ["a"] * 101}).encode(), "at most 100 entries, got 101"),
        (b'{"best_of": 9}', "best_of must be between 0 and 8, got 9"),
        (b'{"best_of": 1, "nsamples": 2}', "best_of must be 0 or at least nsamples=2, got 1"),
        (b'{"choices": ["a"], "truncate": "b"}', "set only one of choices, regex and truncate"),
    ]:
        with pytest.raises(BadRequest, match=message):
            parser.parse_generate(body)


def test_a_stop_string_of_the_query_keeps_its_newline() -> None:
    request = RequestParser(ServeConfig()).parse_cloud_run({"truncate": "\n"})
    assert request.sampling.truncate == ("\n",)


def test_options_that_do_not_fit_the_model_get_a_message(client: httpx.Client) -> None:
    pytest.importorskip("llguidance")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"logit_bias": {"999999": 1}}, "logit_bias: token ids must be between 0 and"),
        ({"regex": "["}, "regex '[' cannot be used"),
    ]
    for options, message in cases:
        response = client.post("/api/generate", json={"length": 5, **options})
        assert response.status_code == 400
        assert message in response.json()["error"]
