"""Time of `/api/complete` for each keystroke while a paragraph is typed, on a real server.

    python benchmarks/autocomplete.py --model-name 124M --model-dir build/bench

Types the same paragraph twice, letter by letter, from several lengths on, and asks for completions
after each. The second time every request starts with other characters, so that the server cannot
reuse what it has computed of the one before. The two ways take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

from load import Client, server
from machine_info import machine

ROOT = Path(__file__).resolve().parents[1]
PATH = "/api/complete"
KEYSTROKES = 20
LENGTHS = (100, 400, 800)  # characters before the first keystroke


async def type_text(
    client: Client, text: str, first: int, count: int, parameters: dict[str, Any]
) -> dict[str, list[float]]:
    """Ask for completions after each of `count` keystrokes, with and without a common start.

    Returns:
        Seconds per request, by "typed" and "other start".
    """
    seconds: dict[str, list[float]] = {"typed": [], "other start": []}
    for number in range(count):
        end = first + number
        starts = {"typed": text[:end], "other start": f"{number}. {text[:end]}"}
        for name, typed in starts.items():
            start = time.perf_counter()
            await client.post(PATH, {"text": typed, **parameters})
            seconds[name].append(time.perf_counter() - start)
    return seconds


def table(rows: dict[int, dict[str, list[float]]]) -> str:
    """Median milliseconds by number of characters."""
    lines = ["| characters before | typed, ms | with another start, ms |", "|---|---|---|"]
    for first, found in rows.items():
        medians = (1000 * statistics.median(found[name]) for name in ("typed", "other start"))
        lines.append(f"| {first} | " + " | ".join(f"{value:.0f}" for value in medians) + " |")
    return "\n".join(lines)


async def measure(
    address: str, text: str, count: int, parameters: dict[str, Any]
) -> dict[int, dict[str, list[float]]]:
    """Measure all lengths, on one connection."""
    async with Client(address) as client:
        await client.post(PATH, {"text": "It", **parameters})  # warms up
        return {first: await type_text(client, text, first, count, parameters) for first in LENGTHS}


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
    with server(*names, "--rate-limit", "0") as (address, _):
        parameters = {"count": options.count}
        found = asyncio.run(measure(address, paragraph, options.keystrokes, parameters))
    print(table(found))


if __name__ == "__main__":
    main()
