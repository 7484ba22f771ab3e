"""Two servers behind nginx: requests are shared, streamed, and answered while a queue is full."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from scaling.servers import nginx
from web_server import LONG, TIMEOUT, address_of, events_of, started

pytestmark = [
    pytest.mark.scale,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx (apt install nginx)"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def front(folder: Path) -> Iterator[httpx.Client]:
    """A client of nginx in front of two servers, each with a batch and a queue of one text."""
    options = ["--port", "0", "--workers", "1", "--batch-size", "1", "--max-queue", "7"]
    options += ["--max-nsamples", "1", "--max-prompts", "1"]
    with ExitStack() as stack:
        servers = [stack.enter_context(started(folder, *options)) for _ in range(2)]
        address = stack.enter_context(nginx([address_of(each) for each in servers], folder))
        yield stack.enter_context(httpx.Client(base_url=address, timeout=TIMEOUT))


def served_by(folder: Path) -> list[tuple[str, str]]:
    """The servers that nginx asked for each request, and the final status."""
    lines = (folder / "access.log").read_text(encoding="utf-8").splitlines()
    found = [re.match(r"(.+) (\d{3}) \w+ /", line) for line in lines]
    return [(match[1], match[2]) for match in found if match]


def test_the_requests_of_many_clients_are_shared(front: httpx.Client, folder: Path) -> None:
    parameters = {"prefix": "It was", "max_new_tokens": 20, "seed": 1}
    with ThreadPoolExecutor(8) as pool:
        requests = [pool.submit(front.post, "/api/generate", json=parameters) for _ in range(40)]
        answers = [request.result() for request in requests]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1  # whichever server it was
    counts = Counter(server for server, _ in served_by(folder) if ", " not in server)
    assert len(counts) == 2
    assert min(counts.values()) >= 10


def test_a_text_is_streamed_through_nginx(front: httpx.Client) -> None:
    with front.stream("POST", "/api/stream", json=LONG) as response:
        names = [name for name, _ in events_of(response)]
    assert len(names) > 5


def test_a_request_that_finds_a_full_queue_goes_to_the_other_server(
    front: httpx.Client, folder: Path
) -> None:
    with ThreadPoolExecutor(24) as pool:
        parameters = {**LONG, "max_new_tokens": 60}
        requests = [pool.submit(front.post, "/api/generate", json=parameters) for _ in range(24)]
        codes = Counter(request.result().status_code for request in requests)
    # Two batches and two queues hold 16; nginx asks both servers before it gives up.
    assert codes[200] >= 16
    assert codes.keys() <= {200, 429, 502}
    assert any(", " in server for server, status in served_by(folder) if status != "200")
