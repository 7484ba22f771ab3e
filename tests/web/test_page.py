"""The page in a real browser: what a user types, presses and sees.

With PICTURES=FOLDER in the environment the screenshots of the README go there (`make pictures`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gpt2_helpers.session import Session
from jupyterlab_session import browser
from web_server import address_of, serving, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TIMEOUT = 30_000  # milliseconds for each step
PROMPT = "It was a dark night, and"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def address(tiny: Session) -> Iterator[str]:
    with serving(tiny) as client:
        yield str(client.base_url)


class OpenPage:
    """An open page, and the messages of its console."""

    def __init__(self, chromium: Browser, address: str, **context: Any) -> None:
        self.context = chromium.new_context(**context)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.messages: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.go(address)

    def go(self, address: str) -> None:
        self.page.goto(address)
        self.page.locator("#generate:enabled").wait_for()

    def generate(self, text: str = PROMPT) -> str:
        """Generate from a prompt; returns the text of the newest card."""
        self.page.fill("#editor", text)
        self.page.click("#generate")
        self.page.locator("#status", has_text="Done").wait_for()
        return self.page.locator(".result-text").first.inner_text()

    def start_generating(self) -> None:
        """Generate from the prompt until the first words are there."""
        self.page.fill("#editor", PROMPT)
        self.page.click("#generate")
        started = re.compile(r"night, and\s*\S")
        self.page.locator(".result.generating .result-text", has_text=started).wait_for()

    def set_slider(self, name: str, value: float) -> None:
        self.page.locator(f"#option-{name}").evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }",
            value,
        )

    def clipboard(self) -> str:
        text: str = self.page.evaluate("() => navigator.clipboard.readText()")
        return text

    def screenshot(self, name: str) -> None:
        if folder := os.environ.get("PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
def opened(chromium: Browser, address: str) -> Iterator[OpenPage]:
    opened = OpenPage(chromium, address, viewport={"width": 1100, "height": 760})
    try:
        yield opened
        assert opened.messages == []
    finally:
        opened.context.close()


def test_a_text_streams_in_with_its_prompt_in_bold(chromium: Browser, tiny: Session) -> None:
    # Slowed down, to see the text before it is complete.
    with serving(tiny, step_seconds=0.03) as client:
        size = {"width": 1100, "height": 760}
        opened = OpenPage(chromium, str(client.base_url), viewport=size)
        opened.set_slider("max_new_tokens", 300)
        opened.start_generating()
        early = opened.page.locator(".result-text").inner_text()
        opened.page.locator("#status", has_text=re.compile(r"Done: \d+ words?\.")).wait_for()
        text = opened.page.locator(".result-text").inner_text()
        assert text.startswith(PROMPT)
        assert text.startswith(early.rstrip("▍"))
        assert opened.page.locator(".result-text strong").inner_text() == PROMPT
        assert opened.page.locator(".result-info").inner_text().endswith("Machine-generated: tiny")
        opened.screenshot("web")
        assert opened.messages == []
        opened.context.close()


def test_the_page_says_that_a_model_writes(opened: OpenPage) -> None:
    assert opened.page.locator("h1").inner_text() == "Write with tiny"
    assert "English stories and novels" in opened.page.locator("#model-description").inner_text()
    assert "Generated text may be wrong" in opened.page.locator("footer").inner_text()
    opened.page.click("footer >> text=How it works")
    assert "made up" in opened.page.locator("main").inner_text()
    opened.page.click("text=Back to writing")
    opened.page.locator("#generate:enabled").wait_for()


def test_tab_suggests_continuations_and_enter_accepts_one(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", PROMPT)
    page.focus("#editor")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.locator(".completion").first.wait_for()
    opened.screenshot("web-complete")
    completions = page.locator(".completion").all_inner_texts()
    assert 1 <= len(completions) <= 3
    assert page.locator("#editor").get_attribute("aria-activedescendant") == "completion-0"
    page.keyboard.press("ArrowDown")
    chosen = page.locator('.completion[aria-selected="true"]').get_attribute("data-text")
    page.keyboard.press("Enter")
    assert page.input_value("#editor") == f"{PROMPT}{chosen}"
    assert page.locator(".completion").count() == 0
    assert page.locator("#status").inner_text() == ""


def test_a_continuation_is_inserted_at_the_cursor(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", "It was a THE END")
    page.focus("#editor")
    page.locator("#editor").evaluate("(editor) => editor.setSelectionRange(8, 8)")
    page.click("#complete")
    page.locator(".completion").first.click()
    assert re.fullmatch(r"It was a\s.+ THE END", page.input_value("#editor"), re.DOTALL)


def test_tab_leaves_the_editor_after_escape(opened: OpenPage) -> None:
    opened.page.focus("#editor")
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("Tab")
    assert opened.page.locator("#generate:focus").count() == 1


def test_everything_works_by_keyboard(opened: OpenPage) -> None:
    page = opened.page
    page.focus("#editor")
    page.keyboard.type(PROMPT)
    page.keyboard.press("Control+Enter")
    page.locator("#status", has_text="Done").wait_for()
    page.focus("#option-temperature")
    before = page.locator("#option-temperature").get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert page.locator("#option-temperature").get_attribute("aria-valuetext") != before


def test_sliders_change_the_texts(opened: OpenPage) -> None:
    opened.set_slider("temperature", 0)
    opened.set_slider("max_new_tokens", 10)
    assert "deterministic" in opened.page.locator("#settings").inner_text()
    assert opened.generate() == opened.generate()
    opened.set_slider("nsamples", 3)
    opened.set_slider("temperature", 1.2)
    opened.generate()
    assert opened.page.locator(".result").count() == 5
    opened.page.click("#reset")
    assert "0.7 · balanced" in opened.page.locator("#settings").inner_text()


def test_a_new_option_of_the_server_gets_a_slider(chromium: Browser, address: str) -> None:
    info = httpx.get(f"{address}api/model").json()
    new = {"name": "new_option", "type": "number", "label": "New option", "help": "a new option"}
    info["options"].append(
        {**new, "default": 0.5, "minimum": 0, "maximum": 2, "suggested_range": [0, 1]}
    )
    with contextlib.closing(chromium.new_context()) as context:
        context.route("**/api/model", lambda route: route.fulfill(json=info))
        page = context.new_page()
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        assert page.input_value("#option-new_option") == "0.5"
        page.click("#advanced summary")
        assert "New option" in page.locator("#advanced").inner_text()
        names = page.locator("#settings input").evaluate_all("all => all.map(({name}) => name)")
    expected = ["max_new_tokens", "temperature", "nsamples", "finish_sentence"]
    assert names == [*expected, "top_k", "top_p", "new_option"]


def test_a_link_to_the_settings_contains_them_and_the_prompt(
    opened: OpenPage, address: str
) -> None:
    text = "Why & how #1?\nThe “second” line"
    opened.page.fill("#editor", text)
    opened.set_slider("temperature", 1.1)
    opened.set_slider("top_k", 7)
    opened.page.uncheck("#option-finish_sentence")
    opened.page.click("#copy-settings")
    opened.page.locator("#copy-settings", has_text="Link copied").wait_for()
    link = opened.clipboard()
    assert link.startswith(f"{address}#")
    other = opened.context.new_page()
    other.goto(link)
    other.locator("#generate:enabled").wait_for()
    assert other.input_value("#editor") == text
    assert other.input_value("#option-temperature") == "1.1"
    assert other.input_value("#option-top_k") == "7"
    assert not other.is_checked("#option-finish_sentence")


def test_the_page_takes_the_parameters_of_gpt2_cloud_run(opened: OpenPage, address: str) -> None:
    opened.go(f"{address}?prefix=The%20garden&length=20&temperature=abc")
    assert opened.page.input_value("#editor") == "The garden"
    assert opened.page.input_value("#option-max_new_tokens") == "20"
    assert opened.page.input_value("#option-temperature") == "0.7"


def test_copying_without_the_clipboard_api(chromium: Browser, address: str) -> None:
    opened = OpenPage(chromium, address)  # as over plain http from another machine
    opened.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    text = opened.generate()
    opened.page.click("text=Copy text")
    opened.page.locator(".result >> text=Copied").wait_for()
    opened.page.fill("#editor", "")
    opened.page.focus("#editor")
    opened.page.keyboard.press("Control+v")
    assert opened.page.input_value("#editor").strip() == text.strip()
    opened.context.close()


def shared_link(opened: OpenPage) -> str:
    opened.page.click("text=Share link")
    opened.page.locator("text=Link copied").wait_for()
    return opened.clipboard()


def test_a_share_link_contains_the_text_and_opens_as_a_page(opened: OpenPage, address: str) -> None:
    prompt = "“Why?” <b>asked</b> the 🦊 & left.\n\nThen"
    text = opened.generate(prompt)
    link = shared_link(opened)
    assert link.startswith(f"{address}#")
    requests: list[str] = []
    other = opened.context.new_page()
    other.on("request", lambda request: requests.append(f"{request.url} {request.post_data}"))
    other.goto(link)
    other.locator("#reader").wait_for()
    assert other.locator("#shared-text").inner_text() == text
    assert other.locator("#shared-text strong").inner_text() == prompt
    assert "Machine-generated: tiny" in other.locator("#shared-info").inner_text()
    assert other.title().startswith("“Why?” <b>asked</b> the 🦊")
    assert not other.locator("#editor").is_visible()
    assert not [request for request in requests if "/api/" in request or "asked" in request]
    other.click("text=Continue this text")
    other.locator("#generate:enabled").wait_for()
    assert other.input_value("#editor") == text
    other.go_back()
    other.locator("#reader").wait_for()
    other.click("text=Write your own")
    other.locator("#generate:enabled").wait_for()
    assert other.url == address
    assert other.input_value("#editor") == ""


def test_a_share_link_without_compression_is_longer_but_works(opened: OpenPage) -> None:
    opened.page.evaluate("() => { delete globalThis.CompressionStream; }")
    text = opened.generate("The garden & the #1")
    link = shared_link(opened)
    assert "prompt=The+garden" in link
    opened.page.goto("about:blank")
    opened.page.goto(link)
    opened.page.locator("#reader").wait_for()
    assert opened.page.locator("#shared-text").inner_text() == text


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("shared=q1YqKC", "incomplete or damaged"),
        ("shared=%F0", "incomplete or damaged"),
        ("shared=qwMA", "incomplete or damaged"),  # not an object: null
        ("text=&prompt=+", "contains no text"),
    ],
)
def test_a_damaged_share_link_leads_to_the_editor(
    opened: OpenPage, address: str, fragment: str, message: str
) -> None:
    opened.page.goto("about:blank")
    opened.go(f"{address}#{fragment}")
    opened.page.locator("#notice", has_text=message).wait_for()
    assert opened.page.locator("#editor").is_visible()


def sent_by(request: Any) -> dict[str, Any]:
    """The JSON of an expected request."""
    sent: dict[str, Any] = request.value.post_data_json
    return sent


def test_continue_puts_the_text_back_into_the_editor(opened: OpenPage) -> None:
    opened.set_slider("max_new_tokens", 20)
    first = opened.generate("The first")
    buttons = opened.page.locator(".result button").all_inner_texts()
    assert buttons[0] == "Continue"
    opened.page.click(".result >> text=Continue")
    assert opened.page.input_value("#editor") == first
    assert opened.page.locator("#editor:focus").count() == 1
    opened.page.keyboard.press("Control+Enter")
    opened.page.locator(".result >> nth=1").wait_for()
    opened.page.locator("#status", has_text="Done").wait_for()
    assert opened.page.locator(".result-text").first.inner_text().startswith(first)


def test_an_empty_editor_continues_its_visible_example(opened: OpenPage) -> None:
    example = opened.page.locator("#editor").get_attribute("placeholder")
    assert example
    for empty in ("", " \n"):
        text = opened.generate(empty)
        assert text.startswith(example)
        assert opened.page.locator(".result-text strong").first.inner_text() == example
    opened.page.fill("#editor", "")
    opened.page.click("#complete")
    opened.page.locator(".completion").first.wait_for()
    assert opened.page.input_value("#editor") == example


def test_examples_are_buttons_until_something_is_written(opened: OpenPage) -> None:
    examples = opened.page.locator("#examples button")
    assert 4 <= examples.count() <= 5
    prompt = examples.nth(2).inner_text()
    examples.nth(2).click()
    opened.page.locator("#status", has_text="Done").wait_for()
    assert opened.page.locator(".result-text strong").inner_text() == prompt
    assert examples.first.is_visible()
    opened.page.fill("#editor", "My own")
    assert not examples.first.is_visible()


def test_a_model_that_starts_texts_itself_gets_an_empty_prompt(
    chromium: Browser, address: str
) -> None:
    info = httpx.get(f"{address}api/model").json()
    info |= {"default_prompt": "", "example_prompts": []}
    with contextlib.closing(chromium.new_context()) as context:
        context.route("**/api/model", lambda route: route.fulfill(json=info))
        page = context.new_page()
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        assert not page.locator("#examples").is_visible()
        with page.expect_request("**/api/stream") as request:
            page.click("#generate")
        assert sent_by(request)["prefix"] == ""


def test_spaces_at_the_end_of_a_prompt_are_not_sent(opened: OpenPage) -> None:
    with opened.page.expect_request("**/api/stream") as request:
        opened.generate("The garden  ")
    assert sent_by(request)["prefix"] == "The garden"
    assert opened.page.locator(".result-text strong").inner_text() == "The garden"


def test_a_paste_over_the_limit_is_accepted_and_its_end_used(
    chromium: Browser, tiny: Session
) -> None:
    with serving(tiny, max_prompt_chars=800) as client:
        opened = OpenPage(chromium, str(client.base_url))
        prompt = "The 🦊 was here. " * 100 + "Then"
        remark = "Only the last 800 of 1,604 characters are used."
        opened.page.fill("#editor", prompt)
        assert opened.page.locator("#prompt-remark").inner_text() == remark
        with opened.page.expect_request("**/api/stream") as request:
            opened.generate(prompt)
        sent = sent_by(request)["prefix"]
        assert 780 < len(sent) <= 800
        assert prompt.endswith(f" {sent}")
        info = opened.page.locator(".result-info").inner_text()
        assert remark.replace("are", "were") in info
        # Its card shows the end of the prompt.
        shown = opened.page.locator(".result-text strong")
        assert len(shown.inner_text()) < 400
        assert shown.inner_text().endswith("Then")
        opened.page.click("text=Show the whole prompt")
        assert shown.inner_text() == prompt
        opened.page.click("text=Show the end of the prompt only")
        assert len(shown.inner_text()) < 400
        opened.page.click(".result >> text=Continue")
        assert opened.page.input_value("#editor").startswith(prompt)
        opened.page.fill("#editor", "short")
        assert not opened.page.locator("#prompt-remark").is_visible()
        assert opened.messages == []
        opened.context.close()


def test_texts_end_at_a_sentence(opened: OpenPage) -> None:
    with opened.page.expect_request("**/api/stream") as request:
        opened.generate()
    assert sent_by(request)["finish_sentence"] is True
    opened.page.uncheck("#option-finish_sentence")
    with opened.page.expect_request("**/api/stream") as request:
        opened.generate()
    assert sent_by(request)["finish_sentence"] is False


VALID = {"id": "1", "prefix": "The first", "model": "tiny", "text": " text"}


@pytest.mark.parametrize(
    ("stored", "n_texts"),
    [
        ("not JSON", 0),
        ("null", 0),
        ('{"id": "1"}', 0),
        (json.dumps([None, 1, "a", [], {}, {**VALID, "text": 5}, {**VALID, "id": ""}, VALID]), 1),
    ],
)
def test_malformed_storage_is_ignored(
    opened: OpenPage, address: str, stored: str, n_texts: int
) -> None:
    opened.page.evaluate(
        """(stored) => {
          localStorage.setItem("saved-texts", stored);
          localStorage.setItem("theme", '"purple"');
          sessionStorage.setItem("key", "{}");
        }""",
        stored,
    )
    opened.go(address)
    assert opened.page.locator(".result").count() == n_texts
    assert opened.page.locator("html").get_attribute("data-theme") is None
    opened.set_slider("max_new_tokens", 10)
    opened.generate("The second")
    opened.page.get_by_role("button", name="Save", exact=True).first.click()
    opened.go(address)
    assert opened.page.locator(".result").count() == n_texts + 1


def test_saved_texts_stay_and_the_others_are_cleared(opened: OpenPage, address: str) -> None:
    opened.set_slider("max_new_tokens", 10)
    saved = opened.generate("The first")
    opened.page.get_by_role("button", name="Save", exact=True).click()
    opened.generate("The second")
    opened.page.click("#clear")
    assert opened.page.locator(".result").count() == 1
    opened.go(address)
    assert opened.page.locator(".result-text").all_inner_texts() == [saved]
    opened.page.get_by_role("button", name="Saved", exact=True).click()
    opened.go(address)
    assert opened.page.locator(".result").count() == 0


def drawn_texts(opened: OpenPage) -> Callable[[], list[str]]:
    """Record what is drawn on canvases from now on; returns a function that returns it."""
    opened.page.evaluate(
        """() => {
          const draw = CanvasRenderingContext2D.prototype.fillText;
          window.drawn = [];
          CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            window.drawn.push(text);
            return draw.call(this, text, ...rest);
          };
        }"""
    )
    return lambda: list(opened.page.evaluate("window.drawn"))


def test_copying_and_downloading_a_picture(opened: OpenPage, tmp_path: Path) -> None:
    text = opened.generate()
    opened.page.click("text=Copy text")
    opened.page.locator(".result >> text=Copied").wait_for()
    assert opened.clipboard() == text
    drawn = drawn_texts(opened)
    with opened.page.expect_download() as download:
        opened.page.click("text=Download picture")
    assert download.value.suggested_filename == "it-was-a-dark-night.png"
    assert "Write with tiny" in drawn()
    assert any(opened.page.evaluate("location.host") in line for line in drawn())
    path = tmp_path / "text.png"
    download.value.save_as(path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    assert width == 1080
    assert height > 300


def test_a_text_is_never_parsed_as_html(opened: OpenPage) -> None:
    page = opened.page
    attack = "<img src=x onerror=\"document.title='taken'\"><b id=bold>x</b>"
    page.route(
        "**/api/stream",
        lambda route: route.fulfill(
            content_type="text/event-stream",
            body='event: text\ndata: {"index": 0, "text": "<i><img src=x onerror=alert(1)>"}\n\n'
            'event: end\ndata: {"index": 0, "tokens": 3, "finish_reason": "stop"}\n\n'
            "event: done\ndata: {}\n\n",
        ),
    )
    page.route(
        "**/api/complete",
        lambda route: route.fulfill(json={"completions": [attack]}),
    )
    page.fill("#editor", "<i>")
    page.click("#generate")
    page.locator(".result-text", has_text="<img src=x onerror=alert(1)>").wait_for()
    page.click("#complete")
    page.locator(".completion", has_text="<img").wait_for()
    assert page.locator("#results img, #results i, #completions img, #bold").count() == 0
    assert page.title() == "Write with tiny"


def test_stop_keeps_the_text_so_far(chromium: Browser, tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05) as client:
        opened = OpenPage(chromium, str(client.base_url))
        opened.set_slider("max_new_tokens", 300)
        opened.start_generating()
        opened.page.click("#stop")
        opened.page.locator("#status", has_text="Stopped").wait_for()
        text = opened.page.locator(".result-text").inner_text()
        assert len(text) > len(PROMPT)
        assert opened.page.locator(".result.generating").count() == 0
        opened.context.close()


def test_a_request_to_a_busy_server_is_retried(chromium: Browser, address: str) -> None:
    opened = OpenPage(chromium, address)
    n_requests = 0

    def busy_once(route: Any) -> None:
        nonlocal n_requests
        n_requests += 1
        if n_requests > 1:
            route.continue_()
        else:
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"error": "queue full"})

    opened.page.route("**/api/stream", busy_once)
    opened.page.fill("#editor", PROMPT)
    opened.page.click("#generate")
    opened.page.locator("#notice", has_text="Retrying in 1 s").wait_for()
    opened.page.locator("#status", has_text="Done").wait_for()
    assert n_requests == 2
    assert not opened.page.locator("#notice").is_visible()
    opened.context.close()


def test_nothing_is_lost_when_the_server_dies(chromium: Browser, tmp_path: Path) -> None:
    with started(tmp_path, "--port", "0") as process:
        opened = OpenPage(chromium, address_of(process))
        first = opened.generate("The first")
        opened.set_slider("max_new_tokens", 300)
        opened.start_generating()
        process.send_signal(signal.SIGKILL)
        opened.page.locator("#notice", has_text="cannot be reached").wait_for()
        texts = opened.page.locator(".result-text").all_inner_texts()
        assert texts[0].startswith(PROMPT)
        assert texts[1] == first
        assert "Interrupted." in opened.page.locator(".result-info").first.inner_text()
        assert opened.page.input_value("#editor") == PROMPT
        opened.page.click("#generate")
        opened.page.locator("#notice", has_text="cannot be reached").wait_for()
        assert opened.page.locator(".result").count() == 2
        opened.context.close()


def test_the_api_key_is_requested_and_remembered(chromium: Browser, tiny: Session) -> None:
    with serving(tiny, key="open sesame") as client:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(str(client.base_url))
        page.locator("#key-form").wait_for()
        assert page.locator("#generate").is_disabled()
        assert not page.locator("#notice").is_visible()
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        page.locator("#notice", has_text="Wrong API key").wait_for()
        page.fill("#key", "open sesame")
        page.keyboard.press("Enter")
        page.locator("#generate:enabled").wait_for()
        assert not page.locator("#key-form").is_visible()
        page.reload()
        page.locator("#generate:enabled").wait_for()
        context.close()


def luminance(color: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_have_enough_contrast(chromium: Browser, address: str, scheme: str) -> None:
    context: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": 1100, "height": 760}}
    opened = OpenPage(chromium, address, **context)

    def is_dark() -> bool:
        color = opened.page.locator("body").evaluate("(e) => getComputedStyle(e).backgroundColor")
        return luminance(color) < 0.2

    assert is_dark() == (scheme == "dark")
    opened.generate()
    if scheme == "dark":
        opened.screenshot("web-dark")
    found = opened.page.evaluate(
        """() => [...document.querySelectorAll('h1, p, label, button, a, summary, output')]
          .filter((e) => e.offsetParent && e.textContent.trim() && !e.disabled)
          .map((e) => {
            let behind = e;
            while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') {
              behind = behind.parentElement;
            }
            return [e.textContent.slice(0, 20), getComputedStyle(e).color,
              getComputedStyle(behind).backgroundColor];
          })"""
    )
    assert len(found) > 20
    for text, color, background in found:  # WCAG 2.2, 1.4.3
        lighter, darker = sorted((luminance(color), luminance(background)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, color, background)
    opened.page.click("#theme")
    assert is_dark() != (scheme == "dark")
    opened.go(address)
    assert is_dark() != (scheme == "dark"), "the choice is remembered"
    for path in ("how", "docs"):
        opened.page.goto(f"{address}{path}")
        assert is_dark() != (scheme == "dark")
    opened.context.close()


def test_the_page_fits_a_phone(chromium: Browser, address: str) -> None:
    opened = OpenPage(chromium, address, viewport={"width": 360, "height": 740}, has_touch=True)
    opened.generate()
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert not opened.page.locator("#usual-settings").is_visible()
    small = opened.page.evaluate(
        """() => [...document.querySelectorAll('button, summary, input[type=range]')]
          .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 24).length"""
    )
    assert small == 0
    opened.page.evaluate("() => scrollTo(0, 0)")
    opened.screenshot("web-phone")
    opened.context.close()


@pytest.mark.parametrize("path", ["docs", "how"])
def test_no_word_is_broken_on_a_phone(chromium: Browser, address: str, path: str) -> None:
    with contextlib.closing(
        chromium.new_context(viewport={"width": 360, "height": 740})
    ) as context:
        page = context.new_page()
        page.goto(f"{address}{path}")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        broken = page.evaluate(
            """() => {
              const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              const broken = [];
              while (walker.nextNode()) {
                for (const { 0: word, index } of walker.currentNode.data.matchAll(/[\\w']+/g)) {
                  const range = document.createRange();
                  range.setStart(walker.currentNode, index);
                  range.setEnd(walker.currentNode, index + word.length);
                  if (range.getClientRects().length > 1) broken.push(word);
                }
              }
              return broken;
            }"""
        )
        assert broken == []


def test_every_control_has_an_accessible_name(opened: OpenPage) -> None:
    opened.generate()
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea, a, summary, section')]
          .filter((e) => e.offsetParent)
          .filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')
            || e.labels?.length || e.textContent.trim()))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert opened.page.locator("html").get_attribute("lang") == "en"
    assert opened.page.locator("h1").count() == 1
    assert opened.page.locator("#status").get_attribute("aria-live") == "polite"
    assert opened.page.locator("#notice").get_attribute("role") == "alert"
