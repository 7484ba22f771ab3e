"""Measure how speed, time and memory grow with batch size, position, context, layers and text size.

    make bench-scaling                                        # everything but the largest text
    python benchmarks/run_scaling.py --only decoding          # decoding, training or tokenizing
    python benchmarks/run_scaling.py --only tokenizing --large  # also a text of 1 GB

Each point is measured in new processes, next to a limit from the machine's rates in the same run.
The results are in scaling.json, scaling.md and pictures/; topics that are not measured keep theirs.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any

import bench_weights
from machine_info import HERE, ROOT, machine, run
from scaling.curve import Curve, markdown
from scaling.limits import Rates
from scaling.topics import decoding, tokenizing, training

TOPICS = ("decoding", "training", "tokenizing")


def measure_rates() -> Rates:
    """The machine's rates, measured in a new process."""
    printed = run([sys.executable, "-m", "scaling.rates"]).stdout.splitlines()[-1]
    return Rates(**json.loads(printed))


def describe(rates: Rates) -> list[str]:
    """The rates with their units."""
    numbers = dataclasses.asdict(rates)
    memory = f"memory read at {numbers.pop('bandwidth') / 1e9:.1f} GB/s"
    return [memory, *(f"{name} at {rate / 1e9:,.0f} GFLOP/s" for name, rate in numbers.items())]


def measure(topic: str, options: argparse.Namespace) -> dict[str, Any]:
    """The curves of a topic, with the machine, date and rates."""
    machine_before = machine()
    folder = options.folder / "124M"
    if topic == "tokenizing":
        curves = tokenizing(folder, options.processes, options.large, options.rounds)
        merges = (folder / "vocab.bpe").read_text(encoding="utf-8").count("\n") - 1
        notes = [f"a vocabulary of {merges:,} merges"]
    else:
        rates = measure_rates()
        curves = (
            decoding(folder, rates, options.rounds)
            if topic == "decoding"
            else training(rates, options.rounds)
        )
        notes = describe(rates)
    return {
        "machine": machine_before,
        "date": f"{datetime.date.today()}",
        "notes": notes,
        "curves": [curve.as_json() for curve in curves],
    }


def show(results: dict[str, Any], path: Path) -> None:
    """Write the tables and plots next to the results at `path`."""
    text = markdown(results)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)
    try:
        from scaling.plots import draw
    except ImportError:
        print("No plots without matplotlib: pip install matplotlib")
        return
    pictures = path.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    for topic, found in results.items():
        curves = [Curve.from_json(values) for values in found["curves"]]
        draw(curves, pictures / f"{topic}.png")


def main() -> None:
    from gpt2_helpers.system.device import cores

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=TOPICS)
    parser.add_argument("--rounds", type=int, default=3, help="for each point")
    parser.add_argument("--large", action="store_true", help="also a text of 1 GB (minutes longer)")
    parser.add_argument("--processes", type=int, default=cores(), help="maximum, for tokenizing")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--vocabulary", type=Path, default=bench_weights.VOCABULARY)
    parser.add_argument("--out", type=Path, default=HERE / "scaling.json")
    parser.add_argument("--show", action="store_true", help="only write tables and plots again")
    options = parser.parse_args()
    if options.show:
        show(json.loads(options.out.read_text(encoding="utf-8")), options.out)
        return
    options.folder = options.folder.resolve()
    bench_weights.make(options.folder, options.vocabulary, bench_weights.TEXT)

    results: dict[str, Any] = {}
    if options.out.is_file():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    for topic in TOPICS:
        if options.only not in (None, topic):
            continue
        start = time.monotonic()
        results[topic] = measure(topic, options)
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"{topic}: {time.monotonic() - start:.0f} s", flush=True)
    show(results, options.out)


if __name__ == "__main__":
    main()
