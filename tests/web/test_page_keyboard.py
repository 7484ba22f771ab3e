"""The page by keyboard: input methods, suggestions and the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt2_helpers.session import Session
from open_page import OpenPage
from web_server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_key_of_an_input_method_is_left_to_it(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", "日本")
    page.focus("#editor")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    is_unhandled = page.locator("#editor").evaluate(
        """(editor) => editor.dispatchEvent(new KeyboardEvent(
          "keydown", { key: "Tab", isComposing: true, cancelable: true, bubbles: true }))"""
    )
    assert is_unhandled
    assert not asked


def test_control_and_enter_generate_though_suggestions_are_shown(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", "The")
    page.click("#complete")
    page.locator(".completion").first.wait_for()
    page.keyboard.press("Control+Enter")
    page.locator("#status", has_text="Done").wait_for()
    assert page.input_value("#editor") == "The"
    assert page.locator(".completion").count() == 0


def test_the_focus_moves_between_generate_and_stop(chromium: Browser, tiny: Session) -> None:
    with serving(tiny, step_seconds=0.02) as client:
        opened = OpenPage(chromium, str(client.base_url))
        opened.page.fill("#editor", "The")
        opened.page.focus("#generate")
        opened.page.keyboard.press("Enter")
        opened.page.locator("#stop:focus").wait_for()
        opened.page.keyboard.press("Enter")
        opened.page.locator("#status", has_text="Stopped").wait_for()
        assert opened.page.locator("#generate:focus").count() == 1
        opened.page.keyboard.press("Enter")
        opened.page.locator("#stop:focus").wait_for()
        opened.page.keyboard.press("Escape")
        opened.page.locator("#generate:focus").wait_for()
        assert opened.page.locator("#status").inner_text() == "Stopped."
        opened.context.close()
