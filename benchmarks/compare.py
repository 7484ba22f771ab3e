"""This project beside what a user would use instead: the same weights, the same works, in turn.

    make bench            # all of it, in hours, into results.md and results.json
    make bench-quick      # a few of the works, in some minutes
    python benchmarks/compare.py --works generate-1 texts --peers transformers

Each variant of each peer is a process of its own, which loads and warms up once. Then they take
turns, a round each, A B C A B C, and only one computes at a time. Of a peer's variants (precisions,
compiled or not) the table shows the best; one that the first round shows to be over twice as slow
as another of the same peer runs no further. A peer that fails is said to have failed, and the rest
goes on. What was measured before stays in results.json until it is measured anew.

Before all that each peer writes its likeliest tokens in fp32: whoever writes others than ours has
other weights, and is not compared.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import table
from gpt2_helpers.system.files import atomic_write_text
from peer_process import PeerProcess
from rounds import ROOT, environment, machine
from same_weights import other_weights
from turns import Start, measure
from worker import VARIANTS
from works import CTRANSLATE2, LIKELIEST, OURS, OURS_FP32, PEERS, TRANSFORMERS, WORKS, Work

HERE = Path(__file__).resolve().parent
LONGEST = 600  # seconds that a variant may take to load and warm up, or for a round
RELEASES = (
    "gpt-2-simple",
    TRANSFORMERS,
    "torch",
    "keras-hub",
    "keras",
    "tensorflow",
    "ctranslate2",
)


def cpu_has_bfloat16() -> bool:
    """Whether 16 bits are multiplied by the processor itself."""
    from gpt2_helpers.system.tensorflow_setup import load_tensorflow

    load_tensorflow()  # without its greetings
    from gpt2_helpers.system import device

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
    # Ours writes in 8 bits by itself; beside who writes in 32 it is also seen so.
    ours = [OURS, OURS_FP32] if CTRANSLATE2 in work.targets else [OURS]
    return [*ours, *chosen]


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
    answer = subprocess.run([python, "-c", script], capture_output=True, text=True)
    if answer.returncode:
        raise SystemExit(f"{python} does not run:\n{answer.stderr.strip()}")
    known: dict[str, str] = json.loads(answer.stdout)
    return known


def prepare(options: argparse.Namespace) -> None:
    """The weights in every peer's layout."""
    script, folder = str(HERE / "bench_weights.py"), str(options.folder)
    data = {"--vocabulary": options.vocabulary, "--text": options.text}
    told = [str(word) for pair in data.items() if pair[1] for word in pair]
    log = options.folder / "logs" / "weights.log"
    with log.open("wb") as errors:
        made = subprocess.run(
            [sys.executable, script, folder, *told], env=environment(), stderr=errors
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
    if not Path("/proc/self/status").is_file():
        raise SystemExit("How much memory a process held is read from /proc: run this on Linux")
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
    results: dict[str, Any] = {"works": {}}
    if options.out.is_file():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    try:
        prepare(options)
        releases = {
            "ours": versions(sys.executable, [OURS, "tensorflow"]),
            "peers": versions(options.peers_python, RELEASES),
        }
        excluded = other_weights(options.peers or PEERS, _starting(LIKELIEST, options))
        for work in WORKS:
            wanted = (
                work.name in options.works if options.works else work.short or not options.quick
            )
            if wanted:
                _measure_into(results, work, options, releases, excluded)
    except KeyboardInterrupt:
        print("\nStopped: the works that were finished are kept", flush=True)
        return 130
    print(table.summary(results))
    print(f"The whole table: {options.out.with_suffix('.md')}")
    return 0


def _starting(work: Work, options: argparse.Namespace) -> Start:
    """Starts variants at a work."""
    weights = options.folder / ("124M-ends" if work.kind == "texts" else "124M")

    def start(variant: str) -> PeerProcess:
        python = sys.executable if table.is_of(variant, OURS) else options.peers_python
        command = [python, str(HERE / "worker.py"), variant, work.name, str(weights)]
        log = options.folder / "logs" / f"{work.name} {variant}.log"
        return PeerProcess(command, log, LONGEST)

    return start


def _measure_into(
    results: dict[str, Any],
    work: Work,
    options: argparse.Namespace,
    releases: dict[str, dict[str, str]],
    excluded: dict[str, str],
) -> None:
    """Measure a work and write it down, with the `releases` of each side. The peers that are
    `excluded` have failed, each with why."""
    print(work.shown, flush=True)
    began = time.monotonic()
    about = {"date": f"{datetime.date.today()}", "machine": machine()}
    rounds = options.rounds or (min(2, work.rounds) if options.quick else work.rounds)
    variants, lost = [], {}
    for variant in variants_for(work, options.peers):
        peer = next((peer for peer in excluded if table.is_of(variant, peer)), None)
        if peer is None:
            variants.append(variant)
        else:
            lost[variant] = {"rounds": [], "beside": [], "error": excluded[peer]}
    found = {**measure(work, variants, rounds, _starting(work, options)), **lost}
    for name, values in found.items():
        values.update(about, versions=releases["ours" if table.is_of(name, OURS) else "peers"])
    known = results["works"].setdefault(work.name, {})
    known.update(found)
    for path, text in (
        (options.out, json.dumps(results, indent=1) + "\n"),
        (options.out.with_suffix(".md"), table.whole(results)),
    ):
        atomic_write_text(path, text)
    for line in table.lines_of(work, known):
        print(f"  {line}", flush=True)
    print(f"  measured in {time.monotonic() - began:.0f} s", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers-python", default=str(ROOT / ".venv-peers" / "bin" / "python"))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--vocabulary", type=Path, help="folder with encoder.json and vocab.bpe")
    parser.add_argument("--text", type=Path, help="the text that is tokenized")
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
