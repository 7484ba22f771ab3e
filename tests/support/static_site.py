"""Static sites for tests: the runtime of their models, and a plain HTTP server."""

from __future__ import annotations

import fcntl
import functools
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gpt2_helpers.checkpoint.model_files import open_weights
from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.errors import DownloadError
from gpt2_helpers.session import Session
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web import browser_runtime
from gpt2_helpers.web.browser_runtime import BUILDS, PACKAGE, VERSION, add_runtime
from gpt2_helpers.web.model_info import ModelInfo
from gpt2_helpers.web.site import MODEL, write_site

if TYPE_CHECKING:
    from playwright.sync_api import Page


def runtime_folder() -> str:
    """The folder of the runtime, fetched once per machine; skips the test if it cannot be."""
    folder = Path(tempfile.gettempdir(), f"gpt2-helpers-{PACKAGE}-{VERSION}-{len(BUILDS)}")
    with Path(f"{folder}.lock").open("w") as lock:  # one process of the tests fetches it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            try:
                with browser_runtime._source(None, print) as source:
                    shutil.copytree(source, f"{folder}.part", dirs_exist_ok=True)
            except DownloadError as error:
                pytest.skip(f"needs {PACKAGE} {VERSION}: {error}")
            Path(f"{folder}.part").rename(folder)
    return str(folder)


def write_model_site(
    folder: Path, session: Session, dtype: str, model: Path = BUNDLED_FOLDER
) -> None:
    """Export the model of a folder, which the session holds, as a site."""
    pytest.importorskip("onnx", reason="needs pip install onnx")
    from gpt2_helpers.exchange.onnx_folder import OnnxFacts, write_onnx

    shape, weights = open_weights(model, "latest")
    tokenizer, facts = Tokenizer.load(model), OnnxFacts(session.name)
    write_onnx(folder / MODEL, shape, tokenizer, weights, facts, dtype, for_gpu=True)
    write_site(folder, ModelInfo.of(session), add_runtime(folder, runtime_folder()))


def load_model(page: Page, address: str) -> dict[str, Any]:
    """Open a site, and wait for its model; returns what the engine says about it."""
    page.goto(address)
    page.locator("#generate:enabled").wait_for()
    loaded: dict[str, Any] = page.evaluate(
        "import('./static/transport.js').then(({ load }) => load(() => {}))"
    )
    return loaded


def texts_of(page: Page, requests: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The texts of an open site for several requests, by the module that the page itself uses."""
    found: list[list[str]] = page.evaluate(
        _STREAM, [{**request, "seed": str(request["seed"])} for request in requests]
    )
    return found


_STREAM = """async (requests) => {
  const transport = await import("./static/transport.js");
  const found = [];
  for (const { seed, ...request } of requests) {
    const texts = [];
    await transport.stream({ ...request, seed: BigInt(seed) }, {
      text: (index, text) => (texts[index] = (texts[index] ?? "") + text),
      end: () => {},
    });
    found.push(texts);
  }
  return found;
}"""


class StaticHost:
    """A host of static files, which knows nothing about the site.

    Attributes:
        address: The address of the served folder, with a slash at the end.
        asked: The paths of all requests.
        headers: Sent with every response.
        truncated: Names of files of which only the first half is sent.
        redirected: Names of files whose requests are redirected to another address, as hosts do
            that shorten addresses.
        held: Names of files that are not sent before they are removed from here.
        folder: The served folder.
    """

    def __init__(self, folder: Path) -> None:
        self.address, self.folder = "", folder
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.truncated: set[str] = set()
        self.redirected: set[str] = set()
        self.held: set[str] = set()


@contextmanager
def hosting(folder: Path) -> Iterator[StaticHost]:
    """Serve a folder on a free port."""
    host = StaticHost(folder)

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            path = Path(self.translate_path(self.path))
            while path.name in host.held:
                time.sleep(0.01)
            if path.name in host.redirected and "?" not in self.path:
                self.send_response(308)
                self.send_header("Location", f"{self.path}?short")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if path.name not in host.truncated:
                super().do_GET()
                return
            content = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) // 2))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])

        def end_headers(self) -> None:
            for name, value in host.headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host.address = f"http://127.0.0.1:{server.server_port}/"
        try:
            yield host
        finally:
            server.shutdown()
