"""JupyterLab in a real browser: server, notebooks, keyboard, mouse and screenshots.

Uses only page elements that exist in both JupyterLab 3.5 and 4.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Turn off background requests of the browser.
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
# Render all cells, and show no news or updates.
SETTINGS: dict[str, dict[str, Any]] = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
WIDTH, HEIGHT, TALL = 1000, 900, 6000  # of the browser's window, in pixels
CELL_TIMEOUT = 900.0  # seconds
STEP_TIMEOUT = 300.0  # seconds for each step in a page


def find_chromium() -> str:
    """Return the path of Chromium. Installs it if permitted; otherwise skips the test."""

    def works(path: str | None) -> bool:
        # Ubuntu's chromium-browser may be a script that only refers to a snap.
        return (
            bool(path)
            and not subprocess.run(
                [str(path), "--version"], capture_output=True, timeout=CELL_TIMEOUT
            ).returncode
        )

    def found() -> str | None:
        return next(filter(works, map(shutil.which, BROWSERS)), None)

    if not found() and shutil.which("apt-get") and os.geteuid() == 0:
        # One process of the tests installs it, and the others wait.
        with Path(tempfile.gettempdir(), "gpt2-helpers-tests.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            install = ["apt-get", "install", "--yes", "--quiet=2", "chromium"]
            for command in (["apt-get", "update", "--quiet=2"], install) * (not found()):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run(command, capture_output=True, timeout=CELL_TIMEOUT, check=False)
    if path := found():
        return path
    pytest.skip("needs chromium: apt-get install chromium, as root, or Chrome on PATH")


@contextlib.contextmanager
def browser(*flags: str, has_gpu: bool = False) -> Iterator[Browser]:
    """Start a headless Chromium, with additional flags. A GPU is emulated, which takes time."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    path = find_chromium()
    # Chromium's sandbox does not work for root, as in a container.
    own = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    own += [] if has_gpu else ["--disable-gpu"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=[*own, *flags], timeout=CELL_TIMEOUT * 1000
        )
        new_context = chromium.new_context

        def new_patient_context(**options: Any) -> BrowserContext:
            """A context whose pages do not fail after Playwright's 30 seconds."""
            context = new_context(**options)
            context.set_default_timeout(STEP_TIMEOUT * 1000)
            return context

        chromium.new_context = new_patient_context  # type: ignore[method-assign]
        try:
            yield chromium
        finally:
            chromium.close()


class Lab:
    """A JupyterLab server for `folder` with its own settings."""

    def __init__(self, folder: Path, browser: Browser, environment: dict[str, str]) -> None:
        pytest.importorskip("jupyterlab", reason="needs pip install jupyterlab")
        self.folder, self.browser = folder, browser
        self.files, own = folder / "files", folder / "jupyter"
        self.files.mkdir(parents=True)
        for name, values in SETTINGS.items():
            path = own / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.token = secrets.token_hex(16)
        self.log = (folder / "server.log").open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", f"--port={self.address.rpartition(':')[2]}"),
                *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.files}"),
                f"--IdentityProvider.token={self.token}",
                # If the tests are killed, the server shuts down by inactivity.
                *("--ServerApp.shutdown_no_activity_timeout=900",),
                *("--MappingKernelManager.cull_idle_timeout=900",),
            ],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={
                **environment,
                "JUPYTER_CONFIG_DIR": str(own / "config"),
                "JUPYTER_DATA_DIR": str(own / "data"),
                "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
                "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
                "IPYTHONDIR": str(own / "ipython"),
            },
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        for _ in range(round(CELL_TIMEOUT / 0.2)):
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                self.request("status")
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not start:\n{(self.folder / 'server.log').read_text()}")

    def request(self, path: str, method: str = "GET") -> Any:
        """Send a request to the server's REST API and return the response."""
        request = urllib.request.Request(
            f"{self.address}/api/{path}",
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=CELL_TIMEOUT) as answer:
            return json.loads(answer.read() or b"null")

    def close_kernels(self) -> None:
        for kernel in self.request("kernels"):
            self.request(f"kernels/{kernel['id']}", "DELETE")

    def stop(self) -> None:
        """Stop the kernels and the server, and wait for it to exit."""
        if self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.close_kernels()
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def open(self, notebook: Path) -> Notebook:
        """Open a copy of a notebook next to a copy of data/, as in a clone."""
        name = notebook.stem
        folder = self.files / name / "notebooks"
        folder.mkdir(parents=True)
        shutil.copy(notebook, folder)
        junk = shutil.ignore_patterns("__pycache__", "*.py")
        shutil.copytree(ROOT / "data", folder.parent / "data", ignore=junk)
        context = self.browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT},
            permissions=["clipboard-read", "clipboard-write"],
        )
        page = context.new_page()
        path = f"{name}/notebooks/{notebook.name}"
        page.goto(f"{self.address}/doc/tree/{path}?reset&token={self.token}")
        return Notebook(page, folder / notebook.name)


class Notebook:
    """A notebook in the browser. Cells are identified by their IDs in the file."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page, self.path = page, path
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        self.kinds = {cell["id"]: cell["cell_type"] for cell in cells}
        self.ids = list(self.kinds)
        self.errors: dict[str, str] = {}
        self.cell(self.ids[-1]).wait_for()
        # The status bar: the indicator next to the notebook shows idle before the kernel exists,
        # and a cell that is run too early is silently skipped.
        page.get_by_text("| Idle").wait_for(timeout=CELL_TIMEOUT * 1000)

    @property
    def folder(self) -> Path:
        """The working folder of the kernel."""
        return self.path.parent

    def cell(self, name: str) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(self.ids.index(name))

    def field(self, name: str, label: str) -> Locator:
        """Return the input with this label in the form below a cell."""
        return self.cell(name).get_by_label(label, exact=True)

    def run_cell(self, name: str, seconds: float = CELL_TIMEOUT) -> None:
        """Select a cell, press Shift+Enter, and wait until it has finished."""
        cell = self.cell(name)
        if "jp-mod-active" not in (cell.get_attribute("class") or ""):
            # Not on its text, which would be edited, nor on the bar that collapses it.
            cell.click(position={"x": 40, "y": 12})
        before = self._prompt(name)
        self.page.keyboard.press("Shift+Enter")
        if self.kinds[name] != "code":
            return
        # In the page, since each question from here takes longer than the answer.
        self.page.wait_for_function(
            """([index, before]) => {
              const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[index];
              const prompt = cell.querySelector('.jp-InputPrompt').textContent.trim();
              return /^\\[\\d+\\]:$/.test(prompt) && prompt !== before;
            }""",
            arg=[self.ids.index(name), before],
            polling=50,
            timeout=seconds * 1000,
        )

    def _prompt(self, name: str) -> str:
        prompt = self.cell(name).locator(".jp-InputPrompt")
        return (prompt.text_content() or "").strip() if prompt.count() else ""

    def type(self, field: Locator, text: str) -> None:
        """Replace the content of a form field and leave it."""
        field.fill(text)
        field.press("Tab")

    def run_all(self) -> None:
        """Press Shift+Enter in every cell. `errors` has the errors by cell."""
        for name in self.ids:
            self.run_cell(name)
        self.save()
        self.errors = {name: wrong for name in self.ids if (wrong := self.error_of(name))}

    def save(self) -> None:
        """Press Ctrl+S and wait until the file is written."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        for _ in range(round(CELL_TIMEOUT / 0.05)):
            if self.path.stat().st_mtime_ns != before:
                with contextlib.suppress(ValueError):  # partially written
                    json.loads(self.path.read_text(encoding="utf-8"))
                    return
            self.page.wait_for_timeout(50)
        raise TimeoutError(f"{self.path} was not saved")

    def error_of(self, name: str) -> str:
        """Return the error of a cell in the saved file, or of a widget that was not rendered."""
        if self.kinds[name] != "code":
            return ""
        cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        for output in cells[self.ids.index(name)]["outputs"]:
            if output["output_type"] == "error":
                traceback = "\n".join(output["traceback"]) or output["evalue"]
                return re.sub(r"\x1b\[[\d;]*m", "", traceback)
        failed = re.search("(Error displaying|Loading|Failed to load) .*", self.text_of(name))
        return failed[0] if failed else ""

    def text_of(self, name: str) -> str:
        """Return the visible output of a code cell."""
        return "\n".join(self.cell(name).locator(".jp-OutputArea-output").all_inner_texts())

    def picture(self, path: Path, first: str, last: str | None = None) -> None:
        """Save a screenshot of the cells from `first` to `last` as PNG."""
        # Tall enough to avoid scrolling.
        self.page.set_viewport_size({"width": WIDTH, "height": TALL})
        self.cell(first).evaluate("cell => cell.scrollIntoView({block: 'start'})")
        self.page.mouse.move(0, 0)
        self.page.wait_for_timeout(500)
        top, bottom = self.cell(first).bounding_box(), self.cell(last or first).bounding_box()
        assert top
        assert bottom
        path.parent.mkdir(parents=True, exist_ok=True)
        height = bottom["y"] + bottom["height"] - top["y"]
        clip = {"x": top["x"], "y": top["y"], "width": top["width"], "height": height}
        self.page.screenshot(path=path, clip=clip)  # type: ignore[arg-type]
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    def close(self) -> None:
        self.page.context.close()
