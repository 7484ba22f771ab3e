"""The app as a whole: unknown routes, and its background threads."""

from __future__ import annotations

import threading

import httpx
import pytest

from gpt2_helpers.session import Session
from gpt2_helpers.web.app import create_app
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.scheduler import Scheduler
from web_server import serving


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/docs/", "/api/generate/"])
def test_an_unknown_path_is_not_found(client: httpx.Client, path: str) -> None:
    # Not even with a slash too many: a redirect would lead from https to http behind a proxy.
    response = client.get(path)
    message = f"not found: {path}; see /docs for the routes"
    assert (response.status_code, response.json()["error"]) == (404, message)


def test_a_wrong_method_is_rejected(client: httpx.Client) -> None:
    response = client.get("/api/generate")
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert response.json()["error"] == "/api/generate does not accept GET: use POST"


def test_no_thread_is_left(tiny: Session) -> None:
    before = set(threading.enumerate())
    with serving(tiny) as client:
        client.get("/", params={"length": 3})
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert not [name for name in names if name.startswith("gpt2-")]


def test_one_worker_is_a_thread(tiny: Session) -> None:
    _, models = create_app(tiny, ServeConfig(workers=1))
    assert isinstance(models.default.engine, Scheduler)
    models.stop()
