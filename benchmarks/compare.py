"""This project beside what a user would use instead: the same weights, the same works, in turn.

    make bench            # all of it, in hours, into results.md and results.json
    make bench-quick      # a few of the works, in some minutes
    python benchmarks/compare.py --works generate-1 texts --peers transformers

Each variant of each peer is a process of its own, which loads and warms up once. Then they take
turns, a round each, A B C A B C, and only one computes at a time. Of a peer's variants (precisions,
compiled or not) the table shows the best; one that the first round shows to be over twice as slow
as another of the same peer runs no further. A peer that fails is said to have failed, and the rest
goes on. What was measured before stays in results.json until it is measured anew.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import table
from peer_process import PeerError, PeerProcess
from rounds import ROOT, environment, machine
from worker import VARIANTS
from works import OURS, PEERS, TRANSFORMERS, WORKS, Work

HERE = Path(__file__).resolve().parent
LONGEST = 600  # seconds that a variant may take to load and warm up, or for a round
TOO_SLOW = 2  # times as slow as another variant of the same peer: one round is enough
RELEASES = (
    "gpt-2-simple",
    TRANSFORMERS,
    "torch",
    "keras-hub",
    "keras",
    "tensorflow",
    "ctranslate2",
)

Start = Callable[[str], PeerProcess]  # the process of a variant, ready


def cpu_has_bfloat16() -> bool:
    """Whether 16 bits are multiplied by the processor itself."""
    from gpt2_helpers.startup import load_tensorflow

    load_tensorflow()  # without its greetings
    from gpt2_helpers import device

    return device.cpu_has_bfloat16()


def variants_for(work: Work, peers: Sequence[str] = ()) -> list[str]:
    """Ours, and those of the peers that the work is compared with (of `peers`, where any)."""
    wanted = [peer for peer in work.targets if not peers or peer in peers]
    chosen = [name for name in VARIANTS if any(table.is_of(name, peer) for peer in wanted)]
    has_bfloat16 = cpu_has_bfloat16()
    fits, other = ("bf16", "fp32") if has_bfloat16 else ("fp32", "bf16")
    left_out = [f"{other} compiled"]
    short = work.kind == "generate" and work.short
    # Elsewhere what fits the processor is enough: 16 bits that it lacks are many times slower.
    if not (work.kind == "memory" or (short and has_bfloat16)):
        left_out.append(other)
    if work.kind == "cold start":
        left_out.append("compiled")
    if work.kind == "tokenize":
        left_out = ["bf16", "compiled"]
    # CTranslate2's settings are compared one by one.
    chosen = [name for name in chosen if name in PEERS or not name.endswith(tuple(left_out))]
    ours = [OURS, f"{OURS} fp32"] if short else [OURS]
    return [*ours, *chosen]


def measure(work: Work, variants: Sequence[str], rounds: int, start: Start) -> dict[str, Any]:
    """For each variant its rounds, those of ours that took turns with them ("beside"), and why
    there are no more where there are none or fewer."""
    found: dict[str, Any] = {variant: {"rounds": [], "beside": []} for variant in variants}
    for group in _groups(work, variants):
        ours_before = len(found[OURS]["rounds"])
        _take_turns(work, group, rounds, start, found)
        for variant in group:
            if variant != OURS:
                turns = slice(ours_before, ours_before + len(found[variant]["rounds"]))
                found[variant]["beside"] = found[OURS]["rounds"][turns]
    return found


def _groups(work: Work, variants: Sequence[str]) -> Iterator[list[str]]:
    """Which variants take turns with each other; ours is in each group."""
    ours, *others = variants
    if work.kind == "finetune" and not work.fresh and others:  # more would not fit in memory
        yield from ([ours, other] for other in others)
    else:
        yield list(variants)


def _take_turns(
    work: Work, variants: Sequence[str], rounds: int, start: Start, found: dict[str, Any]
) -> None:
    running: dict[str, PeerProcess] = {}
    left = list(variants)
    try:
        for _ in range(rounds):
            for variant in list(left):
                try:
                    result = _round(work, variant, running, start)
                    _check_ids(work, variant, result, found)
                    found[variant]["rounds"].append(result)
                    reason = _too_slow(work, variant, found)
                    kind = "stopped"
                except PeerError as error:
                    reason, kind = str(error), "error"
                if reason:
                    found[variant][kind] = reason
                    print(f"  {variant}: {reason}", flush=True)
                    left.remove(variant)
                    if variant in running:
                        running.pop(variant).close()
    finally:  # also at Ctrl-C
        for process in running.values():
            process.close()


def _round(
    work: Work, variant: str, running: dict[str, PeerProcess], start: Start
) -> dict[str, Any]:
    """One round of a variant, which is started for it where it is not `running`."""
    process = running.get(variant) or start(variant)
    running[variant] = process
    if work.kind == "cold start":
        result = {"units": 1, "seconds": process.seconds_to_ready}
    else:
        result = process.run()
    if work.fresh:
        running.pop(variant).close()
    return result


def _check_ids(work: Work, variant: str, result: dict[str, Any], found: dict[str, Any]) -> None:
    """Raises PeerError where a text becomes another number of ids than ours: that is other work."""
    ours = found[OURS]["rounds"]
    if work.kind == "tokenize" and ours and result["units"] != ours[0]["units"]:
        made, right = result["units"], ours[0]["units"]
        raise PeerError(f"{variant} makes {made:,} ids of the text, where {right:,} are right")


def _too_slow(work: Work, variant: str, found: dict[str, Any]) -> str:
    """Why this variant needs no second round, or nothing."""
    rounds = found[variant]["rounds"]
    peer = next((peer for peer in PEERS if table.is_of(variant, peer)), None)
    best = peer and table.best_of(work, found, peer)
    if not best or work.kind == "memory" or len(rounds) > 1:
        return ""
    name, value = best
    behind = table.ratio(work, value, table.value_of(work, rounds) or value)
    return f"over {TOO_SLOW} times as slow as {name}: one round only" if behind > TOO_SLOW else ""


def versions(python: str, names: Sequence[str]) -> dict[str, str]:
    """The releases of `names` and of Python in an environment."""
    script = (
        "import json, platform\n"
        "from importlib import metadata\n"
        "have = {found.metadata['Name'].replace('_', '-').lower(): found.version "
        "for found in metadata.distributions()}\n"
        f"wanted = {{name: have.get(name, 'not installed') for name in {list(names)!r}}}\n"
        "print(json.dumps({**wanted, 'Python': platform.python_version()}))"
    )
    answer = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    known: dict[str, str] = json.loads(answer.stdout)
    return known


def prepare(options: argparse.Namespace) -> None:
    """The weights in every peer's layout."""
    script, folder = str(HERE / "bench_weights.py"), str(options.folder)
    vocabulary = ["--vocabulary", str(options.vocabulary)] if options.vocabulary else []
    log = options.folder / "logs" / "weights.log"
    with log.open("wb") as errors:
        made = subprocess.run(
            [sys.executable, script, folder, *vocabulary], env=environment(), stderr=errors
        )
        if made.returncode:
            raise SystemExit(f"The weights could not be made: {log} says why")
        converted = subprocess.run(
            [options.peers_python, script, folder, "--convert"], env=environment(), stderr=errors
        )
    if converted.returncode:  # whoever needs them will say so
        print(f"The weights could not be converted for all peers: {log} says why", flush=True)


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nobody is left behind
    (options.folder / "logs").mkdir(parents=True, exist_ok=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not Path(options.peers_python).is_file():
        raise SystemExit(
            f"{options.peers_python} is missing: `make bench` installs what is compared, "
            "or name a Python that has it with --peers-python"
        )
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"Other programs are at work (load {busy:.1f}): times will be too long", flush=True)
    prepare(options)
    results: dict[str, Any] = {"works": {}}
    if options.out.is_file():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    results["versions"] = {
        "ours": versions(sys.executable, [OURS, "tensorflow"]),
        "peers": versions(options.peers_python, RELEASES),
    }
    try:
        for work in WORKS:
            wanted = (
                work.name in options.works if options.works else work.short or not options.quick
            )
            if wanted:
                _measure_into(results, work, options)
    except KeyboardInterrupt:
        print("\nStopped: the works that were finished are kept", flush=True)
        return 130
    print(table.summary(results))
    print(f"The whole table: {options.out.with_suffix('.md')}")
    return 0


def _measure_into(results: dict[str, Any], work: Work, options: argparse.Namespace) -> None:
    """Measure a work and write it down."""
    weights = options.folder / ("124M-ends" if work.kind == "texts" else "124M")

    def start(variant: str) -> PeerProcess:
        python = sys.executable if table.is_of(variant, OURS) else options.peers_python
        command = [python, str(HERE / "worker.py"), variant, work.name, str(weights)]
        log = options.folder / "logs" / f"{work.name} {variant}.log"
        return PeerProcess(command, log, LONGEST)

    print(work.shown, flush=True)
    began = time.monotonic()
    about = {"date": f"{datetime.date.today()}", "machine": machine()}
    rounds = options.rounds or (min(2, work.rounds) if options.quick else work.rounds)
    found = measure(work, variants_for(work, options.peers), rounds, start)
    known = results["works"].setdefault(work.name, {})
    known.update({name: {**values, **about} for name, values in found.items()})
    for path, text in (
        (options.out, json.dumps(results, indent=1) + "\n"),
        (options.out.with_suffix(".md"), table.whole(results)),
    ):
        part = path.with_name(f"{path.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    for line in table.lines_of(work, known):
        print(f"  {line}", flush=True)
    print(f"  measured in {time.monotonic() - began:.0f} s", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers-python", default=str(ROOT / ".venv-peers" / "bin" / "python"))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--vocabulary", type=Path, help="folder with encoder.json and vocab.bpe")
    parser.add_argument("--works", nargs="*", choices=[work.name for work in WORKS], default=[])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=[], metavar="PEER")
    parser.add_argument("--rounds", type=int, help="in place of each work's own number")
    parser.add_argument("--quick", action="store_true", help="only the short works, two rounds")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    # A symbolic link is how an environment's Python knows its environment: not to be resolved.
    options.peers_python = os.path.abspath(options.peers_python)
    return options


if __name__ == "__main__":
    sys.exit(main())
