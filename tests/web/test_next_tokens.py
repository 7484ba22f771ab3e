"""The list of next tokens of the page, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from open_page import PROMPT, OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHOSEN = '.next-token[aria-selected="true"] .next-text'


def next_tokens(address: str, text: str) -> list[dict[str, Any]]:
    """The tokens that the server returns."""
    body = {"text": text}
    tokens: list[dict[str, Any]] = httpx.post(
        f"{address}api/next-tokens", json=body, timeout=300
    ).json()["tokens"]
    return tokens


def open_list(page: Page, text: str) -> None:
    page.fill("#editor", text)
    page.click("#show-next")
    page.locator("#next-list:not([aria-busy]) .next-token").first.wait_for()


def wait_for_list(page: Page, first: str) -> None:
    """Wait until the likeliest token of the list is another one."""
    shown = first.replace(" ", "␣").replace("\n", "↵")
    text = re.compile(f"^{re.escape(shown)}$")
    ready = "#next-list:not([aria-busy]) #next-token-0 .next-text"
    page.locator(ready, has_text=text).wait_for()


def test_the_likeliest_tokens_have_their_probabilities(opened: OpenPage, address: str) -> None:
    page = opened.page
    open_list(page, PROMPT)
    expected = next_tokens(address, PROMPT)
    shown = page.locator(".next-text").all_inner_texts()
    assert shown == [token["text"].replace(" ", "␣").replace("\n", "↵") for token in expected]
    shares = page.locator(".next-share").all_inner_texts()
    assert len(shares) == 10
    first = float(shares[0].removesuffix("%"))
    assert first == pytest.approx(100 * expected[0]["probability"], rel=0.05)
    assert page.locator("#show-next").get_attribute("aria-expanded") == "true"
    opened.screenshot("web-next-tokens")


def test_tokens_are_chosen_with_the_keyboard(opened: OpenPage, address: str) -> None:
    page = opened.page
    open_list(page, f"{PROMPT} ")  # the space is replaced by that of the token
    tokens = next_tokens(address, PROMPT)
    page.keyboard.press("ArrowDown")
    assert page.locator(CHOSEN).inner_text() == tokens[1]["text"].replace(" ", "␣")
    page.keyboard.press("Enter")
    second = PROMPT + tokens[1]["text"]
    following = next_tokens(address, second)
    wait_for_list(page, following[0]["text"])
    assert page.input_value("#editor") == second
    page.keyboard.press("3")
    third = second + following[2]["text"]
    wait_for_list(page, next_tokens(address, third)[0]["text"])
    assert page.input_value("#editor") == third
    page.keyboard.press("Backspace")
    wait_for_list(page, following[0]["text"])
    assert page.input_value("#editor") == second
    page.click("#next-undo")
    wait_for_list(page, tokens[0]["text"])
    assert page.input_value("#editor") == f"{PROMPT} "
    assert page.locator("#next-undo").is_disabled()
    page.focus("#next-list")
    page.keyboard.press("Escape")
    assert page.locator("#next-tokens").is_hidden()
    assert page.locator("#editor:focus").count() == 1


def test_the_list_follows_the_cursor(opened: OpenPage, address: str) -> None:
    page = opened.page
    open_list(page, "It was a THE END")
    page.locator("#editor").evaluate(
        "(editor) => { editor.focus(); editor.setSelectionRange(8, 8); }"
    )
    tokens = next_tokens(address, "It was a")
    wait_for_list(page, tokens[0]["text"])
    page.locator(".next-token").first.click()
    wait_for_list(page, next_tokens(address, "It was a" + tokens[0]["text"])[0]["text"])
    assert page.input_value("#editor") == f"It was a{tokens[0]['text']} THE END"


def test_another_token_is_chosen_inside_a_generated_text(opened: OpenPage, address: str) -> None:
    page = opened.page
    opened.set_slider("temperature", 0)  # the same text each time
    text = opened.generate()
    page.click("text=Show probabilities")
    spans = page.locator(".probabilities span")
    spans.first.wait_for()
    parts = spans.all_text_contents()
    page.focus(".probabilities")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.click("text=Choose another token here")
    before = "".join(parts[:3])
    wait_for_list(page, next_tokens(address, before)[0]["text"])
    assert page.input_value("#editor") == before
    assert text.startswith(before)


def test_a_token_is_chosen_after_a_generated_space(opened: OpenPage) -> None:
    page, sent = opened.page, []

    def answer(route: Any) -> None:
        sent.append(route.request.post_data_json["text"])
        route.fulfill(json={"tokens": [{"id": 7, "text": "two", "probability": 0.9}]})

    opened.generate()
    score = {"tokens": ["It", " ", "was"], "logprobs": [0, -1, -2], "perplexity": 3}
    page.route("**/api/score", lambda route: route.fulfill(json=score | {"bits_per_byte": 1}))
    page.route("**/api/next-tokens", answer)
    page.click("text=Show probabilities")
    page.focus(".probabilities")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.click("text=Choose another token here")
    page.locator(".next-text", has_text="two").wait_for()
    page.locator(".next-token").click()
    page.locator("#next-undo:enabled").wait_for()
    assert page.input_value("#editor") == "It two"
    assert sent[0] == "It "


def test_a_character_is_chosen_in_parts(opened: OpenPage) -> None:
    page, sent = opened.page, []

    def answer(route: Any) -> None:
        body = route.request.post_data_json
        sent.append(body)
        whole = {"id": 7, "text": "水", "probability": 0.9}
        part = {"id": 5, "text": None, "probability": 0.5}
        end = {"id": 0, "text": "", "probability": 0.1}
        route.fulfill(json={"tokens": [whole] if body["ids"] else [part, end]})

    page.route("**/api/next-tokens", answer)
    open_list(page, "It")
    assert page.locator(".next-text").all_inner_texts() == [
        "part of a character",
        "end of the text",
    ]
    page.keyboard.press("2")
    assert "end the text here" in page.locator("#next-info").inner_text()
    assert len(sent) == 1
    page.keyboard.press("1")
    page.locator(".next-text", has_text="水").wait_for()
    assert (sent[1]["text"], sent[1]["ids"]) == ("It", [5])
    assert page.input_value("#editor") == "It"
    page.keyboard.press("1")
    page.locator(".next-text", has_text="end of the text").wait_for()
    assert page.input_value("#editor") == "It水"
    assert sent[2]["ids"] == []


def test_an_error_closes_the_list(opened: OpenPage) -> None:
    page = opened.page
    page.route("**/api/next-tokens", lambda route: route.abort())
    page.click("#show-next")
    page.locator("#notice", has_text="cannot be reached").wait_for()
    assert page.locator("#next-tokens").is_hidden()
    opened.messages.clear()  # the browser reports the failed request


def test_the_list_fits_a_phone(chromium: Browser, address: str) -> None:
    opened = OpenPage(
        chromium, address, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    page = opened.page
    page.fill("#editor", PROMPT)
    page.tap("#show-next")
    page.locator("#next-list:not([aria-busy]) .next-token").first.wait_for()
    opened.screenshot("web-next-tokens-phone")
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 360
    heights = page.locator(".next-token").evaluate_all("all => all.map((row) => row.offsetHeight)")
    assert min(heights) >= 44
    tokens = next_tokens(address, PROMPT)
    page.locator(".next-token").nth(1).tap()
    page.wait_for_function(
        "(text) => document.querySelector('#editor').value === text", arg=PROMPT + tokens[1]["text"]
    )
    assert opened.messages == []
    opened.context.close()


def test_a_chosen_space_is_part_of_the_text(opened: OpenPage) -> None:
    page, sent = opened.page, []

    def answer(route: Any) -> None:
        sent.append(route.request.post_data_json["text"])
        text = "the" if sent[-1].endswith(" ") else " "
        route.fulfill(json={"tokens": [{"id": 5, "text": text, "probability": 0.5}]})

    page.route("**/api/next-tokens", answer)
    open_list(page, "It ")
    page.keyboard.press("1")
    page.locator(".next-text", has_text="the").wait_for()
    page.keyboard.press("1")
    page.locator(".next-text", has_text="\u2423").wait_for()
    assert page.input_value("#editor") == "It the"
    page.keyboard.press("Backspace")
    page.locator(".next-text", has_text="the").wait_for()
    assert page.input_value("#editor") == "It "
    assert sent == ["It", "It ", "It the", "It "]


def test_the_tokens_of_another_place_cannot_be_chosen(opened: OpenPage) -> None:
    page = opened.page
    open_list(page, "It was")
    value = page.evaluate(
        """() => {
          const editor = document.getElementById("editor");
          editor.setRangeText(" not", 6, 6, "end");
          editor.dispatchEvent(new InputEvent("input"));
          document.querySelector(".next-token").click();
          return editor.value;
        }"""
    )
    assert value == "It was not"
    page.locator("#next-list:not([aria-busy]) .next-token").first.wait_for()
