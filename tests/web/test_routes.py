"""The routes over real sockets: what they accept and return."""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.session import Session
from gpt2_helpers.web.page import STATIC
from sampler_options import SAMPLER_OPTIONS
from web_server import LONG, events_of, metric, serving, wait_until

# The API of gpt-2-cloud-run


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_root_answers_like_gpt2_cloud_run(client: httpx.Client, method: str) -> None:
    parameters = {"length": "20", "temperature": "0.7", "top_k": "40", "prefix": "The garden",
                  "truncate": "", "include_prefix": "true"}  # fmt: skip
    sent: Any = {"params": parameters} if method == "GET" else {"json": parameters}
    response = client.request(method, "/", **sent)
    assert response.status_code == 200
    assert response.json().keys() == {"text"}
    assert response.json()["text"].startswith("The garden")


def test_root_excludes_the_prefix_and_truncates(client: httpx.Client) -> None:
    parameters: dict[str, Any] = {"length": 40, "prefix": "The garden", "truncate": "e"}
    parameters["include_prefix"] = "False"
    text = client.get("/", params=parameters).json()["text"]
    assert not text.startswith("The garden")
    assert "e" not in text


def test_root_ignores_unknown_parameters(client: httpx.Client) -> None:
    assert client.get("/", params={"length": 3, "colour": "red"}).status_code == 200


def test_root_lowers_a_length_to_the_limit(tiny: Session) -> None:
    with serving(tiny, max_length=12) as client:
        assert client.get("/", params={"length": 5000}).status_code == 200


def test_root_returns_the_page_to_a_browser(client: httpx.Client) -> None:
    head = client.head("/")
    assert (head.status_code, head.text) == (200, "")
    page = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<textarea" in page.text
    assert "Accept" in page.headers["vary"]


@pytest.mark.parametrize(
    "agent",
    [
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.23.20.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "TelegramBot (like TwitterBot)",
        "Twitterbot/1.0",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient)",
        "Mastodon/4.2.1 (http.rb/5.1.1; +https://mastodon.example/)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    ],
)
def test_link_previews_get_title_description_and_picture(client: httpx.Client, agent: str) -> None:
    page = client.get("/", headers={"Accept": "*/*", "User-Agent": agent})
    assert page.headers["content-type"].startswith("text/html")
    assert "User-Agent" in page.headers["vary"]
    assert "<title>Write with tiny</title>" in page.text
    assert '<meta name="description" content="Start a text,' in page.text
    assert f'<meta property="og:url" content="{client.base_url}">' in page.text
    picture = re.search(r'<meta property="og:image" content="([^"]+)">', page.text)
    assert picture
    assert picture[1].startswith(str(client.base_url))  # relative addresses are not accepted
    content = client.get(picture[1]).content
    size = [int.from_bytes(content[start : start + 4], "big") for start in (16, 20)]
    assert [f'"og:image:{name}"' in page.text for name in ("width", "height", "alt")] == [True] * 3
    assert size == [1200, 630]


@pytest.mark.parametrize("agent", ["curl/8.5.0", "python-requests/2.32", "My poetry bot"])
def test_programs_get_a_text(client: httpx.Client, agent: str) -> None:
    headers = {"Accept": "*/*", "User-Agent": agent}
    assert client.get("/", params={"length": 3}, headers=headers).json().keys() == {"text"}


def test_a_link_preview_does_not_name_a_model_that_needs_a_key(tiny: Session) -> None:
    with serving(tiny, key="open sesame") as client:
        page = client.get("/", headers={"Accept": "text/html"}).text
    assert "<title>Write with a language model</title>" in page
    assert "tiny" not in page


def test_the_address_of_a_preview_is_that_of_the_reader(tiny: Session) -> None:
    headers = {"Accept": "text/html", "Host": 'a.example"><b>', "X-Forwarded-Proto": "https"}
    with serving(tiny, key="open sesame", trusted_proxies=1) as client:
        assert '"><b>' not in client.get("/", headers=headers).text
        headers["Host"] = "a.example"
        page = client.get("/", headers=headers).text
        assert '<meta property="og:url" content="https://a.example/">' in page
        assert "curl https://a.example/api/generate" in client.get("/docs", headers=headers).text
    with serving(tiny, key="open sesame") as client:
        assert "http://a.example/static/preview.png" in client.get("/", headers=headers).text


def test_static_files_are_served_and_nothing_else(client: httpx.Client) -> None:
    for path in (path for path in STATIC.rglob("*") if path.is_file()):
        assert client.get(f"/static/{path.relative_to(STATIC).as_posix()}").status_code == 200
    assert client.get("/static/../config.py").status_code == 404
    assert client.get("/static/%2e%2e/config.py").status_code == 404


# /api/next-tokens


def test_next_tokens_are_those_of_the_model(client: httpx.Client, tiny: Session) -> None:
    body = {"text": "It was a dark", "count": 4}
    tokens = client.post("/api/next-tokens", json=body).json()["tokens"]
    probabilities = [token["probability"] for token in tokens]
    assert probabilities == sorted(probabilities, reverse=True)
    scored = tiny.scorer(ScoreConfig(precision="auto"))
    ids = tiny.tokenizer.encode("It was a dark")
    for token in tokens:
        parts = scored.parts_of_ids([*ids[1:], token["id"]], ids[:1])
        (score,) = (part for part in parts if not isinstance(part, int))
        # 8-bit products round differently for one row and for several, by processor.
        assert math.exp(score.logprobs[-1]) == pytest.approx(token["probability"], rel=0.06)
        assert tiny.tokenizer.decode([token["id"]]) == token["text"]


def test_next_tokens_may_complete_a_character(client: httpx.Client, tiny: Session) -> None:
    *first, last = tiny.tokenizer.encode("\u6c34")
    assert len(first) == 2
    limit = tiny.tokenizer.n_vocab
    wanted: dict[str, Any] = {"text": "It was ", "ids": first, "count": 50}
    tokens = client.post("/api/next-tokens", json=wanted).json()["tokens"]
    assert {token["text"] for token in tokens if token["id"] == last} <= {"\u6c34"}
    assert any(token["text"] is None for token in tokens)  # most tokens do not complete it
    for ids, message in (([limit], "between 0 and"), ([1] * 4, "at most 3"), ({}, "a list")):
        response = client.post("/api/next-tokens", json={**wanted, "ids": ids})
        assert response.status_code == 400
        assert message in response.json()["error"]


def test_next_tokens_at_the_start_and_the_end_of_a_text(client: httpx.Client) -> None:
    tokens = client.post("/api/next-tokens", json={}).json()["tokens"]
    assert len(tokens) == 10
    assert all(token["text"] is not None for token in tokens)
    body = {"text": "It was well.\n", "count": 50}
    ends = client.post("/api/next-tokens", json=body).json()["tokens"]
    assert "" in [token["text"] for token in ends]
    assert client.post("/api/next-tokens", json={"count": 51}).status_code == 400


# /api/generate


def test_generate_with_a_seed_equals_the_package(client: httpx.Client) -> None:
    parameters = {"prefix": "The garden", "nsamples": 3, "length": 30, "seed": 7}
    texts = client.post("/api/generate", json=parameters).json()["texts"]
    config = SamplingConfig(nsamples=3, length=30, seed=7)
    session = Session()  # the server uses the other one
    session.load_pretrained("tiny")
    expected = sorted(session.generate("The garden", config), key=lambda result: result.index)
    assert [text["text"] for text in texts] == [result.text for result in expected]
    assert [text["tokens"] for text in texts] == [result.n_tokens for result in expected]
    assert [text["finish_reason"] for text in texts] == [
        result.finish_reason for result in expected
    ]


@pytest.mark.parametrize("options", SAMPLER_OPTIONS, ids=lambda options: "-".join(options))
def test_samplers_give_the_texts_of_the_package(
    client: httpx.Client, tiny: Session, options: dict[str, Any]
) -> None:
    if "regex" in options:
        pytest.importorskip("llguidance")
    shared = {"nsamples": 2, "length": 20, "seed": 7, **options}
    texts = client.post("/api/generate", json={"prefix": "The garden", **shared}).json()["texts"]
    expected = list(in_order(tiny.generate("The garden", SamplingConfig(**shared))))
    assert [text["text"] for text in texts] == [result.text for result in expected]
    logprobs = [result.logprob for result in expected if result.logprob is not None]
    assert [text["logprob"] for text in texts if "logprob" in text] == pytest.approx(logprobs)
    assert bool(logprobs) == ("best_of" in options)


def test_an_answer_says_how_much_of_a_prompt_exceeds_the_context(
    client: httpx.Client, tiny: Session
) -> None:
    long = tiny.tokenizer.decode(tiny.tokenizer.encode("The garden was large. " * 100)[:300])
    for prompt, ignored in ((long, 300 - 256 // 2), ("The garden", None)):
        wanted = {"prefix": prompt, "max_new_tokens": 3}
        (text,) = client.post("/api/generate", json=wanted).json()["texts"]
        assert text.get("ignored_tokens") == ignored
        with client.stream("POST", "/api/stream", json=wanted) as response:
            (end,) = [values for name, values in events_of(response) if name == "end"]
        assert end.get("ignored_tokens") == ignored


def test_max_new_tokens_does_not_count_the_prefix(client: httpx.Client) -> None:
    prefix = "The garden of the house, " * 5
    parameters = {"prefix": prefix, "max_new_tokens": 4, "include_prefix": False}
    (text,) = client.post("/api/generate", json=parameters).json()["texts"]
    assert text["tokens"] == 4


def test_concurrent_requests_get_the_same_texts_as_single_ones(client: httpx.Client) -> None:
    requests = [
        {"prefix": prefix, "length": 40, "seed": seed, "top_k": top_k, "temperature": temperature}
        for seed, (prefix, top_k, temperature) in enumerate(
            [("", 0, 0.7), ("The", 5, 1.0), ("I am", 40, 0.0), ("“Why", 0, 1.2)] * 6
        )
    ]

    def generate(parameters: dict[str, Any]) -> Any:
        return client.post("/api/generate", json=parameters).json()

    expected = [generate(parameters) for parameters in requests]
    with ThreadPoolExecutor(len(requests)) as pool:
        assert list(pool.map(generate, requests)) == expected


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_json_is_rejected(client: httpx.Client, kind: str) -> None:
    # Other sites can make a browser send these types without permission (CSRF).
    response = client.post(
        "/api/generate", content=b'{"length": 3}', headers={"Content-Type": kind}
    )
    assert response.status_code == 415
    assert f"must be application/json, got '{kind}'" in response.json()["error"]


def test_a_disconnect_cancels_a_request(
    tiny: Session, connect: Callable[[httpx.Client], socket.socket]
) -> None:
    with serving(tiny, step_seconds=0.02) as client:
        body = json.dumps({**LONG, "max_new_tokens": 1000})
        with connect(client) as connection:
            connection.sendall(
                f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            wait_until(lambda: metric(client, "gpt2_sequences_running") == 1)
        wait_until(lambda: metric(client, "gpt2_sequences_running") == 0)
        assert metric(client, "gpt2_tokens_total") < 1000


# /api/stream


def test_a_stream_adds_up_to_the_texts(client: httpx.Client) -> None:
    parameters = {"prefix": "The garden", "nsamples": 2, "length": 30, "seed": 3}
    expected = [
        text["text"] for text in client.post("/api/generate", json=parameters).json()["texts"]
    ]
    texts, n_chunks, ended = ["", ""], 0, []
    with client.stream("POST", "/api/stream", json=parameters) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for name, data in events_of(response):
            if name == "text":
                texts[data["index"]] += data["text"]
                n_chunks += 1
            elif name == "end":
                ended.append(data["index"])
    assert name == "done"
    assert texts == expected
    assert sorted(ended) == [0, 1]
    assert n_chunks > 20


def test_a_stream_is_sent_while_it_is_generated(tiny: Session) -> None:
    with (
        serving(tiny, step_seconds=0.05) as client,
        client.stream("POST", "/api/stream", json=LONG) as response,
    ):
        events = events_of(response)
        for _ in range(3):
            assert next(events)[0] == "text"
            assert metric(client, "gpt2_sequences_running") == 1


def test_a_disconnect_cancels_a_stream(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.02) as client:
        parameters = {**LONG, "max_new_tokens": 1000}
        with client.stream("POST", "/api/stream", json=parameters) as response:
            next(events_of(response))
            assert metric(client, "gpt2_sequences_running") == 1
        wait_until(lambda: metric(client, "gpt2_sequences_running") == 0)
        assert metric(client, "gpt2_tokens_total") < 1000


# Others


def test_score_equals_the_package(client: httpx.Client, tiny: Session) -> None:
    text = "It was a dark night, and the “garden” 🌹 was quiet. " * 30  # several windows
    found = client.post("/api/score", json={"text": text}).json()
    (expected,) = tiny.scorer(ScoreConfig(precision="auto")).score([text])
    assert "".join(found["tokens"]) == text
    assert tuple(found["ids"]) == expected.ids
    assert found["logprobs"] == pytest.approx(expected.logprobs, abs=1e-4)
    assert found["total"] == pytest.approx(expected.total, rel=1e-5)
    assert found["perplexity"] == pytest.approx(expected.perplexity, rel=1e-4)
    assert found["bits_per_byte"] == pytest.approx(expected.bits_per_byte, rel=1e-5)


def test_score_needs_the_key_and_json(tiny: Session) -> None:
    with serving(tiny, key="secret", max_prompt_chars=10) as client:
        assert client.post("/api/score", json={"text": "It"}).status_code == 401
        client.headers["Authorization"] = "Bearer secret"
        assert client.post("/api/score", json={"text": "It"}).status_code == 200
        assert client.post("/api/score", content=b'{"text": "It"}').status_code == 415
        for text, message in (("", "must not be empty"), ("x" * 11, "at most 10 characters")):
            response = client.post("/api/score", json={"text": text})
            assert (response.status_code, message in response.json()["error"]) == (400, True)


def test_model_describes_the_model_and_its_options(client: httpx.Client) -> None:
    model = client.get("/api/model").json()
    assert model["name"] == "tiny"
    assert model["parameters"] == 7_432_704
    options = {option["name"]: option for option in model["options"]}
    assert options["length"]["maximum"] == 1023
    assert options["length"]["type"] == "integer"
    assert options["temperature"]["default"] == 0.7
    assert "batch_size" not in options


def test_health_and_readiness(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_how_explains_generation(client: httpx.Client) -> None:
    assert "probability for every token" in client.get("/how").text
