"""Memory over hours of work, in one process: texts, steps of training, models one after another.

    make soak
    python benchmarks/soak.py [--texts 10000] [--steps 2000] [--models 50]

It is flat where the last quarter holds no more than the second one does, but for a twentieth: the
first is warming up. Draws what was held into build/soak.png, prints a tally, and ends with 1 where
something grew or stayed behind.
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

from rounds import ROOT, machine

GROWTH = 0.05
POINTS = 200  # measured of each kind of work


@dataclass
class Held:
    """GB that this process held, each some work later than the one before."""

    name: str
    units: str
    count: int
    gigabytes: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def growth(self) -> float:
        """Of the last quarter over the second."""
        quarter = max(1, len(self.gigabytes) // 4)
        before = statistics.median(self.gigabytes[quarter : 2 * quarter] or self.gigabytes)
        return statistics.median(self.gigabytes[-quarter:]) / before - 1

    @property
    def is_flat(self) -> bool:
        return self.growth <= GROWTH

    def __str__(self) -> str:
        verdict = "flat" if self.is_flat else "it grows"
        return (
            f"{self.name}: {self.count:,} {self.units} in {self.seconds / 60:.1f} minutes, "
            f"{self.gigabytes[-1]:.2f} GB at the end, {self.growth:+.1%}: {verdict}"
        )


def held() -> float:
    """GB of main memory that this process holds now."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 2**20
    raise SystemExit("/proc/self/status tells no VmRSS: run this on Linux")


def watched(name: str, units: str, count: int, work: Callable[[], Iterator[object]]) -> Held:
    """What was held while `count` of something were done; `work` yields after each."""
    found, began = Held(name, units, count), time.monotonic()
    every = max(1, count // POINTS)
    for order, _ in enumerate(work(), 1):
        if order % every == 0:
            found.gigabytes.append(held())
    found.seconds = time.monotonic() - began
    print(found, flush=True)
    return found


def texts(count: int, length: int = 40) -> Iterator[object]:
    """Texts of the bundled model, in calls of 25 with other options each time."""
    import gpt2_helpers as gpt2

    sess = gpt2.start_tf_sess()
    gpt2.load_gpt2(sess, model_name="tiny")
    for call in range(count // 25):
        written = gpt2.generate(
            sess,
            return_as_list=True,
            nsamples=25,
            batch_size=(1, 5, 25)[call % 3],
            length=length - call % 7,
            top_k=(0, 40)[call % 2],
            prefix=("Once upon a time", None)[call % 2],
            seed=call,
        )
        assert written is not None
        yield from written
    sess.close()


def steps(count: int) -> Iterator[object]:
    """Steps of training the bundled model, with losses on other text and saves between."""
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
    """Models loaded one after another into one session, each to train and to write a little."""
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


def left_behind(threads: set[str]) -> list[str]:
    """Threads and processes that were not there before."""
    gc.collect()
    kept = ("parallel_for",)  # a pool that waits for the next text, made once
    names = {thread.name for thread in threading.enumerate()} - threads
    more = [f"thread {name}" for name in sorted(names) if not name.startswith(kept)]
    return more + [f"process {child.pid}" for child in multiprocessing.active_children()]


def draw(all_: list[Held], path: Path) -> None:
    """A curve for each kind of work."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    for place, one in enumerate(all_):
        axes = figure.add_subplot(1, len(all_), place + 1)
        done = [one.count * (n + 1) / len(one.gigabytes) for n in range(len(one.gigabytes))]
        axes.plot(done, one.gigabytes)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(one.units)
        axes.set_title(one.name, fontsize=10)
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
        all_ = [
            watched("writing", "texts", options.texts, lambda: texts(options.texts)),
            watched("training", "steps", options.steps, lambda: steps(options.steps)),
            watched("one after another", "models", options.models, lambda: models(options.models)),
        ]
        os.chdir(ROOT)
    draw(all_, picture)
    print(f"drawn: {picture}")
    left = left_behind(before)
    print("left behind: " + (", ".join(left) or "nothing"))
    return 0 if all(one.is_flat for one in all_) and not left else 1


if __name__ == "__main__":
    sys.exit(main())
