"""Time of `/api/complete` for each keystroke while a paragraph is typed, on a real server.

    python benchmarks/autocomplete.py --model-name 124M --model-dir build/bench

Types the same paragraph twice, letter by letter, from several lengths on, and asks for completions
after each. The second time every request starts with other characters, so that the server cannot
reuse what it has computed for the one before. Prints medians of the time until the answer and of
the server's CPU time, which other programs distort less.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import Client, server
from machine_info import machine

ROOT = Path(__file__).resolve().parents[1]
PATH = "/api/complete"
KEYSTROKES = 20
LENGTHS = (100, 400, 800)  # characters before the first keystroke


@dataclass(frozen=True)
class Keystroke:
    """What one request took: seconds until its answer, and CPU seconds of the server."""

    seconds: float
    cpu_seconds: float


Found = dict[int, dict[str, list[Keystroke]]]  # by length, and by "typed" and "other start"


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")  # in user and in system mode


async def type_text(
    client: Client, pid: int, text: str, first: int, count: int, parameters: dict[str, Any]
) -> dict[str, list[Keystroke]]:
    """Ask for completions after each of `count` keystrokes, with and without a common start."""
    found: dict[str, list[Keystroke]] = {}
    for name in ("typed", "other start"):
        found[name] = []
        for number in range(-1, count):  # the first one reads what was there before
            typed = text[: first + number]
            if name == "other start":
                typed = f"{number}. {typed}"
            start, cpu = time.perf_counter(), cpu_seconds(pid)
            await client.post(PATH, {"text": typed, **parameters})
            found[name].append(Keystroke(time.perf_counter() - start, cpu_seconds(pid) - cpu))
        del found[name][0]
    return found


def table(found: Found) -> str:
    """Medians in milliseconds, by number of characters."""
    lines = [
        "| characters before | typed, ms | other start, ms | typed, CPU ms | other start, CPU ms |",
        "|---|---|---|---|---|",
    ]
    for first, ways in found.items():
        medians = [
            statistics.median(getattr(keystroke, kind) for keystroke in ways[name])
            for kind in ("seconds", "cpu_seconds")
            for name in ("typed", "other start")
        ]
        cells = " | ".join(f"{1000 * value:.0f}" for value in medians)
        lines.append(f"| {first} | {cells} |")
    return "\n".join(lines)


async def measure(
    address: str, pid: int, text: str, count: int, parameters: dict[str, Any]
) -> Found:
    """Measure all lengths, on one connection."""
    async with Client(address) as client:
        return {
            first: await type_text(client, pid, text, first, count, parameters) for first in LENGTHS
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model-name", default="tiny")
    parser.add_argument("--model-dir", default="models")
    parser.add_argument("--text", type=Path, default=ROOT / "data" / "stories.txt")
    parser.add_argument("--keystrokes", type=int, default=KEYSTROKES, help="for each length")
    parser.add_argument("--count", type=int, default=1, help="continuations to choose from")
    options = parser.parse_args()
    paragraph = " ".join(options.text.read_text(encoding="utf-8").split())
    names = "--model-name", options.model_name, "--model-dir", options.model_dir
    print(machine())
    with server(*names, "--rate-limit", "0", "--workers", "1") as (address, pid):
        parameters = {"count": options.count}
        found = asyncio.run(measure(address, pid, paragraph, options.keystrokes, parameters))
    print(table(found))


if __name__ == "__main__":
    main()
