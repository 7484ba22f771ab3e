"""The page with several models, and with a model of prompts and completions."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gpt2_helpers.session import Session
from open_page import OpenPage, sent_by
from toy_runs import save_run, write_model
from web_server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def session_with_prompts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session with a toy run that was trained on prompts and completions."""
    monkeypatch.chdir(folder)
    write_model()
    save_run(step=1)
    path = folder / "checkpoint" / "run1" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    recorded = {"has_prompts": True, "prompt_prefix": "<|startoftext|>"}
    path.write_text(json.dumps({**record, **recorded}), encoding="utf-8")
    session = Session()
    session.load_run("run1")
    return session


def test_a_completion_is_shown_whole(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_with_prompts(tmp_path, monkeypatch)
    prompt = "What is the best thing that you have ever been to?"
    with serving(session) as client:
        options = {"max_new_tokens": 30, "temperature": 0.0, "finish_sentence": False}
        (expected,) = client.post("/api/generate", json={"prefix": prompt, **options}).json()[
            "texts"
        ]
        opened = OpenPage(chromium, str(client.base_url))
        opened.set_slider("max_new_tokens", 30)
        opened.set_slider("temperature", 0)
        opened.page.uncheck("#option-finish_sentence")
        opened.generate(prompt)
        shown, generated = opened.page.locator(".result-text").evaluate(
            "({ firstChild, lastChild }) => [firstChild.textContent, lastChild.data]"
        )
        assert len(expected["text"]) > 20
        assert generated == expected["text"]
        assert shown == f"{prompt}\n\n"
        opened.context.close()


def test_the_model_that_was_chosen_last_is_shown(chromium: Browser, address: str) -> None:
    info = httpx.get(f"{address}api/model").json() | {"models": ["first", "slow", "fast"]}
    held: list[Any] = []

    def answer(route: Any) -> None:
        name = route.request.url.partition("model=")[2]
        if name == "slow":
            held.append(route)
        else:
            route.fulfill(json={**info, "name": name or "first"})

    with closing(chromium.new_context()) as context:
        context.route("**/api/model*", answer)
        page = context.new_page()
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        with page.expect_request("**/api/model?model=slow"):
            page.select_option("#model", "slow")
        page.select_option("#model", "fast")
        page.locator("h1", has_text="Write with fast").wait_for()
        with page.expect_response("**/api/model?model=slow"):
            held[0].fulfill(json={**info, "name": "slow"})
        page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
        assert page.locator("h1").inner_text() == "Write with fast"
        page.route("**/api/stream", lambda route: route.fulfill(status=404, json={"error": "no"}))
        with page.expect_request("**/api/stream") as request:
            page.click("#generate")
        assert sent_by(request)["model"] == "fast"


def test_a_model_can_be_chosen_while_another_writes(chromium: Browser, address: str) -> None:
    info = httpx.get(f"{address}api/model").json()

    def answer(route: Any) -> None:
        name = route.request.url.partition("model=")[2] or "first"
        route.fulfill(json={**info, "name": name, "models": ["first", "second"]})

    with closing(chromium.new_context()) as context:
        context.route("**/api/model*", answer)
        page = context.new_page()
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        waiting: list[Any] = []
        page.route("**/api/stream", lambda route: waiting.append(route))
        page.click("#generate")
        page.locator(".result.generating").wait_for()
        page.select_option("#model", "second")
        page.locator("h1", has_text="Write with second").wait_for()
        assert page.locator("#generate").is_disabled()
        waiting[0].fulfill(status=400, json={"error": "no"})
        page.locator("#generate:enabled").wait_for()


def test_the_first_of_several_texts_is_on_top(opened: OpenPage) -> None:
    events = "".join(
        f'event: text\ndata: {{"index": {index}, "text": "The text {index}"}}\n\n'
        f'event: end\ndata: {{"index": {index}, "tokens": 3, "finish_reason": "stop"}}\n\n'
        for index in range(3)
    )
    opened.page.route(
        "**/api/stream",
        lambda route: route.fulfill(
            content_type="text/event-stream", body=f"{events}event: done\ndata: {{}}\n\n"
        ),
    )
    opened.set_slider("nsamples", 3)
    opened.generate("The")
    texts = opened.page.locator(".result-text").all_inner_texts()
    assert texts == ["The text 0", "The text 1", "The text 2"]


def test_the_list_of_next_tokens_is_that_of_the_chosen_model(
    chromium: Browser, address: str
) -> None:
    info = httpx.get(f"{address}api/model").json()
    tokens = [{"id": 5, "text": " a", "probability": 0.5}]
    with closing(chromium.new_context()) as context:
        context.route(
            "**/api/model*",
            lambda route: route.fulfill(json={**info, "models": ["first", "second"]}),
        )
        context.route("**/api/next-tokens", lambda route: route.fulfill(json={"tokens": tokens}))
        page = context.new_page()
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        page.fill("#editor", "It was")
        page.click("#show-next")
        page.locator("#next-list:not([aria-busy]) .next-token").first.wait_for()
        with page.expect_request("**/api/next-tokens") as request:
            page.select_option("#model", "second")
        assert sent_by(request)["model"] == "second"
