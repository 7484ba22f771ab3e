"""Connections: clients that send slowly, nothing at all, or something that is not HTTP."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import httpx
import pytest

from gpt2_helpers.session import Session
from gpt2_helpers.web import connections
from web_server import LONG, TIMEOUT, serving

Connect = Callable[[httpx.Client], socket.socket]
HEAD = b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def read_response(connection: socket.socket) -> tuple[int, httpx.Headers, bytes]:
    """Read until the server closes its side; returns status, headers and body."""
    connection.settimeout(TIMEOUT)
    received = b""
    while data := connection.recv(65_536):
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    headers = httpx.Headers([(line.split(": ")[0], line.split(": ")[1]) for line in lines])
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize(
    "sent", [b"", b"POST /api/gen", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"]
)
def test_an_incomplete_request_is_disconnected(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, connect: Connect, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "READ_TIMEOUT", 1.0)
    with serving(tiny) as client, connect(client) as slow:
        slow.sendall(sent)
        assert slow.recv(1000) == b""
        assert client.get("/healthz").status_code == 200
        time.sleep(1.2)  # a connection may be idle for longer between two requests
        assert client.get("/healthz").status_code == 200


def test_a_response_may_take_longer_than_the_timeout(
    tiny: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "READ_TIMEOUT", 1.0)
    parameters = {**LONG, "max_new_tokens": 30}
    with serving(tiny, step_seconds=0.05) as client:
        for path in ("/api/generate", "/api/stream"):
            assert client.post(path, json=parameters).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTT", HEAD + b"Content-Length: 9\r\n\r\n{"])
def test_idle_connections_do_not_keep_others_out(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, connect: Connect, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 10)
    with serving(tiny) as client, ExitStack() as stack:
        idle = [stack.enter_context(connect(client)) for _ in range(30)]
        for connection in idle:
            # Those that are over the limit may be closed already.
            try:
                connection.sendall(sent)
            except OSError:
                continue
        for _ in range(3):
            assert httpx.get(f"{client.base_url}healthz", timeout=TIMEOUT).status_code == 200
        # The oldest ones were closed.
        with suppress(ConnectionResetError):  # if what it sent had not been read
            assert idle[0].recv(1000) == b""
        idle[-1].settimeout(0.2)
        with pytest.raises(TimeoutError):
            idle[-1].recv(1000)


def test_idle_connections_do_not_interrupt_a_stream(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    with serving(tiny, step_seconds=0.01) as client, ExitStack() as stack:
        stream = client.stream("POST", "/api/stream", json=LONG)
        lines = stack.enter_context(stream).iter_lines()
        next(lines)
        for _ in range(6):
            stack.enter_context(connect(client))
        assert "event: done" in list(lines)


def test_more_requests_than_connections_are_refused_as_json(
    tiny: Session, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    with serving(tiny, step_seconds=0.02) as client:
        with client.stream("POST", "/api/stream", json=LONG) as response:
            lines = response.iter_lines()  # without a name it would be closed at once
            next(lines)
            with connect(client) as other:
                status, _, body = read_response(other)
        assert status == 503
        assert "retry later" in json.loads(body)["error"]
        assert client.get("/healthz").status_code == 200


def test_incomplete_requests_do_not_delay_the_shutdown(
    tiny: Session, connect: Connect, capfd: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        with serving(tiny) as client:
            for sent in (b"", b"GET / HT", HEAD + b"Content-Length: 9\r\n\r\n{"):
                stack.enter_context(connect(client)).sendall(sent)
            assert client.get("/healthz").status_code == 200
            start = time.monotonic()
        assert time.monotonic() - start < connections.READ_TIMEOUT
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("kilobytes", [70, 130, 400, 3000])
def test_a_long_query_is_answered_in_json(
    client: httpx.Client, connect: Connect, kilobytes: int
) -> None:
    with connect(client) as connection:
        query = b"a" * (kilobytes * 1000)
        connection.sendall(b"GET /api/model?prefix=" + query + b" HTTP/1.1\r\n")
        connection.sendall(b"Host: localhost\r\nConnection: close\r\n\r\n")
        status, headers, body = read_response(connection)
    assert headers["content-type"] == "application/json"
    if kilobytes < 100:
        assert status == 200
        assert json.loads(body)["name"] == "tiny"
    else:
        assert status == 414
        assert "POST" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("request_bytes", "expected", "message"),
    [
        (b"nonsense\r\n\r\n", 400, "invalid HTTP request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000, 431, "headers are too long"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "invalid HTTP request"),
    ],
    ids=["nonsense", "no host", "two hosts", "long headers", "chunks"],
)
def test_an_invalid_request_is_answered_in_json(
    client: httpx.Client, connect: Connect, request_bytes: bytes, expected: int, message: str
) -> None:
    with connect(client) as connection:
        connection.sendall(request_bytes)
        status, headers, body = read_response(connection)
    assert (status, headers["content-type"]) == (expected, "application/json")
    assert message in json.loads(body)["error"]


def test_the_limit_leaves_files_for_the_rest_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource", reason="needs limits of the operating system")
    for soft, expected in [(256, 128), (1_000_000, 1000), (resource.RLIM_INFINITY, 1000)]:
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connections.max_connections() == expected
