"""Completions of runs that put markers around prompts, and with several workers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gpt2_helpers.session import Session
from gpt2_helpers.tokenizer import START_OF_TEXT
from web_server import serving

PROMPT = "The best"
OPTIONS = {"prompt": PROMPT, "max_tokens": 4, "echo": True, "logprobs": 2, "temperature": 0}


def complete(client: httpx.Client, **options: Any) -> dict[str, Any]:
    response = client.post("/v1/completions", json={**OPTIONS, **options})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_the_prompt_prefix_is_seen_and_not_shown(tiny: Session) -> None:
    with serving(tiny, prompt_prefix=START_OF_TEXT) as client:
        ids = tiny.tokenizer.encode(START_OF_TEXT + PROMPT, special=True)
        answer = complete(client)
        plain = complete(client, prompt=ids)
    choice, expected = answer["choices"][0], plain["choices"][0]
    assert choice["text"].startswith(PROMPT)
    assert START_OF_TEXT + choice["text"] == expected["text"]
    hidden = len(ids) - len(tiny.tokenizer.encode(PROMPT))
    # Also the first token has a log-probability, since it follows the prefix.
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(
        expected["logprobs"]["token_logprobs"][hidden:], abs=1e-4
    )
    assert choice["logprobs"]["text_offset"][0] == 0
    assert answer["usage"]["prompt_tokens"] == len(ids)


def test_workers_send_log_probabilities(tiny: Session, client: httpx.Client) -> None:
    with serving(tiny, workers=2) as pool:
        several = complete(pool, n=2)["choices"]
        stream = pool.post("/v1/completions", json={**OPTIONS, "stream": True}).text
    for choice, expected in zip(several, complete(client, n=2)["choices"], strict=True):
        ours, theirs = choice.pop("logprobs"), expected.pop("logprobs")
        assert choice == expected
        assert ours["tokens"] == theirs["tokens"]
        assert ours["top_logprobs"][1:] == [pytest.approx(t) for t in theirs["top_logprobs"][1:]]
    assert stream.count('"top_logprobs"') == 1 + 4
    assert stream.endswith("data: [DONE]\n\n")


def test_prompts_over_the_context_keep_their_end(client: httpx.Client, tiny: Session) -> None:
    n_ctx = tiny.inference_model.config.n_ctx
    ids = tiny.tokenizer.encode(PROMPT) * n_ctx
    answer = complete(client, prompt=ids[: n_ctx + 5])
    assert len(answer["choices"][0]["logprobs"]["tokens"]) == n_ctx + 5 + 4
