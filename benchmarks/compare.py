"""Compare this project with other libraries: same weights, same workloads, interleaved rounds.

    make bench            # everything, in hours, into results.json and results.md
    make bench-quick      # the quick workloads, in minutes
    python benchmarks/compare.py --workloads generate-1 texts --baselines transformers

Each variant of a library (precision, compiled or not) is a process that loads and warms up once.
Then they take turns, and only one computes at a time. The table shows the best variant of each
library; one that is over twice as slow in its first round as another of the same library stops. A
library that fails is listed as failed, and the rest continues. Results of workloads that are not
measured again are kept.

First, every library generates its most likely tokens in fp32. One that generates other tokens than
ours has other weights and is excluded.
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
from gpt2_helpers.bench.worker_process import WorkerProcess, environment
from gpt2_helpers.bench.workload import Workload
from gpt2_helpers.system.files import atomic_write_text
from interleave import Start, measure
from machine_info import ROOT, machine
from same_weights import find_other_weights
from worker import VARIANTS
from workloads import (
    BASELINES,
    CTRANSLATE2,
    MOST_LIKELY,
    OURS,
    OURS_FP32,
    TRANSFORMERS,
    WORKLOADS,
)

HERE = Path(__file__).resolve().parent
TIMEOUT = 600  # seconds that a variant may take to load and warm up, and for each round
BUSY = 0.5  # load from which on other programs distort the times
RELEASES = (
    "gpt-2-simple",
    TRANSFORMERS,
    "torch",
    "keras-hub",
    "keras",
    "tensorflow",
    "ctranslate2",
    "onnxruntime",
)


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies 16-bit numbers natively."""
    from gpt2_helpers.system.tensorflow_setup import load_tensorflow

    load_tensorflow()  # without its log messages
    from gpt2_helpers.system import device

    return device.cpu_has_bfloat16()


def variants_for(workload: Workload, baselines: Sequence[str] = ()) -> list[str]:
    """Our variants and those of the workload's baselines (only of `baselines`, if given)."""
    wanted = [name for name in workload.targets if not baselines or name in baselines]
    chosen = [name for name in VARIANTS if any(table.belongs_to(name, each) for each in wanted)]
    has_bfloat16 = cpu_has_bfloat16()
    native, other = ("bf16", "fp32") if has_bfloat16 else ("fp32", "bf16")
    excluded = [f"{other} compiled"]
    quick = workload.kind == "generate" and workload.quick
    # Usually the native type is enough: emulated 16-bit arithmetic is many times slower.
    if not (workload.kind == "memory" or (quick and has_bfloat16)):
        excluded.append(other)
    if workload.includes_start or workload.kind == "prompt":  # it would compile for each length
        excluded.append("compiled")
    if workload.kind == "tokenize":
        excluded = ["bf16", "compiled"]
    # CTranslate2's variants are baselines of their own.
    chosen = [name for name in chosen if name in BASELINES or not name.endswith(tuple(excluded))]
    # Ours generates with 8 bits by default; compared with 32-bit libraries it also runs with 32.
    ours = [OURS, OURS_FP32] if CTRANSLATE2 in workload.targets else [OURS]
    return [*ours, *chosen]


def versions(python: str, names: Sequence[str]) -> dict[str, str]:
    """The installed releases of `names`, and of Python, in the environment of `python`."""
    script = (
        "import json, platform\n"
        "from importlib import metadata\n"
        "installed = {found.metadata['Name'].replace('_', '-').lower(): found.version "
        "for found in metadata.distributions()}\n"
        f"wanted = {{name: installed.get(name, 'not installed') for name in {list(names)!r}}}\n"
        "print(json.dumps({**wanted, 'Python': platform.python_version()}))"
    )
    answer = subprocess.run([python, "-c", script], capture_output=True, text=True)
    if answer.returncode:
        raise SystemExit(f"{python} does not run:\n{answer.stderr.strip()}")
    releases: dict[str, str] = json.loads(answer.stdout)
    return releases


def prepare(options: argparse.Namespace) -> None:
    """Make the weights in the layout of every library."""
    script, folder = str(HERE / "bench_weights.py"), str(options.folder)
    sources = {"--vocabulary": options.vocabulary, "--text": options.text}
    arguments = [str(word) for pair in sources.items() if pair[1] for word in pair]
    log = options.folder / "logs" / "weights.log"
    with log.open("wb") as errors:
        made = subprocess.run(
            [sys.executable, script, folder, *arguments], env=environment(HERE), stderr=errors
        )
        if made.returncode:
            raise SystemExit(f"making the weights failed: see {log}")
        converted = subprocess.run(
            [options.baselines_python, script, folder, "--convert"],
            env=environment(HERE),
            stderr=errors,
        )
    if converted.returncode:  # the libraries that need them will fail with a reason
        print(f"The weights could not be converted for every library: see {log}", flush=True)


def main() -> int:
    options = _parse_options()
    if not Path("/proc/self/status").is_file():
        raise SystemExit("peak memory is read from /proc: run this on Linux")
    # Like Ctrl-C, so that no subprocess outlives this one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    (options.folder / "logs").mkdir(parents=True, exist_ok=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not Path(options.baselines_python).is_file():
        raise SystemExit(
            f"{options.baselines_python} is missing: `make bench` installs the other libraries, "
            "or name a Python that has them with --baselines-python"
        )
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"Other programs are running (load {load:.1f}): times will be too long", flush=True)
    results: dict[str, Any] = {"workloads": {}}
    if options.out.is_file():
        results = json.loads(options.out.read_text(encoding="utf-8"))
    try:
        prepare(options)
        releases = {
            "ours": versions(sys.executable, [OURS, "tensorflow"]),
            "baselines": versions(options.baselines_python, RELEASES),
        }
        libraries = options.baselines or BASELINES
        excluded = find_other_weights(libraries, _starter(MOST_LIKELY, options))
        for workload in WORKLOADS:
            if (
                workload.name in options.workloads
                if options.workloads
                else workload.quick or not options.quick
            ):
                _measure_into(results, workload, options, releases, excluded)
    except KeyboardInterrupt:
        print("\nStopped; the finished workloads are saved", flush=True)
        return 130
    print(table.summary(results))
    print(f"The whole table: {options.out.with_suffix('.md')}")
    return 0


def _starter(workload: Workload, options: argparse.Namespace) -> Start:
    """A function that starts a variant on a workload."""
    weights = options.folder / workload.weights

    def start(variant: str) -> WorkerProcess:
        python = sys.executable if table.belongs_to(variant, OURS) else options.baselines_python
        command = [python, str(HERE / "worker.py"), variant, workload.name, str(weights)]
        log = options.folder / "logs" / f"{workload.name} {variant}.log"
        return WorkerProcess(command, log, TIMEOUT, [HERE])

    return start


def _measure_into(
    results: dict[str, Any],
    workload: Workload,
    options: argparse.Namespace,
    releases: dict[str, dict[str, str]],
    excluded: dict[str, str],
) -> None:
    """Measure a workload and save the results.

    `releases` are those of ours and of the baselines, `excluded` the libraries that cannot be
    compared, each with a reason.
    """
    print(workload.title, flush=True)
    start = time.monotonic()
    environment_info = {"date": f"{datetime.date.today()}", "machine": machine()}
    rounds = options.rounds or (min(2, workload.rounds) if options.quick else workload.rounds)
    variants, failed = [], {}
    for variant in variants_for(workload, options.baselines):
        library = next((name for name in excluded if table.belongs_to(variant, name)), None)
        if library is None:
            variants.append(variant)
        else:
            failed[variant] = {"rounds": [], "paired": [], "error": excluded[library]}
    found = {**measure(workload, variants, rounds, _starter(workload, options)), **failed}
    for name, values in found.items():
        side = "ours" if table.belongs_to(name, OURS) else "baselines"
        values.update(environment_info, versions=releases[side])
    measured = results["workloads"].setdefault(workload.name, {})
    measured.update(found)
    for path, text in (
        (options.out, json.dumps(results, indent=1) + "\n"),
        (options.out.with_suffix(".md"), table.results_page(results)),
    ):
        atomic_write_text(path, text)
    for line in table.variant_lines(workload, measured):
        print(f"  {line}", flush=True)
    print(f"  measured in {time.monotonic() - start:.0f} s", flush=True)


def _parse_options() -> argparse.Namespace:
    names = [workload.name for workload in WORKLOADS]
    python = ROOT / ".venv-baselines" / "bin" / "python"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--baselines-python", default=str(python), help="Python with the other libraries"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--vocabulary", type=Path, help="folder with encoder.json and vocab.bpe")
    parser.add_argument("--text", type=Path, help="text to tokenize")
    parser.add_argument("--workloads", nargs="*", choices=names, default=[])
    parser.add_argument("--baselines", nargs="*", choices=BASELINES, default=[], metavar="LIBRARY")
    parser.add_argument("--rounds", type=int, help="instead of each workload's own number")
    parser.add_argument("--quick", action="store_true", help="only quick workloads, two rounds")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    # Not resolved: a virtual environment's Python is a symbolic link that must stay one.
    options.baselines_python = os.path.abspath(options.baselines_python)
    return options


if __name__ == "__main__":
    sys.exit(main())
