"""Fixtures of the web app's tests: one model, and one server with default options, per process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from gpt2_helpers.session import Session
from jupyterlab_session import browser
from open_page import OpenPage
from web_server import TIMEOUT, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def tiny() -> Session:
    """A session with the bundled model. Servers share it: each gets a decoder of its own."""
    session = Session()
    session.load_pretrained("tiny")
    return session


@pytest.fixture(scope="session")
def client(tiny: Session) -> Iterator[httpx.Client]:
    """A client of a server with default options."""
    with serving(tiny) as client:
        yield client


@pytest.fixture
def connect() -> Callable[[httpx.Client], socket.socket]:
    """A function that opens a plain socket to a client's server."""

    def connect(client: httpx.Client) -> socket.socket:
        assert client.base_url.port is not None
        return socket.create_connection(
            (client.base_url.host, client.base_url.port), timeout=TIMEOUT
        )

    return connect


# Not once per process: while a browser is open, no other test can use asyncio.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def address(tiny: Session) -> Iterator[str]:
    """The address of a server with default options."""
    with serving(tiny) as client:
        yield str(client.base_url)


@pytest.fixture
def opened(chromium: Browser, address: str) -> Iterator[OpenPage]:
    """The page, which must not write anything to its console."""
    opened = OpenPage(chromium, address, viewport={"width": 1100, "height": 760})
    try:
        yield opened
        assert opened.messages == []
    finally:
        opened.context.close()
