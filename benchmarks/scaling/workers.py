"""Scaling of training over worker processes on loopback: tokens per second and bytes exchanged.

    cd benchmarks && python -m scaling.workers            # some minutes; Linux
    python -m scaling.workers --rounds 1 --accumulate 4   # shorter
    python -m scaling.workers --write                     # update workers.json and its picture

The processor time and the bytes do not depend on what else the machine is doing; the speed does.

Each worker has one thread on one core, so more workers than cores share them. All processes run in
a network namespace of their own if that is permitted (root), where the loopback device's counters
have no other traffic. The model has the shape of the bundled one, and random weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.config import FinetuneConfig, ModelConfig
from machine_info import HERE, machine
from scaling.curve import Curve, Point, Series, markdown

SHAPE = ModelConfig(n_vocab=4096, n_ctx=256, n_embd=256, n_head=4, n_layer=8)
COUNTS = (1, 2, 4)
ACCUMULATE = (1, 4, 16)
WARM_UP, MIN_STEPS, MIN_SECONDS = 2, 3, 5.0
LORA_RANK = 8
RESULTS, PICTURE = HERE / "workers.json", HERE / "pictures" / "workers.png"
COUNTERS = Path("/proc/self/net/dev")
FIRST_PORT = 23000  # in the namespace nothing else listens


@dataclasses.dataclass(frozen=True)
class Result:
    """What a number of workers measured with one setting.

    Attributes:
        workers: Number of workers.
        accumulate: Micro-batches per step, each of one sequence per worker.
        lora_rank: Rank of the adapters; 0 if all weights were trained.
        parameters: Number of trained parameters.
        tokens_per_second: All workers' together.
        cpu_seconds: Processor time per 1,000 tokens, of all workers.
        sent: Bytes that each worker sends per step, on average.
    """

    workers: int
    accumulate: int
    lora_rank: int
    parameters: int
    tokens_per_second: float
    cpu_seconds: float
    sent: float


def loopback_bytes(text: str) -> int:
    """Bytes sent over the loopback device, from the kernel's counters.

    >>> loopback_bytes(" eth0: 5 1 0 0 0 0 0 0 6 1\\n    lo: 70 1 0 0 0 0 0 0 70 1 0")
    70
    """
    for line in text.splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[8])
    raise SystemExit("this machine has no loopback device")


def work(accumulate: Sequence[int]) -> None:
    """Measure each setting, as one of the workers; the chief prints the results as JSON."""
    from gpt2_helpers.model.gpt2 import GPT2
    from gpt2_helpers.model.lora import new_adapters
    from gpt2_helpers.model.variables import random_weights
    from gpt2_helpers.session import set_threads
    from gpt2_helpers.training.trainer import Trainer
    from gpt2_helpers.training.workers import join_workers

    set_threads(1)
    workers = join_workers(multi_gpu=False)
    tokens = np.random.default_rng(1).integers(0, SHAPE.n_vocab, 100_000)
    results = []
    for rank, count in [*((0, count) for count in accumulate), (LORA_RANK, accumulate[0])]:
        with workers.strategy.scope():
            model = GPT2(SHAPE, random_weights(SHAPE, 0), frozen=bool(rank))
            if rank:
                model.load_adapters(new_adapters(SHAPE, rank, 0))
        config = FinetuneConfig(
            steps=0, batch_size=1, accumulate_gradients=count, lora_rank=rank, seed=1
        )
        trainer = Trainer(model, tokens, config, workers=workers)
        steps = iter(trainer)
        for _ in range(WARM_UP):
            next(steps)
        workers.wait_for_all()
        started, cpu, sent = _readings()
        done = 0
        while True:
            next(steps)
            done += 1
            if workers.any(done >= MIN_STEPS and time.monotonic() - started > MIN_SECONDS):
                break
        seconds, used, total = (
            now - then for now, then in zip(_readings(), (started, cpu, sent), strict=True)
        )
        n_tokens = done * trainer.tokens_per_step
        used = float(workers.sum(np.float64(used)))
        results.append(
            Result(
                workers=workers.count,
                accumulate=count,
                lora_rank=rank,
                parameters=sum(int(np.prod(v.shape)) for v in trainer.variables),
                tokens_per_second=n_tokens / seconds,
                cpu_seconds=1000 * used / n_tokens,
                sent=total / done / workers.count,
            )
        )
    if workers.is_chief:
        print(json.dumps([dataclasses.asdict(result) for result in results]), flush=True)


def _readings() -> tuple[float, float, int]:
    """The time, this process's processor time, and the bytes sent over loopback."""
    sent = loopback_bytes(COUNTERS.read_text(encoding="ascii"))
    return time.monotonic(), time.process_time(), sent


def run_workers(count: int, accumulate: Sequence[int], cores: int) -> list[Result]:
    """Run a number of worker processes, and return what they measured."""
    addresses = [f"127.0.0.1:{FIRST_PORT + index}" for index in range(count)]
    command = [sys.executable, "-m", "scaling.workers", "--worker", "--accumulate"]
    command += map(str, accumulate)
    processes = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task} if count > 1 else {}
        processes.append(
            subprocess.Popen(
                ["taskset", "--cpu-list", str(index % cores), *command],
                env={**os.environ, "TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"workers exited with {[process.returncode for process in processes]}")
    return [Result(**values) for values in json.loads(outputs[0].splitlines()[-1])]


def curves(rounds: Sequence[Sequence[Result]], cores: int) -> list[Curve]:
    """Speed, processor time and bytes by number of workers, each with what is possible at best."""
    results = [result for one in rounds for result in one]
    full = [result for result in results if not result.lora_rank]
    speed, cost, sent = [], [], []
    for accumulate in sorted({result.accumulate for result in full}):
        own = [result for result in full if result.accumulate == accumulate]
        alone = [result for result in own if result.workers == 1]
        fastest = statistics.median(result.tokens_per_second for result in alone)
        cheapest = statistics.median(result.cpu_seconds for result in alone)
        name = f"{accumulate} {'sequence' if accumulate == 1 else 'sequences'} per step and worker"
        speed.append(
            _series(name, own, lambda r: r.tokens_per_second, fastest, lambda w: min(w, cores))
        )
        cost.append(_series(name, own, lambda r: r.cpu_seconds, cheapest, lambda w: 1))
    for rank in sorted({result.lora_rank for result in results}):
        own = [r for r in results if r.lora_rank == rank and r.workers > 1]
        megabytes = 4 * own[0].parameters / 1e6
        name = f"LoRA rank {rank}" if rank else "all weights"
        # As many bytes as a ring all-reduce of fp32 gradients needs.
        sent.append(
            _series(name, own, lambda r: r.sent / 1e6, megabytes, lambda w: 2 * (w - 1) / w)
        )
    at_best = f"of one worker times the number of workers, at most {cores} (cores)"
    return [
        Curve("Speed", "workers", "tokens per second", f"the speed {at_best}", speed),
        Curve(
            "Processor time",
            "workers",
            "seconds per 1,000 tokens",
            "that of one worker",
            cost,
            lower_is_better=True,
        ),
        Curve(
            "Gradients exchanged",
            "workers",
            "MB per worker and step",
            "2 (W - 1) / W times 4 bytes per trained parameter, an estimate",
            sent,
            lower_is_better=True,
        ),
    ]


def _series(
    name: str,
    results: Sequence[Result],
    value: Callable[[Result], float],
    unit: float,
    growth: Callable[[int], float],
) -> Series:
    """A line of a curve, whose limit is `unit` times the growth with the number of workers."""
    points = [
        Point(
            count,
            [round(value(result), 3) for result in results if result.workers == count],
            round(unit * growth(count), 3),
        )
        for count in sorted({result.workers for result in results})
    ]
    return Series(name, points)


def enter_namespace(arguments: Sequence[str]) -> None:
    """Start this program again in a network namespace of its own, if that is permitted."""
    enter = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not all(map(shutil.which, ("unshare", "ip"))):
        return
    if subprocess.run([*enter, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        command = [sys.executable, "-m", "scaling.workers", "--inside", *arguments]
        os.execvp(enter[0], [*enter, *command])


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--accumulate", type=int, nargs="+", default=ACCUMULATE)
    parser.add_argument("--results", type=Path, help="read a log of results instead of measuring")
    parser.add_argument("--write", action="store_true", help="update the results and the picture")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.accumulate)
        return
    if not options.inside and not options.results:
        enter_namespace(sys.argv[1:])
    before, cores = machine(), len(os.sched_getaffinity(0))
    rounds: list[list[Result]] = []
    if options.results:
        lines = options.results.read_text(encoding="utf-8").splitlines()
        rounds = [[Result(**json.loads(line)) for line in lines if line.startswith("{")]]
    for _ in range(0 if options.results else options.rounds):
        rounds.append([])
        for count in options.counts:
            rounds[-1] += run_workers(count, options.accumulate, cores)
            for result in rounds[-1][-len(options.accumulate) - 1 :]:
                print(json.dumps(dataclasses.asdict(result)), flush=True)
    found = curves(rounds, cores)
    results: dict[str, Any] = {
        "machine": before,
        "date": datetime.date.today().isoformat(),
        "notes": [f"{cores} cores, one thread per worker"],
        "curves": [curve.as_json() for curve in found],
        "rounds": [[dataclasses.asdict(result) for result in one] for one in rounds],
    }
    print(markdown({"workers": results}).partition("## Workers")[2])
    if options.write:
        from scaling.plots import draw

        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        draw(found, PICTURE)


if __name__ == "__main__":
    main()
