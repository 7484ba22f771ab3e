"""OpenAI's own Python client against the server, over real sockets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.session import Session
from web_server import TIMEOUT, serving

openai = pytest.importorskip("openai", reason="needs pip install openai")

PROMPT = "It was a dark night, and"


def openai_client(client: httpx.Client, key: str = "none") -> Any:
    """OpenAI's client for the server of another client; it does not retry."""
    address = f"{client.base_url}v1"
    return openai.OpenAI(base_url=address, api_key=key, max_retries=0, timeout=TIMEOUT)


@pytest.fixture(scope="module")
def api(client: httpx.Client) -> Iterator[Any]:
    with openai_client(client) as api:
        yield api


def test_models_are_listed_and_described(api: Any) -> None:
    (model,) = api.models.list()
    assert (model.id, model.object, model.owned_by) == ("tiny", "model", "gpt2-helpers")
    assert api.models.retrieve("tiny") == model
    with pytest.raises(openai.NotFoundError, match="no model 'tine' .did you mean 'tiny'"):
        api.models.retrieve("tine")


def test_a_completion_has_openais_form(api: Any) -> None:
    answer = api.completions.create(model="tiny", prompt=PROMPT)
    (choice,) = answer.choices
    assert (answer.object, answer.model, answer.id[:5]) == ("text_completion", "tiny", "cmpl-")
    assert (choice.index, choice.logprobs) == (0, None)
    assert not choice.text.startswith(PROMPT)
    usage = answer.usage
    assert usage.completion_tokens == 16 or choice.finish_reason == "stop"
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_texts_are_those_of_the_package(api: Any, tiny: Session) -> None:
    prompts = [PROMPT, "Once upon a time"]
    lengths = [len(tiny.tokenizer.encode(prompt)) for prompt in prompts]
    shared: dict[str, Any] = {"temperature": 0.9, "seed": 7, "frequency_penalty": 0.5}
    samplers: dict[str, Any] = {"top_k": 30, "repetition_penalty": 1.2}  # which OpenAI's API lacks
    answer = api.completions.create(
        model="tiny", prompt=prompts, n=2, max_tokens=12, extra_body=samplers, **shared
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.usage.prompt_tokens == sum(lengths)
    for order, length in enumerate(lengths):
        config = SamplingConfig(
            length=length + 12, nsamples=2, include_prefix=False, **shared, **samplers
        )
        expected = [result.text for result in in_order(tiny.generate(prompts, config))]
        ours = [choice.text for choice in answer.choices]
        chosen = slice(2 * order, 2 * order + 2)
        assert [text.lstrip("\n") for text in ours[chosen]] == expected[chosen]


def test_token_ids_are_a_prompt(api: Any, tiny: Session) -> None:
    ids = tiny.tokenizer.encode(PROMPT)
    options: dict[str, Any] = {"model": "tiny", "temperature": 0, "max_tokens": 6, "echo": True}
    expected = api.completions.create(prompt=PROMPT, **options).choices[0].text
    assert expected.startswith(PROMPT)
    assert api.completions.create(prompt=ids, **options).choices[0].text == expected
    answer = api.completions.create(prompt=[ids, ids[:3]], **options)
    assert answer.choices[0].text == expected
    assert answer.usage.prompt_tokens == len(ids) + 3
    limit = tiny.tokenizer.n_vocab - 1
    with pytest.raises(openai.BadRequestError, match=f"between 0 and {limit}, got {limit + 1}"):
        api.completions.create(prompt=[limit + 1], **options)


def test_log_probabilities_of_prompts_are_those_of_generated_tokens(
    api: Any, tiny: Session
) -> None:
    options: dict[str, Any] = {"model": "tiny", "logprobs": 3, "temperature": 0}
    answer = api.completions.create(prompt=PROMPT, max_tokens=8, **options)
    generated = answer.choices[0].logprobs
    ids = tiny.tokenizer.encode(PROMPT)
    whole = [*ids, *(tiny.tokenizer.encode(token)[0] for token in generated.tokens)]
    echoed = api.completions.create(prompt=whole, max_tokens=0, echo=True, **options)
    (choice,) = echoed.choices
    assert choice.text == PROMPT + answer.choices[0].text
    assert choice.finish_reason == "length"
    assert echoed.usage.completion_tokens == 0
    found = choice.logprobs
    assert (found.token_logprobs[0], found.top_logprobs[0]) == (None, None)
    assert "".join(found.tokens) == choice.text
    assert found.text_offset[len(ids) :] == generated.text_offset
    assert found.tokens[len(ids) :] == generated.tokens
    start = len(ids)
    assert found.token_logprobs[start:] == pytest.approx(generated.token_logprobs, abs=0.02)
    for chosen, likeliest in zip(
        found.token_logprobs[start:], found.top_logprobs[start:], strict=True
    ):
        assert chosen == max(likeliest.values())  # temperature 0, as lm-evaluation-harness tests it
        assert len(likeliest) == 3


def test_echo_comes_before_generated_tokens(api: Any) -> None:
    answer = api.completions.create(
        model="tiny", prompt=[PROMPT, "It"], max_tokens=1, echo=True, logprobs=1, seed=1
    )
    for choice, prompt in zip(answer.choices, [PROMPT, "It"], strict=True):
        assert choice.text.startswith(prompt)
        assert "".join(choice.logprobs.tokens[:-1]) == prompt
        assert choice.logprobs.text_offset[-1] == len(prompt)
        assert choice.logprobs.token_logprobs[-1] < 0


def test_a_stream_adds_up_to_the_text(api: Any) -> None:
    options: dict[str, Any] = {
        "model": "tiny", "prompt": [PROMPT, "Once"], "n": 2, "max_tokens": 12, "seed": 3,
        "logprobs": 1, "echo": True, "stop": [" the"],
    }  # fmt: skip
    whole = api.completions.create(**options)
    parts = [*api.completions.create(**options, stream=True)]
    assert len({part.id for part in parts}) == 1
    assert all(part.usage is None for part in parts)
    for choice in whole.choices:
        own = [part.choices[0] for part in parts if part.choices[0].index == choice.index]
        assert "".join(part.text for part in own) == choice.text
        assert [part.finish_reason for part in own][-1] == choice.finish_reason
        assert {part.finish_reason for part in own[:-1]} <= {None}
        for name in ("tokens", "token_logprobs", "text_offset"):
            joined = [value for part in own for value in getattr(part.logprobs, name)]
            assert joined == pytest.approx(getattr(choice.logprobs, name))


def test_a_stream_ends_with_the_usage_and_done(api: Any, client: httpx.Client) -> None:
    options: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "max_tokens": 4, "stream": True}
    options["stream_options"] = {"include_usage": True}
    *parts, last = api.completions.create(**options)
    assert last.choices == []
    assert 1 <= last.usage.completion_tokens <= 4
    assert all(part.usage is None for part in parts)
    lines = client.post("/v1/completions", json=options).text.rstrip("\n").split("\n")
    assert lines[-1] == "data: [DONE]"
    nothing = {**options, "max_tokens": 0, "echo": True}
    (first, usage) = api.completions.create(**nothing)
    assert (first.choices[0].text, first.choices[0].finish_reason) == (PROMPT, "length")
    assert usage.usage.completion_tokens == 0


def test_stop_strings_end_a_text(api: Any) -> None:
    options: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "temperature": 0}
    whole = api.completions.create(**options, max_tokens=12).choices[0].text
    answer = api.completions.create(**options, max_tokens=12, logprobs=0, stop=whole[9:11])
    (choice,) = answer.choices
    end = whole.index(whole[9:11])
    assert (choice.text, choice.finish_reason) == (whole[:end], "stop")
    tokens, offsets = choice.logprobs.tokens, choice.logprobs.text_offset
    assert "".join(tokens).startswith(choice.text)
    assert all(offset < len(PROMPT) + end for offset in offsets)
    assert [list(top) for top in choice.logprobs.top_logprobs] == [[token] for token in tokens]


def test_best_of_returns_the_likeliest_and_counts_all(api: Any) -> None:
    options: dict[str, Any] = {
        "model": "tiny", "prompt": PROMPT, "max_tokens": 9, "seed": 4, "logprobs": 0,
    }  # fmt: skip
    every = api.completions.create(n=5, **options)
    best = api.completions.create(n=2, best_of=5, **options)

    def likelihood(choice: Any) -> float:
        values = choice.logprobs.token_logprobs
        return math.fsum(values) / len(values)

    ranked = sorted(every.choices, key=likelihood, reverse=True)
    assert [choice.text for choice in best.choices] == [choice.text for choice in ranked[:2]]
    assert [choice.index for choice in best.choices] == [0, 1]
    assert best.usage == every.usage


def test_texts_are_exactly_their_tokens(api: Any, tiny: Session) -> None:
    (newline,) = tiny.tokenizer.encode("\n")
    answer = api.completions.create(
        model="tiny", prompt=PROMPT, max_tokens=3, logit_bias={str(newline): 100}
    )
    assert answer.choices[0].text == "\n\n\n"
    end = {str(tiny.tokenizer.end_of_text): 100}
    (choice,) = api.completions.create(
        model="tiny", prompt=PROMPT, logit_bias=end, logprobs=0
    ).choices
    assert (choice.text, choice.finish_reason) == ("", "stop")  # a blank text is not repeated
    assert choice.logprobs.tokens == ["<|endoftext|>"]


def test_a_top_p_of_zero_is_greedy(api: Any) -> None:
    options: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "max_tokens": 10}
    greedy = api.completions.create(**options, temperature=0).choices[0].text
    assert api.completions.create(**options, top_p=0).choices[0].text == greedy


@pytest.mark.parametrize(
    ("options", "param", "message"),
    [
        ({"n": 0}, "n", "n must be between 1 and 8, got 0"),
        ({"temperature": 2.5}, "temperature", "temperature must be between 0.0 and 2.0"),
        ({"n": 3, "best_of": 2}, "best_of", "at least n=3, got 2"),
        ({"best_of": 2, "stream": True}, "best_of", "best_of must be n=1 with stream, got 2"),
        ({"suffix": "The end"}, "suffix", "suffix must be null"),
        ({"logit_bias": {" cat": 2}}, "logit_bias", "must be token ids, got ' cat'"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "needs stream"),
        ({"prompt": ["a", [1]]}, "prompt", "prompt must be a string, a list of strings"),
        ({"prompt": []}, "prompt", "none of them empty"),
        ({"prompt": ["a"] * 21}, "prompt", "at most 20 texts, got 21"),
        ({"extra_body": {"topk": 3}}, "topk", "unknown parameter 'topk' (did you mean 'top_k'?)"),
    ],
)
def test_errors_name_the_parameter(
    api: Any, options: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        api.completions.create(**{"model": "tiny", "prompt": PROMPT, **options})
    assert (raised.value.param, raised.value.type) == (param, "invalid_request_error")
    assert message in raised.value.message


def test_too_many_texts_for_the_queue_are_an_error(tiny: Session) -> None:
    with (
        serving(tiny, batch_size=2, max_queue=1, max_nsamples=2) as client,
        pytest.raises(openai.BadRequestError, match="at most 3 texts, got 4"),
    ):
        openai_client(client).completions.create(model="tiny", prompt=["a", "b"], n=2)


def test_a_key_is_needed_if_the_server_has_one(tiny: Session) -> None:
    with serving(tiny, key="open sesame") as client:
        right, wrong = openai_client(client, "open sesame"), openai_client(client, "sesame")
        assert right.completions.create(model="tiny", prompt="It", max_tokens=1).choices
        for call in (wrong.models.list, lambda: wrong.completions.create(model="x", prompt="")):
            with pytest.raises(openai.AuthenticationError) as raised:
                call()
            assert raised.value.code == "invalid_api_key"


def test_the_rate_limit_counts_texts(tiny: Session) -> None:
    with serving(tiny, rate_limit=4) as client:
        api = openai_client(client)
        api.completions.create(model="tiny", prompt=["a", "b"], max_tokens=0, echo=True)
        with pytest.raises(openai.RateLimitError) as raised:
            api.completions.create(model="tiny", prompt="a", n=1, best_of=3, max_tokens=1)
        assert raised.value.code == "rate_limit_exceeded"
        assert int(raised.value.response.headers["retry-after"]) > 1


def test_an_error_in_a_stream_is_raised(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05, request_timeout=0.6) as client:
        stop = {str(tiny.tokenizer.end_of_text): -100}
        stream = openai_client(client).completions.create(
            model="tiny", prompt=PROMPT, max_tokens=100, stream=True, logit_bias=stop
        )
        with pytest.raises(openai.APIError, match="exceeded 0.6 s: ask for fewer tokens"):
            list(stream)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("GET", "/v1/completions")])
def test_unknown_routes_have_openais_errors(client: httpx.Client, method: str, path: str) -> None:
    error = client.request(method, path).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert path in error["message"]
    assert {"message", "type", "param", "code"} == error.keys()
