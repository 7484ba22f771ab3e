"""The web app over real sockets: its routes, limits, streams, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session
from gpt2_helpers.web import timeouts
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.model_info import start_of
from gpt2_helpers.web.server import Server
from toy_runs import save_run, write_model
from web_server import LONG, address_of, events_of, metric, serving, started, wait_until


@pytest.fixture(scope="module")
def client(tiny: Session) -> Iterator[httpx.Client]:
    with serving(tiny) as client:
        yield client


def connected(client: httpx.Client) -> socket.socket:
    """A plain socket to the server of a client."""
    host, port = client.base_url.host, client.base_url.port
    assert port is not None
    return socket.create_connection((host, port), timeout=20)


# --- The route of gpt-2-cloud-run


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_plain_route_answers_as_gpt2_cloud_run_does(client: httpx.Client, method: str) -> None:
    given = {"length": "20", "temperature": "0.7", "top_k": "40", "prefix": "The garden",
             "truncate": "", "include_prefix": "true"}  # fmt: skip
    sent: Any = {"params": given} if method == "GET" else {"json": given}
    response = client.request(method, "/", **sent)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json().keys() == {"text"}
    assert response.json()["text"].startswith("The garden")


def test_the_plain_route_leaves_the_prefix_out_and_truncates(client: httpx.Client) -> None:
    given: dict[str, Any] = {"length": 40, "prefix": "The garden", "truncate": "e"}
    given["include_prefix"] = "False"
    text = client.get("/", params=given).json()["text"]
    assert not text.startswith("The garden")
    assert "e" not in text


def test_the_plain_route_passes_over_what_it_does_not_know(client: httpx.Client) -> None:
    assert client.get("/", params={"length": 3, "colour": "red"}).status_code == 200


def test_a_length_beyond_the_limit_is_the_limit_on_the_plain_route(tiny: Session) -> None:
    with serving(tiny, max_length=12) as client:
        assert client.get("/", params={"length": 5000}).status_code == 200


def test_head_and_a_browser(client: httpx.Client) -> None:
    head = client.head("/")
    assert (head.status_code, head.text) == (200, "")
    page = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<textarea" in page.text
    assert "Accept" in page.headers["vary"]


def test_all_that_the_page_loads_is_there(client: httpx.Client) -> None:
    for path in Path("gpt2_helpers/web/static").resolve().iterdir():
        assert client.get(f"/page/{path.name}").status_code == 200
    assert client.get("/page/../config.py").status_code == 404
    assert client.get("/page/%2e%2e/config.py").status_code == 404


# --- /api/generate


def test_several_texts_with_a_seed_are_those_of_the_package(
    client: httpx.Client, tiny: Session
) -> None:
    asked = {"prefix": "The garden", "nsamples": 3, "length": 30, "seed": 7}
    told = client.post("/api/generate", json=asked).json()["texts"]
    config = SamplingConfig(nsamples=3, length=30, seed=7)
    alone = Session()  # that of the server is not for others
    alone.load_pretrained("tiny")
    texts = sorted(alone.generate("The garden", config), key=lambda text: text.index)
    assert [one["text"] for one in told] == [str(text) for text in texts]
    assert [one["tokens"] for one in told] == [text.n_tokens for text in texts]


def test_what_each_text_starts_with_is_read_and_not_shown(
    client: httpx.Client, tiny: Session
) -> None:
    asked = {"prefix": "“I am ", "max_new_tokens": 20, "seed": 5}
    said = "She turned to him. "
    with serving(tiny, prompt_prefix=said) as starting:
        (text,) = starting.post("/api/generate", json=asked).json()["texts"]
    asked["prefix"] = said + "“I am "
    (whole,) = client.post("/api/generate", json=asked).json()["texts"]
    assert text["text"].startswith("“I am ")
    assert said + text["text"] == whole["text"]


@pytest.mark.parametrize(("dataset", "start"), [("titles.csv", "<|startoftext|>"), ("a.txt", "")])
def test_a_run_of_a_table_starts_texts_as_its_rows_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, start: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    save_run(step=1)
    path = tmp_path / "checkpoint" / "run1" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "dataset": dataset}), encoding="utf-8")
    session = Session()
    session.load_run("run1")
    assert start_of(session) == start


def test_new_tokens_are_counted_after_the_prefix(client: httpx.Client) -> None:
    asked = {
        "prefix": "The garden of the house, " * 5,
        "max_new_tokens": 4,
        "include_prefix": False,
    }
    (text,) = client.post("/api/generate", json=asked).json()["texts"]
    assert text["tokens"] == 4


def test_many_at_once_get_what_each_gets_alone(client: httpx.Client) -> None:
    asked = [
        {"prefix": prefix, "length": 40, "seed": seed, "top_k": top_k, "temperature": temperature}
        for seed, (prefix, top_k, temperature) in enumerate(
            [("", 0, 0.7), ("The", 5, 1.0), ("I am", 40, 0.0), ("“Why", 0, 1.2)] * 6
        )
    ]

    def answer(one: dict[str, Any]) -> Any:
        return client.post("/api/generate", json=one).json()

    alone = [answer(one) for one in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        assert list(pool.map(answer, asked)) == alone


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is empty"),
        (b"[]", "must be a JSON object"),
        (b"\xff", "must be JSON in UTF-8"),
        (b'{"length": NaN}', "NaN is no number"),
        (b"[" * 100_000, "must be JSON"),
        (b'{"lenght": 5}', "did you mean 'length'"),
        (b'{"length": "5"}', "length must be a whole number, got '5'"),
        (b'{"length": true}', "length must be a whole number"),
        (b'{"length": 0}', "length must be between 1 and 1023"),
        (b'{"length": 1e99}', "length must be"),
        (b'{"temperature": -1}', "temperature must be between 0.0 and 100.0"),
        (b'{"top_p": 1.1}', "top_p must be between"),
        (b'{"nsamples": 9}', "nsamples must be between 1 and 8"),
        (b'{"prefix": null}', "prefix must be a text, got null"),
        (b'{"include_prefix": "yes"}', "include_prefix must be true or false, got 'yes'"),
        (b'{"prefix": "\\ud800"}', "prefix has half of a character"),
        (b'{"prefix": "The garden of", "length": 2}', "length=2 includes the prefix"),
        (b'{"batch_size": 3}', "there is no option 'batch_size'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    client: httpx.Client, body: bytes, said: str
) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/api/generate", "/api/stream"):
        response = client.post(path, content=body, headers=headers)
        assert response.status_code == 400
        assert said in response.json()["error"]
        assert "\n" not in response.json()["error"]


def test_a_prefix_for_which_no_length_is_enough(tiny: Session) -> None:
    with serving(tiny, max_length=20) as client:
        asked = {"prefix": "It was a dark night. " * 9}
        refused = client.post("/api/generate", json={**asked, "length": 5})
        assert refused.status_code == 400
        assert "no length over 20: send the last part" in refused.json()["error"]
        assert client.post("/api/generate", json={**asked, "max_new_tokens": 5}).status_code == 200


def test_who_takes_completions_for_texts_is_told(client: httpx.Client) -> None:
    refused = client.post("/api/complete", json={"prefix": "It was"})
    assert refused.json() == {"error": "there is no option 'prefix' here: send it as text"}


def test_a_prefix_over_the_limit(tiny: Session) -> None:
    with serving(tiny, max_prompt_chars=10) as client:
        response = client.post("/api/generate", json={"prefix": "x" * 11})
        assert (response.status_code, "takes 10" in response.text) == (400, True)
        plain = client.get("/", params={"prefix": "x" * 11, "length": 20}).json()["text"]
        assert plain.startswith("x" * 10)


def test_a_form_of_another_site_is_no_request(client: httpx.Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        response = client.post(
            "/api/generate", content=b'{"length": 3}', headers={"Content-Type": kind}
        )
        assert response.status_code == 415


def test_a_body_over_the_limit_is_not_read(tiny: Session) -> None:
    with serving(tiny, max_prompt_chars=10) as client:
        headers = {"Content-Type": "application/json"}
        long = b" " * 100_000
        told = client.post("/api/generate", content=long, headers=headers)
        unsaid = client.post("/api/generate", content=iter([long] * 3), headers=headers)
        for response in (told, unsaid):
            assert response.status_code == 413
            assert "longer than" in response.json()["error"]


HEAD = b"POST /api/generate HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent", [b"", b"POST /api/gen", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"]
)
def test_who_does_not_send_a_whole_request_is_hung_up_on(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(timeouts, "SENDING", 0.3)
    with serving(tiny) as client, connected(client) as slow:
        slow.sendall(sent)
        assert slow.recv(1000) == b""
        assert client.get("/healthz").status_code == 200
        time.sleep(0.5)  # between two requests one may wait for longer
        assert client.get("/healthz").status_code == 200


def test_an_answer_may_take_longer_than_its_question(
    tiny: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "SENDING", 0.3)
    with serving(tiny, step_seconds=0.02) as client:
        for path in ("/api/generate", "/api/stream"):
            assert client.post(path, json={**LONG, "max_new_tokens": 40}).status_code == 200


def test_unknown_paths_and_methods(client: httpx.Client) -> None:
    assert client.get("/api/nothing").status_code == 404
    for path in ("/nothing", "/docs/", "/api/generate/"):  # no redirect, which would leave https
        response = client.get(path)
        told = f"there is nothing at {path}: /docs lists what there is"
        assert (response.status_code, response.json()["error"]) == (404, told)
    response = client.get("/api/generate")
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert response.json()["error"] == "/api/generate does not take GET: send POST"


# --- /api/stream


def test_a_stream_is_the_text_piece_by_piece(client: httpx.Client) -> None:
    asked = {"prefix": "The garden", "nsamples": 2, "length": 30, "seed": 3}
    whole = [one["text"] for one in client.post("/api/generate", json=asked).json()["texts"]]
    found, pieces, ended = ["", ""], 0, []
    with client.stream("POST", "/api/stream", json=asked) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for name, data in events_of(response):
            if name == "text":
                found[data["index"]] += data["text"]
                pieces += 1
            elif name == "end":
                ended.append(data["index"])
    assert name == "done"
    assert found == whole
    assert sorted(ended) == [0, 1]
    assert pieces > 20


def test_a_stream_comes_while_it_is_written(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05) as client:
        began = time.monotonic()
        with client.stream("POST", "/api/stream", json=LONG) as response:
            events = events_of(response)
            next(events)
            first = time.monotonic() - began
            for _ in range(20):
                next(events)
            later = time.monotonic() - began
        assert later - first > 0.5
        assert first < later / 2


def test_who_leaves_takes_the_text_along(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.02) as client:
        with client.stream(
            "POST", "/api/stream", json={**LONG, "max_new_tokens": 1000}
        ) as response:
            next(events_of(response))
            assert metric(client, "gpt2_texts_writing") == 1
        wait_until(lambda: metric(client, "gpt2_texts_writing") == 0, 5)
        assert metric(client, "gpt2_tokens_total") < 500


def test_who_leaves_an_answer_takes_the_text_along(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.02) as client:
        body = json.dumps({**LONG, "max_new_tokens": 1000})
        with connected(client) as left:
            left.sendall(
                f"POST /api/generate HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            wait_until(lambda: metric(client, "gpt2_texts_writing") == 1)
        wait_until(lambda: metric(client, "gpt2_texts_writing") == 0, 5)
        assert metric(client, "gpt2_tokens_total") < 500


# --- /api/complete


def test_completions_are_short_different_and_of_one_line(client: httpx.Client) -> None:
    response = client.post("/api/complete", json={"text": "“I am very glad to"})
    found = response.json()["completions"]
    assert 1 <= len(found) <= 3
    assert len(set(found)) == len(found)
    assert all(0 < len(text) < 120 and "\n" not in text.strip() for text in found)


def test_without_temperature_there_is_one_completion(client: httpx.Client) -> None:
    asked = {"text": "“I am very glad to", "temperature": 0.0}
    first, second = (client.post("/api/complete", json=asked).json() for _ in range(2))
    assert len(first["completions"]) == 1
    assert first == second


def test_completions_go_before_what_waits(tiny: Session) -> None:
    with (
        serving(tiny, step_seconds=0.02, batch_size=8) as client,
        ThreadPoolExecutor(20) as pool,
    ):
        waiting = [
            pool.submit(client.post, "/api/generate", json={**LONG, "max_new_tokens": 40 + 3 * n})
            for n in range(20)
        ]
        wait_until(lambda: metric(client, "gpt2_texts_waiting") > 5)
        assert client.post("/api/complete", json={"text": "The"}).status_code == 200
        assert sum(not one.done() for one in waiting) > 5


# --- Limits


def test_beyond_the_queue_one_is_told_when_to_come_back(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.02, batch_size=2, max_queue=3, max_nsamples=1) as client:
        with ThreadPoolExecutor(12) as pool:
            answers = list(
                pool.map(lambda _: client.post("/api/generate", json={"length": 30}), range(12))
            )
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 3
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert "ask again" in refused.json()["error"]
        assert client.post("/api/generate", json={"length": 5}).status_code == 200


def test_a_request_that_finds_room_is_never_refused(tiny: Session) -> None:
    with serving(tiny, batch_size=2, max_queue=2, max_nsamples=4) as client:
        asked = {"nsamples": 4, "max_new_tokens": 3}
        assert client.post("/api/generate", json=asked).status_code == 200
        assert client.post("/api/complete", json={"text": "The"}).status_code == 200
    with pytest.raises(OptionError, match="max_nsamples=8 texts of one request must find a place"):
        ServeConfig(batch_size=2, max_queue=2)


def test_a_request_over_its_time(tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05, request_timeout=0.5) as client:
        response = client.post("/api/generate", json=LONG)
        assert response.status_code == 504
        assert "shorter length" in response.json()["error"]
        with client.stream("POST", "/api/stream", json=LONG) as stream:
            *pieces, (name, data) = events_of(stream)
        assert pieces
        assert (name, data["status"]) == ("error", 504)
        assert metric(client, "gpt2_texts_writing") == 0


def test_a_client_over_its_rate(tiny: Session) -> None:
    with serving(tiny, rate_limit=3, trusted_proxies=1) as client:

        def ask(address: str) -> httpx.Response:
            forwarded = [("X-Forwarded-For", "made up"), ("X-Forwarded-For", address)]
            return client.get("/", params={"length": 2}, headers=forwarded)

        assert [ask("192.0.2.1").status_code for _ in range(4)] == [200, 200, 200, 429]
        assert 1 <= int(ask("192.0.2.1").headers["retry-after"]) <= 20
        assert ask("192.0.2.2").status_code == 200
        assert client.get("/healthz").status_code == 200


# --- Who may ask


def test_a_key(tiny: Session) -> None:
    with serving(tiny, key="open sesame") as client:
        for path in ("/api/model", "/metrics", "/?length=2"):
            refused = client.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert "asks for its key" in refused.json()["error"]
            for given in ("Bearer open", "Basic open sesame", "open sesame", "Bearer õ"):
                wrong = client.get(path, headers={b"Authorization": given.encode()})
                assert wrong.status_code == 401
                about_the_key = "not this server's key" in wrong.json()["error"]
                assert about_the_key == given.startswith("Bearer")
            right = {"Authorization": "Bearer open sesame"}
            assert client.get(path, headers=right).status_code == 200
        for path in ("/healthz", "/readyz", "/how", "/docs", "/page/page.js"):
            assert client.get(path).status_code == 200
        assert client.get("/", headers={"Accept": "text/html"}).status_code == 200


def test_a_key_from_a_file_loses_its_last_newline(tiny: Session) -> None:
    with serving(tiny, key="open sesame\n") as client:
        headers = {"Authorization": "Bearer open sesame"}
        assert client.get("/api/model", headers=headers).status_code == 200
    for key in ("", " \n", "schlüssel", "two\nlines"):
        with pytest.raises(OptionError, match="the key must be"):
            Server(tiny, ServeConfig(port=0), key)


def test_pages_of_other_sites(tiny: Session) -> None:
    with serving(tiny, allow_origins="https://a.example") as client:
        for origin, allowed in [("https://a.example", True), ("https://b.example", False)]:
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            answer = client.options("/api/generate", headers=headers)
            assert answer.status_code == 204
            assert ("access-control-allow-origin" in answer.headers) == allowed
            assert "Origin" in answer.headers["vary"]
        answer = client.options("/", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "*"


def test_every_answer_has_a_strict_policy(client: httpx.Client) -> None:
    for path in ("/", "/how", "/docs", "/page/page.js", "/nothing", "/metrics"):
        headers = client.get(path, params={"length": 2}).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_the_log_holds_nothing_of_what_was_written(
    tiny: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(tiny, access_log=True, key="open sesame") as client:
        headers = {"Authorization": "Bearer open sesame"}
        client.get("/", params={"prefix": "a secret garden", "length": 9}, headers=headers)
        client.post("/api/generate", json={"prefix": "a secret"}, headers=headers)
        client.get("/no%0Asuch", headers=headers)
    said = capfd.readouterr().err
    assert "GET / 200" in said
    assert "POST /api/generate 200" in said
    assert "secret" not in said
    assert "sesame" not in said
    assert all(line.startswith(("GET ", "POST ")) for line in said.splitlines())


# --- Descriptions


def test_the_model_says_what_it_is_and_takes(client: httpx.Client) -> None:
    told = client.get("/api/model").json()
    assert told["name"] == "tiny"
    assert told["parameters"] == 5_853_184
    options = {option["name"]: option for option in told["options"]}
    assert options["length"]["maximum"] == 1023
    assert options["temperature"]["default"] == 0.7
    assert "batch_size" not in options


def test_the_description_names_every_route(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    page = client.get("/docs").text
    assert {"/", "/api/generate", "/api/stream", "/api/complete"} <= document["paths"].keys()
    for path in document["paths"]:
        assert f"{path}</code>" in page
    schema = document["paths"]["/api/generate"]["post"]["requestBody"]["content"]
    assert schema["application/json"]["schema"]["properties"]["top_p"]["maximum"] == 1.0


def test_metrics_count(client: httpx.Client) -> None:
    before = metric(client, "gpt2_tokens_total")
    client.post("/api/generate", json={"max_new_tokens": 7, "nsamples": 2, "temperature": 0.0})
    assert metric(client, "gpt2_tokens_total") == before + 14
    client.get("/made-up-by-somebody")
    text = client.get("/metrics").text
    assert 'gpt2_requests_total{route="/api/generate",status="200"}' in text
    assert "made-up" not in text
    assert "gpt2_request_seconds_bucket" in text
    assert metric(client, "gpt2_tokens_per_second") > 0


# --- Beginning and ending


def test_a_taken_port_is_told(tiny: Session) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OptionError, match="give another port, or 0"):
            Server(tiny, ServeConfig(port=taken.getsockname()[1]))
    for host in ("nowhere.invalid", "192.0.2.1"):
        with pytest.raises(OptionError, match="host must be an address of this machine"):
            Server(tiny, ServeConfig(port=0, host=host))


def test_options_that_do_not_go_together() -> None:
    with pytest.raises(OptionError, match="lower max_nsamples or raise one of these"):
        ServeConfig(batch_size=1, max_queue=1)
    with pytest.raises(OptionError, match="allow_origins must be .*got 'foo bar'"):
        ServeConfig(allow_origins="https://a.example, foo bar")


@pytest.mark.parametrize(
    ("arguments", "port", "said"),
    [
        (["--checkpoint", "model-5"], "0", "give its --run-name too"),
        ([], "abc", "PORT of the environment must be a port's number, got 'abc'"),
        (["--host", "0.0.0.0"], "99999", "port must be between 0 and 65535"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    tmp_path: Path, arguments: list[str], port: str, said: str
) -> None:
    with started(tmp_path, *arguments, PORT=port) as process:
        told = process.communicate(timeout=60)[1].splitlines()[-1]
        assert process.returncode == 2
        assert said in told


def test_a_failing_model_fails_its_texts_alone(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(tiny) as client:
        from gpt2_helpers.generation.decoder import Decoder

        def fails(*_: Any) -> None:
            raise RuntimeError("the memory\nis gone")

        with monkeypatch.context() as patch:
            patch.setattr(Decoder, "step", fails)
            response = client.post("/api/generate", json={"length": 5})
        assert response.status_code == 500
        assert response.json() == {
            "error": "the model failed: ask again; the server's own log says why"
        }
        assert "RuntimeError: the memory" in capfd.readouterr().err
        assert client.post("/api/generate", json={"length": 5}).status_code == 200


def test_no_thread_is_left(tiny: Session) -> None:
    before = set(threading.enumerate())
    with serving(tiny) as client:
        client.get("/", params={"length": 3})
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert not [name for name in names if name.startswith("gpt2-")]


def test_sigterm_lets_texts_come_to_their_end(tmp_path: Path) -> None:
    with started(tmp_path, "--port", "0", PORT="1") as process:
        with httpx.Client(base_url=address_of(process), timeout=60) as client:
            assert client.get("/readyz").status_code == 200
            with client.stream("POST", "/api/stream", json=LONG) as response:
                events = events_of(response)
                next(events)
                process.send_signal(signal.SIGTERM)
                names = [name for name, _ in events]
            assert names[-2:] == ["end", "done"]
            with pytest.raises(httpx.TransportError):
                httpx.get(str(client.base_url), timeout=2)
        assert process.wait(20) == 0


def test_sigterm_refuses_what_takes_too_long(tmp_path: Path) -> None:
    with started(
        tmp_path, "--port", "0", "--shutdown-timeout", "0.5", "--max-length", "100000"
    ) as process:
        with httpx.Client(base_url=address_of(process), timeout=60) as client:
            asked = {**LONG, "max_new_tokens": 90_000, "truncate": "\x00"}
            with client.stream("POST", "/api/stream", json=asked) as response:
                events = events_of(response)
                next(events)
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                *_, (name, data) = events
            assert (name, data.get("status")) == ("error", 503)
            assert time.monotonic() - began < 5
        assert process.wait(20) == 0


def test_the_port_of_the_environment(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with started(tmp_path, PORT=str(port)) as process:
        address = address_of(process)
        assert address.endswith(f":{port}/")
        assert httpx.get(f"{address}healthz", timeout=20).json() == {"status": "alive"}


# --- From a notebook


def test_a_notebook_shows_a_link_and_the_next_call_takes_its_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = gpt2.serve(batch_size=2)
    assert f"tiny at {first.url}" in capsys.readouterr().out
    assert httpx.get(first.url, params={"length": 3}, timeout=20).json()["text"]
    second = gpt2.serve(model_name="tiny", batch_size=2)
    try:
        with pytest.raises(httpx.TransportError):
            httpx.get(first.url, timeout=2)
        policy = httpx.get(f"{second.url}how", timeout=20).headers["content-security-policy"]
        assert policy.endswith("frame-ancestors 'self'")
    finally:
        second.stop()
    second.stop()  # as often as one likes


def test_in_colaboratory_the_page_is_below_the_cell(
    colaboratory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.colab import output

    shown: list[int] = []
    monkeypatch.setattr(output, "serve_kernel_port_as_iframe", lambda port, **_: shown.append(port))
    server = gpt2.serve(batch_size=2)
    try:
        assert shown == [server.port]
        policy = httpx.get(f"{server.url}how", timeout=20).headers["content-security-policy"]
        assert "https://colab.research.google.com" in policy
    finally:
        server.stop()


def test_what_a_notebook_cannot_serve() -> None:
    with pytest.raises(OptionError, match="no option 'prot'.*'port'"):
        gpt2.serve(prot=3)
    with pytest.raises(OptionError, match="give one of them"):
        gpt2.serve("run1", model_name="tiny")
    with pytest.raises(OptionError, match="run_name must be a text, got 5"):
        gpt2.serve(5)  # type: ignore[arg-type]
