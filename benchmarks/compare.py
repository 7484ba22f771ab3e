"""This project beside what a user would use instead: the same weights, the same works, in turn.

    make bench            # all of it, about an hour, into results.md and results.json
    make bench-quick      # a few of the works, in some minutes
    python benchmarks/compare.py --works generate-1 texts --peers transformers

Each variant of each peer is a process of its own, which loads and warms up once. Then they take
turns, a round each, A B C A B C, and only one computes at a time. Of a peer's variants (precisions,
compiled or not) the table shows the best. What was measured before stays in results.json until it
is measured anew.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import table
from rounds import ROOT, environment, machine
from worker import VARIANTS
from works import OURS, TRANSFORMERS, WORKS, Work

HERE = Path(__file__).resolve().parent
LONGEST = 900  # seconds that a variant may take to load and warm up, or for a round
# A round of training takes long, and a process that trains is large: two at a time take turns.
IN_PAIRS = ("finetune",)
FRESH = ("memory", "cold start", "tokenize")  # works that need a new process each time


class PeerError(Exception):
    """A variant that said why it cannot go on."""


class Worker:
    """A variant at a work, in its process."""

    def __init__(self, variant: str, work: Work, folder: Path, python: str) -> None:
        command = [python, str(HERE / "worker.py"), variant, work.name, str(folder)]
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
        )
        try:
            self._answer()
        except PeerError:
            self.close()
            raise
        self.seconds_to_ready = time.perf_counter() - self._started

    def run(self) -> dict[str, Any]:
        """One round: units, seconds and the peak of memory so far."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("run\n")
            self._process.stdin.flush()
        except OSError as error:
            raise PeerError(f"it ended: {error}") from None
        return self._answer()

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"it ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer


def variants_for(work: Work, peers: Sequence[str]) -> list[str]:
    """Ours, and those of the peers that the work is compared with."""
    wanted = [peer for peer in work.targets if not peers or peer in peers]
    chosen = [name for name in VARIANTS if any(name.startswith(peer) for peer in wanted)]
    if work.kind in ("finetune", "memory"):  # where 16 bits are faster and smaller for each of them
        chosen = [name for name in chosen if not name.endswith("fp32")]
    if work.kind in ("memory", "cold start"):
        chosen = [name for name in chosen if not name.endswith("compiled")]
    if work.kind == "tokenize":
        chosen = [name for name in chosen if not name.endswith(("bf16", "compiled"))]
    ours = [OURS, f"{OURS} fp32"] if work.kind in ("generate", "texts") else [OURS]
    return [*ours, *chosen]


def measure(work: Work, variants: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """For each variant its rounds, or why it has none."""
    folder = options.folder / ("124M-ends" if work.kind == "texts" else "124M")
    rounds = options.rounds or work.rounds
    found: dict[str, Any] = {variant: {"rounds": []} for variant in variants}

    def start(variant: str) -> Worker:
        ours = variant.startswith(OURS)
        return Worker(variant, work, folder, sys.executable if ours else options.peers_python)

    def note(variant: str, error: Exception) -> None:
        found[variant]["error"] = str(error)
        print(f"  {variant}: {error}", flush=True)

    if work.kind in FRESH:
        for _ in range(rounds):
            for variant in variants:
                try:
                    worker = start(variant)
                    result = {"units": 1, "seconds": worker.seconds_to_ready}
                    if work.kind != "cold start":
                        result = worker.run()
                    worker.close()
                    found[variant]["rounds"].append(result)
                except PeerError as error:
                    note(variant, error)
        return found
    for group in _groups(work, variants):
        workers = {}
        for variant in group:
            try:
                workers[variant] = start(variant)
            except PeerError as error:
                note(variant, error)
        for _ in range(rounds):
            for variant, worker in list(workers.items()):
                try:
                    found[variant]["rounds"].append(worker.run())
                except PeerError as error:
                    note(variant, error)
                    workers.pop(variant).close()
        for worker in workers.values():
            worker.close()
    return found


def _groups(work: Work, variants: Sequence[str]) -> Iterator[list[str]]:
    """Which variants take turns with each other; ours is in each group."""
    if work.kind in IN_PAIRS and len(variants) > 2:
        ours, *others = variants
        yield from ([ours, other] for other in others)
    else:
        yield list(variants)


def versions(python: str) -> dict[str, str]:
    """The releases of what is compared, as the peers' environment has them."""
    names = ["gpt-2-simple", TRANSFORMERS, "torch", "keras-hub", "ctranslate2", "tensorflow"]
    script = (
        "import json, platform; from importlib.metadata import version; "
        f"print(json.dumps({{n: version(n) for n in {names!r}}} | "
        "{'Python': platform.python_version()}))"
    )
    answer = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    known: dict[str, str] = json.loads(answer.stdout)
    return known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers-python", default=str(ROOT / ".venv-peers" / "bin" / "python"))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--vocabulary", type=Path, help="folder with encoder.json and vocab.bpe")
    parser.add_argument("--works", nargs="*", choices=[work.name for work in WORKS], default=[])
    parser.add_argument("--peers", nargs="*", default=[], help="as the table's columns are called")
    parser.add_argument("--rounds", type=int, help="in place of each work's own number")
    parser.add_argument("--quick", action="store_true", help="only the short works, two rounds")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    if options.quick:
        options.rounds = options.rounds or 2
    weights = [str(HERE / "bench_weights.py"), str(options.folder)]
    vocabulary = ["--vocabulary", str(options.vocabulary)] if options.vocabulary else []
    for command in (
        [sys.executable, *weights, *vocabulary],
        [options.peers_python, *weights, "--convert"],
    ):
        subprocess.run(command, env=environment(), check=True, stderr=subprocess.DEVNULL)

    results: dict[str, Any] = {"works": {}}
    if options.out.is_file():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    results["versions"] = versions(options.peers_python)
    for work in WORKS:
        if (options.works and work.name not in options.works) or (options.quick and not work.short):
            continue
        print(work.shown, flush=True)
        began = time.monotonic()
        found = measure(work, variants_for(work, options.peers), options)
        results["works"].setdefault(work.name, {}).update(
            {
                name: {
                    **values,
                    "date": f"{datetime.date.today()}",
                    "machine": machine(),
                }
                for name, values in found.items()
            }
        )
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        for line in table.lines_of(work, results["works"][work.name]):
            print(f"  {line}", flush=True)
        print(f"  measured in {time.monotonic() - began:.0f} s", flush=True)
    options.out.with_suffix(".md").write_text(table.whole(results), encoding="utf-8")


if __name__ == "__main__":
    main()
