"""The page of the web app, open in a browser.

With PICTURES=FOLDER in the environment the screenshots of the README go there (`make pictures`).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TIMEOUT = 300_000  # milliseconds for each step
PROMPT = "It was a dark night, and"
# "Copied" is shown for two seconds, too short for a test on a busy machine.
KEEP_LABELS = """(() => {
  const original = window.setTimeout;
  window.setTimeout = (action, delay, ...rest) =>
    original(action, delay === 2000 ? 1_000_000 : delay, ...rest);
})()"""


class OpenPage:
    """An open page, and the messages of its console."""

    def __init__(self, chromium: Browser, address: str, **context: Any) -> None:
        self.context = chromium.new_context(**context)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.add_init_script(KEEP_LABELS)
        self.page: Page = self.context.new_page()
        self.messages: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.go(address)

    def go(self, address: str) -> None:
        self.page.goto(address)
        self.page.locator("#generate:enabled").wait_for()

    def generate(self, text: str = PROMPT) -> str:
        """Generate from a prompt; returns the text of the newest card."""
        return generate(self.page, text)

    def start_generating(self) -> None:
        """Generate from the prompt until the first words are there."""
        self.page.fill("#editor", PROMPT)
        self.page.click("#generate")
        started = re.compile(r"night, and\s*\S")
        self.page.locator(".result.generating .result-text", has_text=started).wait_for()

    def set_slider(self, name: str, value: float) -> None:
        set_slider(self.page, name, value)

    def clipboard(self) -> str:
        text: str = self.page.evaluate("() => navigator.clipboard.readText()")
        return text

    def screenshot(self, name: str) -> None:
        if folder := os.environ.get("PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


def generate(page: Page, text: str) -> str:
    """Generate from a prompt in the page; returns the text of the newest card."""
    page.fill("#editor", text)
    page.click("#generate")
    page.locator("#status", has_text=re.compile("Done|Interrupted")).wait_for(timeout=TIMEOUT)
    assert "Done" in page.locator("#status").inner_text(), page.locator("#notice").inner_text()
    return page.locator(".result-text").first.inner_text()


def set_slider(page: Page, name: str, value: float) -> None:
    """Move a slider in the page."""
    page.locator(f"#option-{name}").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }",
        value,
    )


def sent_by(request: Any) -> dict[str, Any]:
    """The JSON of an expected request."""
    sent: dict[str, Any] = request.value.post_data_json
    return sent
