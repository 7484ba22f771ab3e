"""Static sites for tests: the runtime of their models, and a plain HTTP server."""

from __future__ import annotations

import fcntl
import functools
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.errors import DownloadError
from gpt2_helpers.web import browser_runtime
from gpt2_helpers.web.browser_runtime import PACKAGE, VERSION


def runtime_folder() -> str:
    """The folder of the runtime, fetched once per machine; skips the test if it cannot be."""
    folder = Path(tempfile.gettempdir(), f"gpt2-helpers-{PACKAGE}-{VERSION}")
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


class StaticHost:
    """A host of static files, which knows nothing about the site.

    Attributes:
        address: The address of the served folder, with a slash at the end.
        asked: The paths of all requests.
        headers: Sent with every response.
        truncated: Names of files of which only the first half is sent.
    """

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.truncated: set[str] = set()


@contextmanager
def hosting(folder: Path) -> Iterator[StaticHost]:
    """Serve a folder on a free port."""
    host = StaticHost()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            path = Path(self.translate_path(self.path))
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
