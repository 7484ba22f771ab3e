"""Servers for tests: beside them or in a process of their own, with a model that may be slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.scheduler import Scheduler
from gpt2_helpers.web.server import Server

LONG = {"prefix": "Once upon a time", "max_new_tokens": 200, "temperature": 1.0}


@contextmanager
def serving(
    session: Session, key: str | None = None, step_seconds: float = 0.0, **options: Any
) -> Iterator[httpx.Client]:
    """A client of a server with these options, on a port that is free. Each token takes
    `step_seconds` longer than it would."""
    server = Server(session, ServeConfig(**{"port": 0, "workers": 1, **options}), key)
    if step_seconds:
        assert isinstance(server.writer, Scheduler)
        slowed(server.writer, step_seconds)
    server.start()
    try:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            yield client
    finally:
        server.stop()


def slowed(batcher: Scheduler, seconds: float) -> None:
    """Let each step of a batcher take longer, as a larger model's would."""
    step = batcher._batch.step

    def slowly() -> Any:
        time.sleep(seconds)
        return step()

    batcher._batch.step = slowly  # type: ignore[method-assign]


@contextmanager
def started(folder: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`gpt2-helpers serve` as a process in a folder; killed at the end where it still runs."""
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
    """Where a started server is, once it takes requests."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert " at http://" in line, process.communicate()
    return line.split()[-1]


def events_of(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events as they come."""
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


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not come to pass in time"
        time.sleep(0.02)
