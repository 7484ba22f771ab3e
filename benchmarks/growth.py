"""How it grows: speed, time and memory along batch, position, context, layers and size of text,
each beside the limit that the rates of this machine, measured in the same run, set.

    make bench-growth                                   # all of it but the largest text
    python benchmarks/growth.py --only decoding         # decoding, training or tokenizing
    python benchmarks/growth.py --only tokenizing --large   # a text of 1 GB too

Each point is measured in new processes. Results stand in growth.json, growth.md and pictures/; a
topic that is not measured keeps those of before.
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
from growth_curve import Curve, markdown
from growth_limits import Rates
from growth_topics import HERE, decoding, tokenizing, training
from rounds import ROOT, machine, run

TOPICS = ("decoding", "training", "tokenizing")


def rates_now() -> Rates:
    """Measured in a new process."""
    printed = run([sys.executable, str(HERE / "growth_rates.py")]).stdout.splitlines()[-1]
    return Rates(**json.loads(printed))


def described(rates: Rates) -> list[str]:
    """The rates with their units."""
    numbers = dataclasses.asdict(rates)
    memory = f"memory read at {numbers.pop('bandwidth') / 1e9:.1f} GB/s"
    return [memory, *(f"{name} at {rate / 1e9:,.0f} GFLOP/s" for name, rate in numbers.items())]


def measure(topic: str, options: argparse.Namespace) -> dict[str, Any]:
    """The topic's curves, and what they were measured with."""
    before = machine()
    folder = options.folder / "124M"
    if topic == "tokenizing":
        curves = tokenizing(folder, options.processes, options.large, options.rounds)
        merges = (folder / "vocab.bpe").read_text(encoding="utf-8").count("\n") - 1
        notes = [f"a vocabulary of {merges:,} merges"]
    else:
        limits = rates_now()
        curves = (
            decoding(folder, limits, options.rounds)
            if topic == "decoding"
            else training(limits, options.rounds)
        )
        notes = described(limits)
    return {
        "machine": before,
        "date": f"{datetime.date.today()}",
        "notes": notes,
        "curves": [curve.as_json() for curve in curves],
    }


def show(results: dict[str, Any], path: Path) -> None:
    """Write the tables and the pictures beside growth.json at `path`."""
    text = markdown(results)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)
    try:
        from growth_drawing import draw
    except ImportError:
        print("No pictures without matplotlib: pip install matplotlib")
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
    parser.add_argument("--large", action="store_true", help="a text of 1 GB too, for minutes more")
    parser.add_argument("--processes", type=int, default=cores(), help="at most, for texts")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--vocabulary", type=Path, default=bench_weights.VOCABULARY)
    parser.add_argument("--out", type=Path, default=HERE / "growth.json")
    parser.add_argument("--show", action="store_true", help="draw what growth.json has, no more")
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
        began = time.monotonic()
        results[topic] = measure(topic, options)
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"{topic}: {time.monotonic() - began:.0f} s", flush=True)
    show(results, options.out)


if __name__ == "__main__":
    main()
