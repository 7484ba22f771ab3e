"""A local HTTP server for files that can fail in configurable ways."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one response to a GET request."""

    status: int | None = None  # respond with this status and an empty body
    drop_after: int | None = None  # close the connection after so many bytes of the body
    body: bytes | None = None  # send this instead of the file
    headers: dict[str, str] = field(default_factory=dict)  # replace the correct ones
    before: Callable[[], None] | None = None  # called before the response
    midway: Callable[[], None] | None = None  # called after half of the body


@dataclass(frozen=True)
class Request:
    """A request, its status, and the bytes of its response body."""

    method: str
    path: str
    range: str | None
    if_range: str | None
    status: int
    sent: int


class FaultyServer:
    """The state of the server, which tests change.

    Attributes:
        files: Contents by path.
        faults: Faults by path of the next GET requests, one each.
        always: Faults by path of every GET request.
        requests: All requests so far.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.always: dict[str, Fault] = {}
        self.requests: list[Request] = []
        self.answers_head = True
        self.head_headers: dict[str, str] = {}
        self.honours_range = True
        self.honours_if_range = True
        self.sends_etag = True
        self.sends_md5 = True
        self.redirects: dict[str, str] = {}
        self.address = ""

    def gets(self, path: str = "") -> list[Request]:
        """The GET requests whose path ends with `path`."""
        return [r for r in self.requests if r.method == "GET" and r.path.endswith(path)]


def etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:12]}"'


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


@contextmanager
def running() -> Iterator[FaultyServer]:
    """A server on a free local port, stopped at the end of the block."""
    state = FaultyServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            body = state.files.get(self.path)
            if self.path in state.redirects:
                self.answer(302, {"Location": state.redirects[self.path]})
            elif not state.answers_head:
                self.answer(501, {})
            elif body is None:
                self.answer(404, {})
            else:
                self.answer(200, self.describe(body) | state.head_headers)

        def do_GET(self) -> None:
            queue = state.faults.get(self.path, [])
            fault = queue.pop(0) if queue else state.always.get(self.path, Fault())
            if fault.before:
                fault.before()
            body = state.files.get(self.path)
            if self.path in state.redirects:
                self.answer(302, {"Location": state.redirects[self.path]})
            elif fault.status or body is None:
                self.answer(fault.status or 404, {})
            else:
                self.send_file(fault.body if fault.body is not None else body, fault)

        def describe(self, body: bytes) -> dict[str, str]:
            headers = {"Content-Length": str(len(body)), "Content-Type": "application/octet-stream"}
            if state.sends_etag:
                headers["ETag"] = etag(body)
            if state.sends_md5:
                headers["Content-MD5"] = md5(body)
            return headers

        def send_file(self, body: bytes, fault: Fault) -> None:
            headers = self.describe(body)
            status, wanted = 200, self.headers["Range"]
            if_range = self.headers["If-Range"]
            current = not state.honours_if_range or if_range in (None, etag(body))
            if wanted and state.honours_range and current:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    self.answer(416, {"Content-Range": f"bytes */{len(body)}"})
                    return
                status = 206
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                headers.pop("Content-MD5", None)
                body = body[start:]
                headers["Content-Length"] = str(len(body))
            self.answer(status, headers | fault.headers, body[: fault.drop_after], fault.midway)

        def answer(
            self,
            status: int,
            headers: dict[str, str],
            body: bytes = b"",
            midway: Callable[[], None] | None = None,
        ) -> None:
            # Recorded before the response: a client that has received it finds it in the list.
            ranges = self.headers["Range"], self.headers["If-Range"]
            state.requests.append(Request(self.command, self.path, *ranges, status, len(body)))
            self.close_connection = True
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            half = len(body) // 2 if midway else len(body)
            try:
                self.wfile.write(body[:half])
                if midway:
                    midway()
                    self.wfile.write(body[half:])
            except ConnectionError:
                pass  # the client has disconnected

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
