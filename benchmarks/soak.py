"""Memory over a long run in one process: generated texts, training steps, loaded models.

    make soak
    python benchmarks/soak.py [--texts 10000] [--steps 2000] [--models 50]

Memory is flat if the last quarter uses at most 5% more than the second one; the first is warm-up.
Plots it to build/soak.png, prints a summary, and exits with 1 if memory grew or a thread or process
was left behind.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from machine_info import ROOT, machine

MAX_GROWTH = 0.05
POINTS = 200  # measurements per task


@dataclass
class MemoryCurve:
    """Memory of this process in GB, measured at regular intervals of a task."""

    name: str
    units: str
    count: int
    gigabytes: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def growth(self) -> float:
        """Relative growth of the last quarter over the second."""
        quarter = max(1, len(self.gigabytes) // 4)
        before = statistics.median(self.gigabytes[quarter : 2 * quarter] or self.gigabytes)
        return statistics.median(self.gigabytes[-quarter:]) / before - 1

    @property
    def is_flat(self) -> bool:
        return self.growth <= MAX_GROWTH

    def __str__(self) -> str:
        verdict = "flat" if self.is_flat else "grows"
        return (
            f"{self.name}: {self.count:,} {self.units} in {self.seconds / 60:.1f} minutes, "
            f"{self.gigabytes[-1]:.2f} GB at the end, {self.growth:+.1%}: {verdict}"
        )


def resident_memory() -> float:
    """Resident memory of this process in GB. Raises SystemExit outside Linux."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 2**20
    raise SystemExit("/proc/self/status has no VmRSS: run this on Linux")


def watch(name: str, units: str, count: int, task: Callable[[], Iterator[object]]) -> MemoryCurve:
    """Run `task`, which yields `count` times, and measure the memory along the way."""
    curve, start = MemoryCurve(name, units, count), time.monotonic()
    every = max(1, count // POINTS)
    for order, _ in enumerate(task(), 1):
        if order % every == 0:
            curve.gigabytes.append(resident_memory())
    curve.seconds = time.monotonic() - start
    print(curve, flush=True)
    return curve


def texts(count: int, length: int = 40) -> Iterator[object]:
    """Generate texts with the bundled model, in calls of 25 with varying options."""
    import gpt2_helpers as gpt2

    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, model_name="tiny")
    for call in range(count // 25):
        generated = gpt2.generate(
            sess,
            return_as_list=True,
            nsamples=25,
            batch_size=(1, 5, 25)[call % 3],
            length=length - call % 7,
            top_k=(0, 40)[call % 2],
            prefix=("Once upon a time", None)[call % 2],
            seed=call,
        )
        assert generated is not None
        yield from generated
    sess.close()


def steps(count: int) -> Iterator[object]:
    """Train the bundled model, with validation and saves in between."""
    from gpt2_helpers.config import FinetuneConfig, RunConfig
    from gpt2_helpers.session import Session

    session = Session()
    run = session.finetune(
        ROOT / "data" / "titles.csv",
        FinetuneConfig(steps=count, accumulate_gradients=1, batch_size=2, eval_every=50),
        RunConfig(
            model_name="tiny",
            sample_every=200,
            sample_length=30,
            save_every=100,
            validation_split=0.1,
        ),
    )
    yield from run
    session.close()


def models(count: int) -> Iterator[object]:
    """Load models one after another into one session; each one trains and generates a little."""
    import gpt2_helpers as gpt2

    sess = gpt2.start_tf_sess()
    for order in range(count):
        gpt2.finetune(
            sess,
            str(ROOT / "data" / "titles.csv"),
            model_name="tiny",
            steps=1,
            accumulate_gradients=1,
            run_name=f"run{order % 2}",
            restore_from="fresh",
            sample_every=0,
            print_every=100,
        )
        gpt2.load_gpt2(sess, run_name=f"run{order % 2}")
        gpt2.generate(sess, run_name=f"run{order % 2}", return_as_list=True, length=10)
        yield order
    sess.close()


def leftovers(threads: set[str]) -> list[str]:
    """Threads other than `threads`, and subprocesses, that are still running."""
    gc.collect()
    kept = ("parallel_for",)  # a permanent thread pool
    names = {thread.name for thread in threading.enumerate()} - threads
    left = [f"thread {name}" for name in sorted(names) if not name.startswith(kept)]
    return left + [f"process {child.pid}" for child in multiprocessing.active_children()]


def draw(curves: list[MemoryCurve], path: Path) -> None:
    """Plot a panel for each task."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    for index, curve in enumerate(curves):
        axes = figure.add_subplot(1, len(curves), index + 1)
        n_points = len(curve.gigabytes)
        done = [curve.count * (n + 1) / n_points for n in range(n_points)]
        axes.plot(done, curve.gigabytes)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(curve.units)
        axes.set_title(curve.name, fontsize=10)
    figure.axes[0].set_ylabel("GB of main memory")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--picture", type=Path, default=ROOT / "build" / "soak.png")
    options = parser.parse_args()
    picture = options.picture.resolve()
    print(machine(), flush=True)
    before = {thread.name for thread in threading.enumerate()}
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        curves = [
            watch("generating", "texts", options.texts, lambda: texts(options.texts)),
            watch("training", "steps", options.steps, lambda: steps(options.steps)),
            watch("loading", "models", options.models, lambda: models(options.models)),
        ]
        os.chdir(ROOT)
    draw(curves, picture)
    print(f"plot: {picture}")
    left = leftovers(before)
    print("left running: " + (", ".join(left) or "nothing"))
    return 0 if all(curve.is_flat for curve in curves) and not left else 1


if __name__ == "__main__":
    sys.exit(main())
