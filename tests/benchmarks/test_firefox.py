"""The control of an installed Firefox."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("websocket", reason="needs pip install websocket-client")
from firefox import FirefoxError, running


def test_a_page_is_opened_and_its_functions_are_called() -> None:
    path = shutil.which("firefox") or shutil.which("firefox-esr")
    if path is None:
        pytest.skip("Firefox is not installed")
    with running(path) as firefox:
        with firefox.new_page() as page:
            page.goto("data:text/html,<h1>A page</h1>")
            read = "async ({ name }) => [document.querySelector(name).textContent, null]"
            assert page.evaluate(read, {"name": "h1"}) == ["A page", None]
            assert page.evaluate("() => undefined") is None
            with pytest.raises(FirefoxError, match="not like this"):
                page.evaluate("() => { throw new Error('not like this'); }")
        assert firefox.version.split(".")[0].isdigit()


def test_a_program_that_is_no_firefox_is_an_error() -> None:
    with pytest.raises(FirefoxError, match="ended with exit code 1"), running("false"):
        pass
