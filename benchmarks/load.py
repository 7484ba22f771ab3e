"""How much one server writes for how many at once, and that its memory stays flat.

    python benchmarks/load.py              # about five minutes; `make load-test`
    python benchmarks/load.py --seconds 2 --requests 200 --clients 1 4

A server is started for each setting, on loopback, with the bundled model: with rows for 16 texts
side by side, and with one, which answers one after another as gpt-2-cloud-run does. Clients ask
again as soon as they are answered. Prints tables, and writes them to benchmarks/load.json with
--write.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
TOKENS = 60
ROWS = 16
CLIENTS = (1, 2, 4, 8, 16, 32)
ASKED = {"prefix": "It was a dark night, and", "new_tokens": TOKENS, "truncate": "\x00"}
SHORT = {"prefix": "It was", "new_tokens": 4, "temperature": 1.0}


@contextmanager
def server(*options: str) -> Iterator[tuple[str, int]]:
    """`gpt2-helpers serve` with options: its address and process id; ended by SIGTERM."""
    command = [sys.executable, "-m", "gpt2_helpers", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.terminate()
            process.wait(60)
    if process.returncode:
        raise SystemExit(f"the server ended with exit code {process.returncode}")


def memory_of(pid: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass
class Load:
    """What so many clients had of a server. Latencies in seconds."""

    clients: int
    texts: int
    seconds: float
    latencies: list[float]
    first_pieces: list[float]

    @property
    def rate(self) -> float:
        return self.texts / self.seconds

    def told(self) -> dict[str, Any]:
        return {
            "clients": self.clients,
            "texts a second": round(self.rate, 2),
            "latency, median": round(statistics.median(self.latencies), 3),
            "latency, 95 %": round(_share(self.latencies, 0.95), 3),
            "first piece, median": round(statistics.median(self.first_pieces), 3),
            "first piece, longest": round(max(self.first_pieces), 3),
        }


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def load(address: str, clients: int, seconds: float) -> Load:
    """Let so many clients stream texts, one after another each, for so long."""
    latencies: list[float] = []
    first_pieces: list[float] = []
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=600) as client:
        await _stream(client, [], [])  # warms up
        began = time.monotonic()

        async def one() -> None:
            while time.monotonic() - began < seconds:
                await _stream(client, latencies, first_pieces)

        await asyncio.gather(*(one() for _ in range(clients)))
        return Load(clients, len(latencies), time.monotonic() - began, latencies, first_pieces)


async def _stream(
    client: httpx.AsyncClient, latencies: list[float], first_pieces: list[float]
) -> None:
    asked = time.monotonic()
    is_first = True
    async with client.stream("POST", "/api/stream", json=ASKED) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if is_first and line == "event: text":
                first_pieces.append(time.monotonic() - asked)
                is_first = False
    latencies.append(time.monotonic() - asked)


async def many(address: str, pid: int, requests: int) -> list[tuple[int, float]]:
    """So many short requests of 16 clients: after how many the server's memory was how many MB."""
    seen: list[tuple[int, float]] = []
    left = iter(range(requests))
    async with httpx.AsyncClient(base_url=address, timeout=600) as client:

        async def one() -> None:
            for number in left:
                response = await client.post("/api/generate", json=SHORT)
                response.raise_for_status()
                if number % max(1, requests // 20) == 0:
                    seen.append((number, round(memory_of(pid), 1)))

        await asyncio.gather(*(one() for _ in range(ROWS)))
    seen.append((requests, round(memory_of(pid), 1)))
    return seen


def table(loads: Sequence[Load]) -> str:
    """Loads as a table of Markdown."""
    rows = [one.told() for one in loads]
    head = " | ".join(rows[0])
    lines = [f"| {head} |", "|" + "---|" * len(rows[0])]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="for each number of clients")
    parser.add_argument("--requests", type=int, default=10_000, help="over which memory is watched")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--write", action="store_true", help="into benchmarks/load.json")
    options = parser.parse_args()
    with server("--batch-size", "1", "--max-waiting", "64") as (address, _):
        alone = [asyncio.run(load(address, max(options.clients), options.seconds))]
    with server("--batch-size", str(ROWS)) as (address, pid):
        together = [asyncio.run(load(address, n, options.seconds)) for n in options.clients]
        memory = asyncio.run(many(address, pid, options.requests))
    print(f"{TOKENS} tokens a text, tiny, one after another (batch_size 1):\n\n{table(alone)}\n")
    print(f"side by side (batch_size {ROWS}):\n\n{table(together)}\n")
    for one in together:
        print(f"{one.clients} clients: {one.rate / alone[0].rate:.2f} times one after another")
    half = memory[len(memory) // 4][1]
    print(f"\nmemory after {memory[len(memory) // 4][0]} requests {half} MB, at the end "
          f"({options.requests}) {memory[-1][1]} MB: {memory[-1][1] / half - 1:+.1%}")  # fmt: skip
    if options.write:
        told = {
            "tokens": TOKENS,
            "one after another": [one.told() for one in alone],
            "side by side": [one.told() for one in together],
            "memory": memory,
        }
        (HERE / "load.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
