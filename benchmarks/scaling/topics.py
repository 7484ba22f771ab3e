"""The points of each topic, and the curves made of them."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from gpt2_helpers.config import PRETRAINED_CONFIGS, ModelConfig
from machine_info import run
from scaling.curve import Curve, Point, Series
from scaling.limits import Rates, decoding_limit, training_flops
from scaling.synthetic_text import write_texts

MODEL = PRETRAINED_CONFIGS["124M"]
GB, MB = 2**30, 1_000_000
PRECISIONS = ("int8", "float32")
BATCHES = (1, 2, 4, 8, 16, 32, 64)
SHORT, LONG, WINDOW = 32, MODEL.n_ctx, 64  # tokens
LONG_BATCHES, LONG_ROUNDS = (1, 8), 2
# Points of training as (context, layers, batch). MIDDLE belongs to all three curves.
MIDDLE = (256, 4, 1)
ALONG = {
    "context (tokens)": [(128, 4, 1), MIDDLE, (512, 4, 1), (1024, 4, 1)],
    "layers": [(256, 1, 1), (256, 2, 1), MIDDLE, (256, 8, 1), (256, 12, 1)],
    "batch size": [MIDDLE, (256, 4, 2), (256, 4, 4), (256, 4, 8)],
}
TEXT_SIZES = (MB, 10 * MB, 100 * MB)
LARGE = 1000 * MB
ONE_ROUND = 100 * MB  # size from which a round takes minutes
SHARED_SIZE = 10 * MB  # text for the curve over processes


def point(kind: str, **arguments: Any) -> dict[str, Any]:
    """Measure one point in a new process; see `points`."""
    command = [sys.executable, "-m", "scaling.points", json.dumps({"kind": kind, **arguments})]
    found: dict[str, Any] = json.loads(run(command).stdout.splitlines()[-1])
    return found


def decoding(folder: Path, rates: Rates, rounds: int) -> list[Curve]:
    """Tokens/s against batch size and position."""
    by_batch, by_position = [], []
    for precision in PRECISIONS:
        arguments = {"folder": str(folder), "precision": precision}
        found = point("decoding", batches=BATCHES, length=SHORT, rounds=rounds, **arguments)
        points = [
            Point(
                batch,
                [batch / median(steps) for steps in found[str(batch)]],
                decoding_limit(MODEL, rates, precision, batch, SHORT / 2),
            )
            for batch in BATCHES
        ]
        by_batch.append(Series(precision, points))
    arguments = {"folder": str(folder), "precision": PRECISIONS[0]}
    found = point(
        "decoding", batches=LONG_BATCHES, length=LONG, rounds=min(rounds, LONG_ROUNDS), **arguments
    )
    for batch in LONG_BATCHES:
        points = list(windows(batch, found[str(batch)], PRECISIONS[0], rates))
        by_position.append(Series(f"{PRECISIONS[0]}, batch {batch}", points))
    what = "reading weights, keys and values, or the matmuls, whichever is slower"
    return [
        Curve(f"Batch size, {SHORT} tokens a text", "batch size", "tokens/s", what, by_batch),
        Curve(
            f"Position, {WINDOW} tokens a point", "position (tokens)", "tokens/s", what, by_position
        ),
    ]


def windows(
    batch: int, rounds: Sequence[Sequence[float]], precision: str, rates: Rates
) -> Iterator[Point]:
    """Points of tokens/s by the median step of each WINDOW of steps; x is its last token."""
    for start in range(0, min(map(len, rounds)), WINDOW):
        parts = [steps[start : start + WINDOW] for steps in rounds]
        middle = start + len(parts[0]) / 2
        limit = decoding_limit(MODEL, rates, precision, batch, middle)
        speeds = [batch / median(part) for part in parts]
        yield Point(start + len(parts[0]), speeds, limit)


def training(rates: Rates, rounds: int) -> list[Curve]:
    """Step time and memory against context, layers and batch, with and without recomputation."""
    measured: dict[tuple[tuple[int, int, int], bool], dict[str, Any]] = {}
    curves = []
    for x, shapes in ALONG.items():
        times, memory = [], []
        for recompute in (False, True):
            if recompute and not x.startswith("context"):
                continue
            seconds, peaks = [], []
            for shape in shapes:
                context, layers, batch = shape
                key = shape, recompute
                if key not in measured:
                    arguments = {"context": context, "layers": layers, "batch": batch}
                    measured[key] = point(
                        "training", recompute=recompute, steps=rounds, **arguments
                    )
                found = measured[key]
                model = ModelConfig(n_ctx=context, n_layer=layers)
                limit = training_flops(model, batch, recompute) / rates.of(found["precision"])
                x_value = shape[list(ALONG).index(x)]
                seconds.append(Point(x_value, found["seconds"], limit))
                peaks.append(Point(x_value, [found["bytes"] / GB], found["estimate"] / GB))
            name = "activations recomputed" if recompute else "activations kept"
            times.append(Series(name, seconds))
            memory.append(Series(name, peaks))
        title = f"{x.partition(' (')[0].capitalize()}"
        what = "the matmuls at the rate of their precision"
        curves.append(Curve(f"{title}: time", x, "s/step", what, times, lower_is_better=True))
        what = "the estimate of gpt2_helpers.training.memory"
        curves.append(Curve(f"{title}: memory", x, "GB", what, memory, lower_is_better=True))
    return curves


def tokenizing(folder: Path, cores: int, large: bool, rounds: int) -> list[Curve]:
    """MB/s against text size and number of processes."""
    sizes = [*TEXT_SIZES, LARGE] if large else list(TEXT_SIZES)
    texts = write_texts(folder.parent / "texts", sizes)
    counts = [2**power for power in range(int(math.log2(cores)) + 1)]
    tasks = [
        ("split", 1),
        *((work, n) for work in ("encode", "dataset") for n in counts),
    ]
    speeds: dict[tuple[str, int, int], list[float]] = {}
    for size, path in texts.items():
        for _ in range(1 if size >= ONE_ROUND else rounds):
            for work, n in tasks:
                arguments = {"work": work, "path": str(path), "vocabulary": str(folder)}
                seconds = point("text", processes=n, **arguments)["seconds"]
                speed = path.stat().st_size / MB / seconds
                speeds.setdefault((work, n, size), []).append(speed)
    names = {"encode": "tokenizing", "dataset": "building a dataset"}

    def splitting(size: int) -> float:
        return Point(size, speeds["split", 1, size], 1.0).measured

    by_size, by_count = [], []
    for work, name in names.items():
        for n in counts:
            points = [
                Point(size / MB, speeds[work, n, size], n * splitting(size)) for size in sizes
            ]
            by_size.append(Series(f"{name}, {n} process{'es' if n > 1 else ''}", points))
        alone = Point(1, speeds[work, 1, SHARED_SIZE], 1.0).measured
        by_count.append(
            Series(name, [Point(n, speeds[work, n, SHARED_SIZE], n * alone) for n in counts])
        )
    what = "splitting into words alone, times the number of processes"
    size_curve = Curve("Size of the text", "size (MB)", "MB/s", what, by_size)
    what = "the speed of one process times the number of processes"
    title = f"Processes, {SHARED_SIZE // MB} MB"
    return [size_curve, Curve(title, "processes", "MB/s", what, by_count)]
