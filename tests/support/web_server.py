"""Servers for tests: in this process or a process of their own, optionally slowed down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.scheduler import Scheduler
from gpt2_helpers.web.server import Server

TIMEOUT = 300.0  # seconds; a busy machine must not fail a test that is only slow
# A request for a long text. It cannot end early, since the zero byte is never generated.
LONG = {
    "prefix": "Once upon a time",
    "max_new_tokens": 200,
    "temperature": 1.0,
    "truncate": "\x00",
}


@contextmanager
def serving(
    session: Session, key: str | None = None, step_seconds: float = 0.0, **options: Any
) -> Iterator[httpx.Client]:
    """Run a server in this process; yields a client. Each decode step takes `step_seconds` longer
    than it would."""
    server = Server(session, ServeConfig(**{"port": 0, "workers": 1, **options}), key)
    if step_seconds:
        assert isinstance(server.engine, Scheduler)
        slow_down(server.engine, step_seconds)
    server.start()
    try:
        with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
            yield client
    finally:
        server.stop()


def slow_down(scheduler: Scheduler, seconds: float) -> None:
    """Make each decode step take longer, like that of a larger model."""
    step = scheduler._batch.step

    def slow_step() -> Any:
        time.sleep(seconds)
        return step()

    scheduler._batch.step = slow_step  # type: ignore[method-assign]


@contextmanager
def started(folder: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run `gpt2-helpers serve` as a process in a folder; it is killed if it still runs at the
    end."""
    command = [sys.executable, "-m", "gpt2_helpers", "serve", *options]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    """Wait until a started server accepts requests, and return its address."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert " at http://" in line, process.communicate()
    return line.split()[-1]


def events_of(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield server-sent events as they arrive."""
    assert response.status_code == 200, response.read()
    name = ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def metric(client: httpx.Client, name: str) -> float:
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def wait_until(condition: Callable[[], Any], seconds: float = TIMEOUT) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds:g} s"
        time.sleep(0.02)
