"""What a user does with the generated texts on the page: share, save, copy, download."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from open_page import OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser


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
        (
            "shared=eJyrViooys8tKFGyUgrJSFVIy69Q0lEqSa0ACSgUJebpAbm5-SmpOUB-SWZepVItAJ",
            "incomplete or damaged",
        ),
        (
            "shared=eJyrViooys8tKFGyUgrJSFVIy69Q0lEqSa0ACSgUJebpAbm5-SmpOUB-SWZepVIAAAA-D_A",
            "incomplete or damaged",
        ),
        ("shared=%F0", "incomplete or damaged"),
        ("shared=eJzLK83JAQAEXwG8", "contains no text"),  # null
        ("shared=eJyLVkpUigUABBgBXg", "contains no text"),  # a list
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
