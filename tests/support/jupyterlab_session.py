"""JupyterLab in a real browser, as a user has it: a server, notebooks, keys, clicks, pictures.

Knows nothing of what stands in the notebooks. Works with JupyterLab 3.5 and 4, whose pages differ:
only what both have is looked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What a browser looks up on its own, nothing of which a test needs.
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
# All cells stand in the page, and nothing asks or looks for news.
SETTINGS: dict[str, dict[str, Any]] = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
WIDTH, HEIGHT, TALL = 1000, 900, 6000  # of the browser's window, in pixels
SLOWEST = 300.0  # seconds that a cell may take


def find_chromium() -> str:
    """The browser's path; installed first where that may be, and the test skipped otherwise."""

    def works(path: str | None) -> bool:
        # Ubuntu's chromium-browser may be a script that only names a snap.
        return (
            bool(path)
            and not subprocess.run(
                [str(path), "--version"], capture_output=True, timeout=60
            ).returncode
        )

    def found() -> str | None:
        return next(filter(works, map(shutil.which, BROWSERS)), None)

    if not found() and shutil.which("apt-get") and os.geteuid() == 0:
        install = ["apt-get", "install", "--yes", "--quiet=2", "chromium"]
        for command in (["apt-get", "update", "--quiet=2"], install):
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(command, capture_output=True, timeout=300, check=False)
    if path := found():
        return path
    pytest.skip("needs chromium: apt-get install chromium, as root, or Chrome on PATH")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    path = find_chromium()
    # Chromium's sandbox refuses to run for root, as in a container.
    flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield chromium
        finally:
            chromium.close()


class Lab:
    """A JupyterLab server on this machine, over `folder`, with settings of its own."""

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
                # Should the tests be killed, the server ends on its own.
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
        for _ in range(600):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                self.request("status")
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not start:\n{(self.folder / 'server.log').read_text()}")

    def request(self, path: str, method: str = "GET") -> Any:
        """What the server's REST API answers."""
        request = urllib.request.Request(
            f"{self.address}/api/{path}",
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def close_kernels(self) -> None:
        for kernel in self.request("kernels"):
            self.request(f"kernels/{kernel['id']}", "DELETE")

    def stop(self) -> None:
        """End the kernels, then the server, and wait until it is gone."""
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
        """Open a copy of a notebook, with a copy of data/ beside it as in a clone."""
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
    """A notebook's page in the browser. Cells are named by their ids in the file."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page, self.path = page, path
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        self.kinds = {cell["id"]: cell["cell_type"] for cell in cells}
        self.ids = list(self.kinds)
        self.errors: dict[str, str] = {}
        self.cell(self.ids[-1]).wait_for()
        # The status bar: the sign beside the notebook says idle before there is a kernel. A cell
        # that is run too early is passed over without a word.
        page.get_by_text("| Idle").wait_for(timeout=SLOWEST * 1000)

    @property
    def folder(self) -> Path:
        """Where its kernel works."""
        return self.path.parent

    def cell(self, name: str) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(self.ids.index(name))

    def field(self, name: str, label: str) -> Locator:
        """What is typed into, ticked or chosen from, in the form below a cell."""
        return self.cell(name).get_by_label(label, exact=True)

    def run_cell(self, name: str, seconds: float = SLOWEST) -> None:
        """Select a cell, press Shift+Enter, and wait until it is done."""
        cell = self.cell(name)
        if "jp-mod-active" not in (cell.get_attribute("class") or ""):
            # Beside its text, which would be edited, and right of the bar that folds it away.
            cell.click(position={"x": 40, "y": 12})
        before = self._prompt(name)
        self.page.keyboard.press("Shift+Enter")
        if self.kinds[name] != "code":
            return
        deadline = time.monotonic() + seconds
        while not re.fullmatch(r"\[\d+\]:", prompt := self._prompt(name)) or prompt == before:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.path.name}: cell {name} is not done: {prompt}")
            self.page.wait_for_timeout(30)

    def _prompt(self, name: str) -> str:
        prompt = self.cell(name).locator(".jp-InputPrompt")
        return (prompt.text_content() or "").strip() if prompt.count() else ""

    def type(self, field: Locator, text: str) -> None:
        """Type into a field of a form, instead of what stood there, and leave it."""
        field.fill(text)
        field.press("Tab")

    def run_all(self) -> None:
        """Shift+Enter from the first cell to the last. `errors` has what went wrong, by cell."""
        for name in self.ids:
            self.run_cell(name)
        self.save()
        self.errors = {name: wrong for name in self.ids if (wrong := self.error_of(name))}

    def save(self) -> None:
        """Ctrl+S, and wait until the file is written."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        for _ in range(200):
            if self.path.stat().st_mtime_ns != before:
                with contextlib.suppress(ValueError):  # it may have been written in part only
                    json.loads(self.path.read_text(encoding="utf-8"))
                    return
            self.page.wait_for_timeout(50)
        raise TimeoutError(f"{self.path} was not saved")

    def error_of(self, name: str) -> str:
        """The error that the saved file has below a cell, or words for a widget not drawn."""
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
        """What can be read below a code cell."""
        return "\n".join(self.cell(name).locator(".jp-OutputArea-output").all_inner_texts())

    def picture(self, path: Path, first: str, last: str | None = None) -> None:
        """The cells from `first` to `last`, without what stands round them, as a PNG."""
        # Tall enough that nothing has to be scrolled, and no window to draw that nobody sees.
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
