"""Start and graceful shutdown of the server."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx
import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.server import Server
from web_server import LONG, TIMEOUT, address_of, events_of, serving, started


def test_a_key_loses_its_final_newline(tiny: Session) -> None:
    with serving(tiny, key="open sesame\n") as client:
        headers = {"Authorization": "Bearer open sesame"}
        assert client.get("/api/model", headers=headers).status_code == 200


@pytest.mark.parametrize("key", ["", " \n", "schlüssel", "two\nlines"])
def test_an_invalid_key_is_rejected(tiny: Session, key: str) -> None:
    with pytest.raises(OptionError, match="the API key must be non-empty printable ASCII"):
        Server(tiny, ServeConfig(port=0), key)


def test_a_port_in_use_is_rejected(tiny: Session) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(
            OptionError, match=r"\(Address already in use\): choose another port, or 0"
        ):
            Server(tiny, ServeConfig(port=other.getsockname()[1]))


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_rejected(tiny: Session, host: str) -> None:
    with pytest.raises(OptionError, match="host must be an address of this machine"):
        Server(tiny, ServeConfig(port=0, host=host))


def test_sigterm_lets_running_requests_finish(tmp_path: Path) -> None:
    options = ("--port", "0", "--shutdown-timeout", "300")
    with started(tmp_path, *options, PORT="1") as process:
        with httpx.Client(base_url=address_of(process), timeout=TIMEOUT) as client:
            assert client.get("/readyz").status_code == 200
            with client.stream("POST", "/api/stream", json=LONG) as response:
                events = events_of(response)
                next(events)
                process.send_signal(signal.SIGTERM)
                names = [name for name, _ in events]
            assert names[-2:] == ["end", "done"]
            with pytest.raises(httpx.TransportError):
                httpx.get(str(client.base_url), timeout=2)
        assert process.wait(TIMEOUT) == 0


def test_sigterm_fails_requests_after_the_shutdown_timeout(tmp_path: Path) -> None:
    options = ("--port", "0", "--shutdown-timeout", "0.5", "--max-length", "100000")
    with started(tmp_path, *options) as process:
        with httpx.Client(base_url=address_of(process), timeout=TIMEOUT) as client:
            # Several, since the model may end a text at any time.
            parameters = {**LONG, "max_new_tokens": 90_000, "nsamples": 4}
            with client.stream("POST", "/api/stream", json=parameters) as response:
                events = events_of(response)
                next(events)
                process.send_signal(signal.SIGTERM)
                *_, (name, data) = events
            assert (name, data.get("status")) == ("error", 503)
        assert process.wait(TIMEOUT) == 0
