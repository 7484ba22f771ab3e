"""How much one server writes for how many at once, and that its memory stays flat.

    python benchmarks/load.py              # about six minutes; `make load-test`
    python benchmarks/load.py --seconds 1 --rounds 1 --requests 200 --clients 1 16

Two servers on loopback with the bundled model: one as it comes, with rows for 16 texts side by
side, and one with a single row, which answers one after another as gpt-2-cloud-run does. Both are
asked in turn, round by round, since a machine is not always as fast. Clients ask again as soon as
they are answered. Prints tables, and writes them to benchmarks/load.json with --write.
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
ROWS = 16
CLIENTS = (1, 2, 4, 8, 16, 32)
ASKED = {"prefix": "It was a dark night, and", "max_new_tokens": TOKENS, "truncate": "\x00"}
SHORT = {"prefix": "It was", "max_new_tokens": 4, "temperature": 1.0}


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
    """Resident memory of a process, and of those that it started, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 + sum(memory_of(int(one)) for one in children)


@dataclass
class Load:
    """What so many clients had of a server: texts a second in each round, and latencies of all
    rounds in seconds."""

    clients: int
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    first_pieces: list[float] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        return {
            "clients": self.clients,
            "texts a second": round(statistics.median(self.rates), 2),
            "of": [round(rate, 2) for rate in (min(self.rates), max(self.rates))],
            "latency, median": round(statistics.median(self.latencies), 3),
            "latency, 95 %": round(_share(self.latencies, 0.95), 3),
            "first piece, median": round(statistics.median(self.first_pieces), 3),
            "first piece, longest": round(max(self.first_pieces), 3),
        }


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Client:
    """One connection that asks by plain bytes: a client with more comfort would take a core from
    the server beside it."""

    def __init__(self, address: str) -> None:
        found = urlsplit(address)
        self._host, self._port = str(found.hostname), found.port

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def ask(self, path: str, asked: dict[str, Any]) -> float:
        """Ask and read the whole answer; returns when its first text came."""
        body = json.dumps(asked).encode()
        self._writer.write(
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(f"refused: {head.decode()}")
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


async def load(address: str, seen: Load, seconds: float) -> None:
    """One more round of `seen`: its clients ask for texts, one after another each, for so long;
    then for streams, half as long."""

    async def one(seconds: float, path: str, found: list[float]) -> None:
        async with Client(address) as client:
            until = time.monotonic() + seconds
            while (asked := time.monotonic()) < until:
                first = await client.ask(path, ASKED)
                found.append((first if path == STREAM else time.monotonic()) - asked)

    await one(0.5, GENERATE, [])  # warms up
    began, before, clients = time.monotonic(), len(seen.latencies), range(seen.clients)
    await asyncio.gather(*(one(seconds, GENERATE, seen.latencies) for _ in clients))
    seen.rates.append((len(seen.latencies) - before) / (time.monotonic() - began))
    await asyncio.gather(*(one(seconds / 2, STREAM, seen.first_pieces) for _ in clients))


async def many(address: str, pid: int, requests: int) -> list[tuple[int, float]]:
    """So many short requests of 16 clients: after how many the server's memory was how many MB."""
    seen: list[tuple[int, float]] = []
    left = iter(range(requests))

    async def one() -> None:
        async with Client(address) as client:
            for number in left:
                await client.ask(GENERATE, SHORT)
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


def ratios(one: Load, other: Load) -> list[float]:
    """How many times as much in each round."""
    return [round(a / b, 3) for a, b in zip(one.rates, other.rates, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round and setting")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=10_000, help="over which memory is watched")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--write", action="store_true", help="into benchmarks/load.json")
    options = parser.parse_args()
    alone, together = Load(ROWS), [Load(clients) for clients in options.clients]
    with (
        server("--batch-size", "1") as (slow, _),
        server("--batch-size", str(ROWS)) as (address, pid),
    ):
        for _ in range(options.rounds):
            asyncio.run(load(slow, alone, options.seconds))
            for one in together:
                asyncio.run(load(address, one, options.seconds))
        memory = asyncio.run(many(address, pid, options.requests))
    print(f"{TOKENS} tokens a text, tiny, one after another (batch_size 1):\n\n{table([alone])}\n")
    print(f"side by side (batch_size {ROWS}):\n\n{table(together)}\n")
    times = {one.clients: ratios(one, alone) for one in together}
    for clients, found in times.items():
        print(
            f"{clients} clients: {statistics.median(found):.2f} times one after another "
            f"({min(found):.2f} to {max(found):.2f})"
        )
    half = memory[len(memory) // 4][1]
    print(f"\nmemory after {memory[len(memory) // 4][0]} requests {half} MB, at the end "
          f"({options.requests}) {memory[-1][1]} MB: {memory[-1][1] / half - 1:+.1%}")  # fmt: skip
    if options.write:
        told = {
            "tokens": TOKENS,
            "one after another": [alone.told()],
            "side by side": [one.told() for one in together],
            "times one after another": times,
            "memory": memory,
        }
        (HERE / "load.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
