"""A page in Firefox, through WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/).

Playwright needs a Firefox of its own, which is not on the package index; this uses the installed
one. It has what a benchmark needs: opening an address, and calling a function in the page.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import websocket

_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
# Firefox must not fetch anything else while a page is measured.
_PREFERENCES = {
    "app.update.enabled": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "data:,",
}


class FirefoxError(Exception):
    """Firefox did not do what it was asked."""


class Firefox:
    """A running Firefox with an empty profile, without a window.

    Args:
        address: Where it listens for WebDriver BiDi.
    """

    def __init__(self, address: str) -> None:
        # Firefox rejects connections from pages, which send an origin.
        self._socket = websocket.create_connection(f"{address}/session", suppress_origin=True)
        self._ids = itertools.count()
        found = self._send("session.new", {"capabilities": {}})
        self.version = str(found["capabilities"]["browserVersion"])

    def _send(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a command, and wait for its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") != number:  # an event
                continue
            if answer["type"] != "success":
                raise FirefoxError(f"{method}: {answer['message']}")
            result: dict[str, Any] = answer["result"]
            return result

    @contextmanager
    def new_page(self) -> Iterator[FirefoxPage]:
        """Open a page with a cache and storage of its own, and close it at the end."""
        user = self._send("browser.createUserContext", {})
        made = self._send("browsingContext.create", {"type": "tab", **user})
        try:
            yield FirefoxPage(self, made["context"])
        finally:
            self._send("browser.removeUserContext", user)

    def close(self) -> None:
        """End Firefox."""
        self._send("browser.close", {})
        self._socket.close()


class FirefoxPage:
    """A page of a Firefox."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox, self._context = firefox, context

    def goto(self, address: str) -> None:
        """Open an address, and wait until the page is loaded."""
        params = {"context": self._context, "url": address, "wait": "complete"}
        self._firefox._send("browsingContext.navigate", params)

    def evaluate(self, function: str, argument: Any = None) -> Any:
        """Call a JavaScript function with a value that JSON can hold; returns what it resolves to.

        Raises:
            FirefoxError: The function failed.
        """
        declaration = (
            f"async (json) => JSON.stringify(await ({function})(JSON.parse(json)) ?? null)"
        )
        params = {
            "functionDeclaration": declaration,
            "awaitPromise": True,
            "target": {"context": self._context},
            "arguments": [{"type": "string", "value": json.dumps(argument)}],
        }
        found = self._firefox._send("script.callFunction", params)
        if found["type"] == "exception":
            raise FirefoxError(found["exceptionDetails"]["text"])
        return json.loads(found["result"]["value"])


@contextmanager
def running(executable: str) -> Iterator[Firefox]:
    """Start Firefox, and end it at the end.

    Args:
        executable: Path of Firefox.

    Raises:
        FirefoxError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="gpt2-helpers-", ignore_cleanup_errors=True) as profile:
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in _PREFERENCES.items()
        )
        with open(f"{profile}/user.js", "w", encoding="utf-8") as file:
            file.writelines(lines)
        command = [executable, "--headless", "--no-remote", "--remote-debugging-port", "0"]
        process = subprocess.Popen(
            [*command, "--profile", profile],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        try:
            firefox = _connect(process)
            yield firefox
            firefox.close()
        finally:
            process.terminate()
            process.wait()


def _connect(process: subprocess.Popen[str]) -> Firefox:
    assert process.stderr
    for line in process.stderr:
        if found := _LISTENING.search(line):
            # What else it prints must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return Firefox(found[1])
    raise FirefoxError(f"Firefox ended with exit code {process.wait()}")
