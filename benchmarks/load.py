"""Load test of the web app: throughput and latency by number of clients, and memory over time.

    python benchmarks/load.py              # about six minutes; `make load-test`
    python benchmarks/load.py --seconds 1 --rounds 1 --requests 200 --clients 1 16

Compares two servers on loopback with the bundled model: one with a batch of 16 sequences, and one
with a batch of 1, which answers requests one after another as gpt-2-cloud-run does. The rounds of
both alternate, since the speed of a machine varies. Each client sends its next request when it has
the response to the last. Prints tables, and updates benchmarks/load.json with --write.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).parent
TOKENS = 60
GENERATE, STREAM = "/api/generate", "/api/stream"
BATCH_SIZE = 16
CLIENTS = (1, 2, 4, 8, 16, 32)
# The stop string is never generated, so that all texts have the same length.
PARAMETERS = {
    "prefix": "It was a dark night, and", "max_new_tokens": TOKENS, "truncate": "\x00"
}  # fmt: skip
SHORT_PARAMETERS = {"prefix": "It was", "max_new_tokens": 4, "temperature": 1.0}


@contextmanager
def server(*options: str) -> Iterator[tuple[str, int]]:
    """Run `gpt2-helpers serve`; yields its address and process id."""
    command = [sys.executable, "-m", "gpt2_helpers", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.terminate()
            process.wait(60)
    if process.returncode:
        raise SystemExit(f"the server exited with code {process.returncode}")


def resident_memory(pid: int) -> float:
    """Return the resident memory of a process and its descendants in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return own + sum(resident_memory(int(child)) for child in children)


@dataclass
class Measurement:
    """What a number of clients measured: texts per second of each round, and seconds per request
    of all rounds."""

    clients: int
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    first_texts: list[float] = field(default_factory=list)  # of streams

    def summary(self) -> dict[str, Any]:
        return {
            "clients": self.clients,
            "texts per second": round(statistics.median(self.rates), 2),
            "range": [round(rate, 2) for rate in (min(self.rates), max(self.rates))],
            "latency p50": round(statistics.median(self.latencies), 3),
            "latency p95": round(_quantile(self.latencies, 0.95), 3),
            "first text p50": round(statistics.median(self.first_texts), 3),
            "first text max": round(max(self.first_texts), 3),
        }


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Client:
    """A minimal HTTP client on one connection: a full library would need a core that the server
    needs as well."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = str(parts.hostname), parts.port

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self, path: str, parameters: dict[str, Any]) -> float:
        """Send a request and read the response; returns the time of its first text."""
        body = json.dumps(parameters).encode()
        self._writer.write(
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(f"request failed: {head.decode()}")
        _, chunked, _ = head.partition(b"transfer-encoding: chunked")
        if not chunked:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            await self._reader.readexactly(length)
            return time.monotonic()
        first = 0.0
        while size := int(await self._reader.readline(), 16):
            await self._reader.readexactly(size + 2)
            first = first or time.monotonic()
        await self._reader.readline()
        return first


async def measure_round(address: str, measurement: Measurement, seconds: float) -> None:
    """Add a round: all clients request texts for some seconds, then streams for half as long."""

    async def run_client(seconds: float, path: str, times: list[float]) -> None:
        async with Client(address) as client:
            until = time.monotonic() + seconds
            while (sent := time.monotonic()) < until:
                first = await client.post(path, PARAMETERS)
                times.append((first if path == STREAM else time.monotonic()) - sent)

    await run_client(0.5, GENERATE, [])  # warm-up
    start, before = time.monotonic(), len(measurement.latencies)
    clients = range(measurement.clients)
    await asyncio.gather(*(run_client(seconds, GENERATE, measurement.latencies) for _ in clients))
    n_texts = len(measurement.latencies) - before
    measurement.rates.append(n_texts / (time.monotonic() - start))
    await asyncio.gather(
        *(run_client(seconds / 2, STREAM, measurement.first_texts) for _ in clients)
    )


async def measure_memory(address: str, pid: int, requests: int) -> list[tuple[int, float]]:
    """Send short requests from 16 clients; returns pairs of answers so far and memory in MB."""
    samples: list[tuple[int, float]] = []
    numbers, answered = iter(range(requests)), 0

    async def run_client() -> None:
        nonlocal answered
        async with Client(address) as client:
            for _ in numbers:
                await client.post(GENERATE, SHORT_PARAMETERS)
                answered += 1  # not the request's number: answers come in any order
                if answered < requests and answered % max(1, requests // 20) == 0:
                    samples.append((answered, round(resident_memory(pid), 1)))

    await asyncio.gather(*(run_client() for _ in range(BATCH_SIZE)))
    samples.append((requests, round(resident_memory(pid), 1)))
    return samples


def table(measurements: Sequence[Measurement]) -> str:
    """Return measurements as a Markdown table."""
    rows = [measurement.summary() for measurement in measurements]
    head = " | ".join(rows[0])
    lines = [f"| {head} |", "|" + "---|" * len(rows[0])]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines)


def speedups(measurement: Measurement, baseline: Measurement) -> list[float]:
    """Return the ratio of the throughputs in each round."""
    pairs = zip(measurement.rates, baseline.rates, strict=True)
    return [round(rate / base, 3) for rate, base in pairs]


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="per round and setting")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=10_000, help="for the memory measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--write", action="store_true", help="update benchmarks/load.json")
    options = parser.parse_args()
    sequential = Measurement(BATCH_SIZE)
    batched = [Measurement(clients) for clients in options.clients]
    with (
        server("--batch-size", "1") as (sequential_address, _),
        server("--batch-size", str(BATCH_SIZE)) as (address, pid),
    ):
        for _ in range(options.rounds):
            asyncio.run(measure_round(sequential_address, sequential, options.seconds))
            for measurement in batched:
                asyncio.run(measure_round(address, measurement, options.seconds))
        memory = asyncio.run(measure_memory(address, pid, options.requests))
    print(f"tiny, {TOKENS} tokens per text, batch_size 1:\n\n{table([sequential])}\n")
    print(f"batch_size {BATCH_SIZE}:\n\n{table(batched)}\n")
    ratios = {measurement.clients: speedups(measurement, sequential) for measurement in batched}
    for clients, values in ratios.items():
        print(
            f"{clients} clients: {statistics.median(values):.2f} times the throughput of "
            f"batch_size 1 ({min(values):.2f} to {max(values):.2f})"
        )
    early_requests, early = memory[len(memory) // 4]
    print(f"\nmemory: {early} MB after {early_requests} requests, {memory[-1][1]} MB after "
          f"{options.requests} ({memory[-1][1] / early - 1:+.1%})")  # fmt: skip
    if options.write:
        results = {
            "tokens": TOKENS,
            "sequential": [sequential.summary()],
            "batched": [measurement.summary() for measurement in batched],
            "speedup": ratios,
            "memory": memory,
        }
        (HERE / "load.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
