"""Clients that send a request slowly or not at all."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import httpx
import pytest

from gpt2_helpers.session import Session
from gpt2_helpers.web import timeouts
from web_server import LONG, serving

HEAD = b"POST /api/generate HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent", [b"", b"POST /api/gen", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"]
)
def test_an_incomplete_request_is_disconnected(
    tiny: Session,
    monkeypatch: pytest.MonkeyPatch,
    connect: Callable[[httpx.Client], socket.socket],
    sent: bytes,
) -> None:
    monkeypatch.setattr(timeouts, "READ_TIMEOUT", 0.3)
    with serving(tiny) as client, connect(client) as slow:
        slow.sendall(sent)
        assert slow.recv(1000) == b""
        assert client.get("/healthz").status_code == 200
        time.sleep(0.5)  # a connection may be idle for longer between two requests
        assert client.get("/healthz").status_code == 200


def test_a_response_may_take_longer_than_the_timeout(
    tiny: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "READ_TIMEOUT", 0.3)
    with serving(tiny, step_seconds=0.02) as client:
        for path in ("/api/generate", "/api/stream"):
            assert client.post(path, json={**LONG, "max_new_tokens": 40}).status_code == 200
