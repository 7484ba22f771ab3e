"""The web app's page in a real browser: what a reader types, presses and sees.

With PICTURES=FOLDER in the environment the pictures for the README go there (`make pictures`).
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpt2_helpers.session import Session
from jupyterlab_session import browser
from web_server import address_of, serving, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SOON = 30_000  # milliseconds that an answer may take
BEGINNING = "It was a dark night, and"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def address(tiny: Session) -> Iterator[str]:
    with serving(tiny) as client:
        yield str(client.base_url)


class Opened:
    """A page that is open, and what its console has said."""

    def __init__(self, chromium: Browser, address: str, **context: Any) -> None:
        self.context = chromium.new_context(**context)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(SOON)
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.go(address)

    def go(self, address: str) -> None:
        self.page.goto(address)
        self.page.locator("#generate:enabled").wait_for()

    def write(self, text: str = BEGINNING) -> str:
        """Generate from `text`; returns what stands on the newest card."""
        self.page.fill("#editor", text)
        self.page.click("#generate")
        self.page.locator("#status", has_text="Done").wait_for()
        return self.page.locator(".result-text").first.inner_text()

    def slide(self, name: str, value: float) -> None:
        self.page.locator(f"#option-{name}").evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }",
            value,
        )

    def copied(self) -> str:
        words: str = self.page.evaluate("() => navigator.clipboard.readText()")
        return words

    def picture(self, name: str) -> None:
        if folder := os.environ.get("PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
def opened(chromium: Browser, address: str) -> Iterator[Opened]:
    opened = Opened(chromium, address, viewport={"width": 1100, "height": 760})
    try:
        yield opened
        assert opened.said == [], "the console stays silent"
    finally:
        opened.context.close()


def test_a_text_streams_in_with_its_beginning_in_bold(chromium: Browser, tiny: Session) -> None:
    # Slowly, so that who looks on sees it on its way.
    with serving(tiny, step_seconds=0.03) as client:
        size = {"width": 1100, "height": 760}
        opened = Opened(chromium, str(client.base_url), viewport=size)
        opened.slide("max_new_tokens", 300)
        opened.page.fill("#editor", BEGINNING)
        opened.page.click("#generate")
        opened.page.locator(".result.writing", has_text=re.compile(r"night, and\s+\S+")).wait_for()
        early = opened.page.locator(".result-text").inner_text()
        opened.page.locator("#status", has_text=re.compile(r"Done: \d+ words\.")).wait_for()
        text = opened.page.locator(".result-text").inner_text()
        assert text.startswith(BEGINNING)
        assert text.startswith(early.rstrip("▍"))
        assert opened.page.locator(".result-text strong").inner_text() == BEGINNING
        assert opened.page.locator(".result-about").inner_text().endswith("machine: tiny")
        opened.picture("web")
        assert opened.said == [], "the console stays silent"
        opened.context.close()


def test_who_writes_is_told(opened: Opened) -> None:
    assert opened.page.locator("h1").inner_text() == "Write with tiny"
    assert "old English novels" in opened.page.locator("#model-words").inner_text()
    assert "Written by a machine, by tiny" in opened.page.locator("footer").inner_text()
    opened.page.click("footer >> text=How such a text comes to be")
    assert "made up" in opened.page.locator("main").inner_text()
    opened.page.click("text=Back to writing")
    opened.page.locator("#generate:enabled").wait_for()


def test_tab_offers_continuations_and_enter_takes_one(opened: Opened) -> None:
    page = opened.page
    page.fill("#editor", BEGINNING)
    page.focus("#editor")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.locator(".choice").first.wait_for()
    opened.picture("web-complete")
    choices = page.locator(".choice").all_inner_texts()
    assert 1 <= len(choices) <= 3
    assert page.locator("#editor").get_attribute("aria-activedescendant") == "choice-0"
    page.keyboard.press("ArrowDown")
    chosen = page.locator('.choice[aria-selected="true"]').get_attribute("data-text")
    page.keyboard.press("Enter")
    assert page.input_value("#editor") == f"{BEGINNING}{chosen}"
    assert page.locator(".choice").count() == 0
    assert page.locator("#status").inner_text() == ""


def test_a_continuation_goes_in_where_the_cursor_is(opened: Opened) -> None:
    page = opened.page
    page.fill("#editor", "It was a THE END")
    page.focus("#editor")
    page.locator("#editor").evaluate("(editor) => editor.setSelectionRange(8, 8)")
    page.click("#complete")
    page.locator(".choice").first.click()
    assert re.fullmatch(r"It was a\s.+ THE END", page.input_value("#editor"), re.DOTALL)


def test_escape_lets_tab_leave_the_text(opened: Opened) -> None:
    opened.page.focus("#editor")
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("Tab")
    assert opened.page.locator("#generate:focus").count() == 1


def test_all_of_it_by_keyboard(opened: Opened) -> None:
    page = opened.page
    page.focus("#editor")
    page.keyboard.type(BEGINNING)
    page.keyboard.press("Control+Enter")
    page.locator("#status", has_text="Done").wait_for()
    page.focus("#option-temperature")
    before = page.locator("#option-temperature").get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert page.locator("#option-temperature").get_attribute("aria-valuetext") != before


def test_a_slider_changes_what_is_written(opened: Opened) -> None:
    opened.slide("temperature", 0)
    opened.slide("max_new_tokens", 10)
    assert "always the likeliest" in opened.page.locator("#sliders").inner_text()
    assert opened.write() == opened.write()
    opened.slide("nsamples", 3)
    opened.slide("temperature", 1.2)
    opened.write()
    assert opened.page.locator(".result").count() == 5
    opened.page.click("#reset")
    assert "0.7 · balanced" in opened.page.locator("#sliders").inner_text()


def test_a_link_brings_text_and_settings_along(opened: Opened, address: str) -> None:
    text = "Why & how #1?\nThe “second” line"
    opened.page.fill("#editor", text)
    opened.slide("temperature", 1.1)
    opened.slide("top_k", 7)
    opened.page.click("#share")
    opened.page.locator("#share", has_text="Copied").wait_for()
    link = opened.copied()
    assert link.startswith(f"{address}#")
    other = opened.context.new_page()
    other.goto(link)
    other.locator("#generate:enabled").wait_for()
    assert other.input_value("#editor") == text
    assert other.input_value("#option-temperature") == "1.1"
    assert other.input_value("#option-top_k") == "7"


def test_a_link_in_the_way_of_gpt2_cloud_run_opens_the_page(opened: Opened, address: str) -> None:
    opened.go(f"{address}?prefix=The%20garden&length=20&temperature=abc")
    assert opened.page.input_value("#editor") == "The garden"
    assert opened.page.input_value("#option-max_new_tokens") == "20"
    assert opened.page.input_value("#option-temperature") == "0.7"


def test_copying_where_there_is_no_clipboard_for_pages(chromium: Browser, address: str) -> None:
    opened = Opened(chromium, address)  # as one that came by plain http from another machine
    opened.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    text = opened.write()
    opened.page.click("text=Copy >> nth=1")
    opened.page.locator(".result >> text=Copied").wait_for()
    opened.page.fill("#editor", "")
    opened.page.focus("#editor")
    opened.page.keyboard.press("Control+v")
    assert opened.page.input_value("#editor").strip() == text.strip()
    opened.context.close()


def test_what_is_kept_stays_and_the_rest_is_cleared(opened: Opened, address: str) -> None:
    opened.slide("max_new_tokens", 10)
    kept = opened.write("The first")
    opened.page.get_by_role("button", name="Keep", exact=True).click()
    opened.write("The second")
    opened.page.click("#clear")
    assert opened.page.locator(".result").count() == 1
    opened.go(address)
    assert opened.page.locator(".result-text").all_inner_texts() == [kept]
    opened.page.get_by_role("button", name="Kept", exact=True).click()
    opened.go(address)
    assert opened.page.locator(".result").count() == 0


def test_copying_and_a_picture(opened: Opened, tmp_path: Path) -> None:
    text = opened.write()
    opened.page.click("text=Copy >> nth=1")
    opened.page.locator(".result >> text=Copied").wait_for()
    assert opened.copied() == text
    with opened.page.expect_download() as download:
        opened.page.click("text=Save as picture")
    path = tmp_path / "text.png"
    download.value.save_as(path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    assert width == 1080
    assert height > 300


def test_a_text_is_never_markup(opened: Opened) -> None:
    page = opened.page
    attack = "<img src=x onerror=\"document.title='taken'\"><b id=bold>x</b>"
    page.route(
        "**/api/stream",
        lambda route: route.fulfill(
            content_type="text/event-stream",
            body='event: text\ndata: {"index": 0, "text": "<img src=x onerror=alert(1)>"}\n\n'
            'event: end\ndata: {"index": 0, "tokens": 3, "finish_reason": "stop"}\n\n'
            "event: done\ndata: {}\n\n",
        ),
    )
    page.route(
        "**/api/complete",
        lambda route: route.fulfill(json={"completions": [attack]}),
    )
    page.fill("#editor", "")
    page.click("#generate")
    page.locator(".result-text", has_text="<img src=x onerror=alert(1)>").wait_for()
    page.click("#complete")
    page.locator(".choice", has_text="<img").wait_for()
    assert page.locator("#results img, #choices img, #bold").count() == 0
    assert page.title() == "Write with tiny"


def test_stop_keeps_what_is_written(chromium: Browser, tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05) as client:
        opened = Opened(chromium, str(client.base_url))
        opened.slide("max_new_tokens", 300)
        opened.page.fill("#editor", BEGINNING)
        opened.page.click("#generate")
        opened.page.locator(".result.writing", has_text=re.compile(r"night, and\s+\S+")).wait_for()
        opened.page.click("#stop")
        opened.page.locator("#status", has_text="Stopped").wait_for()
        text = opened.page.locator(".result-text").inner_text()
        assert len(text) > len(BEGINNING)
        assert opened.page.locator(".result.writing").count() == 0
        opened.context.close()


def test_a_busy_server_is_asked_again(chromium: Browser, address: str) -> None:
    opened = Opened(chromium, address)
    refused = 0

    def busy_once(route: Any) -> None:
        nonlocal refused
        refused += 1
        if refused > 1:
            route.continue_()
        else:
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"error": "many wait"})

    opened.page.route("**/api/stream", busy_once)
    opened.page.fill("#editor", BEGINNING)
    opened.page.click("#generate")
    opened.page.locator("#notice", has_text="Trying again in 1 s").wait_for()
    opened.page.locator("#status", has_text="Done").wait_for()
    assert refused == 2
    assert not opened.page.locator("#notice").is_visible()
    opened.context.close()


def test_a_server_that_goes_loses_nothing_that_was_written(
    chromium: Browser, tmp_path: Path
) -> None:
    with started(tmp_path, "--port", "0") as process:
        opened = Opened(chromium, address_of(process))
        kept = opened.write("The first")
        opened.slide("max_new_tokens", 300)
        opened.page.fill("#editor", BEGINNING)
        opened.page.click("#generate")
        opened.page.locator(".result.writing", has_text=re.compile(r"night, and\s+\S+")).wait_for()
        process.send_signal(signal.SIGKILL)
        opened.page.locator("#notice", has_text="cannot be reached").wait_for()
        texts = opened.page.locator(".result-text").all_inner_texts()
        assert texts[0].startswith(BEGINNING)
        assert texts[1] == kept
        assert "Broken off" in opened.page.locator(".result-about").first.inner_text()
        assert opened.page.input_value("#editor") == BEGINNING
        opened.page.click("#generate")
        opened.page.locator("#notice", has_text="cannot be reached").wait_for()
        assert opened.page.locator(".result").count() == 2
        opened.context.close()


def test_a_key_is_asked_for_and_remembered(chromium: Browser, tiny: Session) -> None:
    with serving(tiny, key="open sesame") as client:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(str(client.base_url))
        page.locator("#key-form").wait_for()
        assert page.locator("#generate").is_disabled()
        assert not page.locator("#notice").is_visible()
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        page.locator("#notice", has_text="not this server's key").wait_for()
        page.fill("#key", "open sesame")
        page.keyboard.press("Enter")
        page.locator("#generate:enabled").wait_for()
        assert not page.locator("#key-form").is_visible()
        page.reload()
        page.locator("#generate:enabled").wait_for()
        context.close()


def luminance(colour: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_can_be_read(chromium: Browser, address: str, scheme: str) -> None:
    context: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": 1100, "height": 760}}
    opened = Opened(chromium, address, **context)

    def is_dark() -> bool:
        paper = opened.page.locator("body").evaluate("(e) => getComputedStyle(e).backgroundColor")
        return luminance(paper) < 0.2

    assert is_dark() == (scheme == "dark")
    opened.write()
    if scheme == "dark":
        opened.picture("web-dark")
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
    for words, ink, paper in found:  # WCAG 2.2, 1.4.3
        light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (words, ink, paper)
    opened.page.click("#theme")
    assert is_dark() != (scheme == "dark")
    opened.go(address)
    assert is_dark() != (scheme == "dark"), "it is remembered"
    opened.context.close()


def test_on_a_phone_nothing_sticks_out(chromium: Browser, address: str) -> None:
    opened = Opened(chromium, address, viewport={"width": 360, "height": 740}, has_touch=True)
    opened.write()
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert not opened.page.locator("#sliders").is_visible()
    small = opened.page.evaluate(
        """() => [...document.querySelectorAll('button, summary, input[type=range]')]
          .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 24).length"""
    )
    assert small == 0
    opened.page.evaluate("() => scrollTo(0, 0)")
    opened.picture("web-phone")
    opened.context.close()


def test_everything_has_a_name_that_can_be_read_out(opened: Opened) -> None:
    opened.write()
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
