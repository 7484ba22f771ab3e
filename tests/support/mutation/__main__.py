"""Check that the tests notice small changes of the code: `make mutation`.

python tests/support/mutation [--minutes 30] [--seed 1] [--module web/rate_limit.py ...] [--docs]

Changes a module in one place, runs its test file and counts the change as killed if a test fails.
Without --module a seeded sample of all modules in config.toml is tried until the time is over; with
it all mutants of these modules. --docs writes the counts to docs/reliability.md. The files are
changed in copies of the checkout.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutation.mutants import Mutant, changed_line, mutants_of, mutate
from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG = tomllib.loads(Path(__file__).with_name("config.toml").read_text(encoding="utf-8"))
EXPLAINED = {(entry["module"], entry["line"]): entry["reason"] for entry in CONFIG["explained"]}
DOCS = ROOT / "docs" / "reliability.md"
START, END = "<!-- mutation: start -->", "<!-- mutation: end -->"
COUNTS = ("killed", "explained", "survived")
SLOWEST = 600.0  # seconds for the tests of a module without changes


def module_path(module: str) -> Path:
    return Path("gpt2_helpers", module)


def test_path(module: str) -> Path:
    path = Path("tests", module)
    return path.with_name(f"test_{path.name}")


class Runner:
    """Runs the tests of mutants in copies of the checkout, one for each process."""

    def __init__(self, folder: Path, processes: int) -> None:
        self._copies: queue.Queue[Path] = queue.Queue()
        for number in range(processes):
            self._copies.put(_copy_checkout(folder / str(number)))
        self._limits: dict[str, float | None] = {}  # seconds, by module
        self._locks = {module: threading.Lock() for module in CONFIG["modules"]}

    def outcome(self, mutant: Mutant) -> tuple[str, str]:
        """Return "killed", "explained", "survived", "equal" or "failing", and the changed line.

        "equal" code does the same as before; "failing" tests already fail without a change.
        """
        with self._copy() as copy:
            file = copy / module_path(mutant.module)
            code = file.read_text(encoding="utf-8")
            changed = mutate(mutant, code)
            if changed is None:
                return "equal", ""
            line = changed_line(code, changed)
            limit = self._limit(mutant.module, copy)
            if limit is None:
                return "failing", line
            file.write_text(changed, encoding="utf-8")
            try:
                passed = _run_tests(copy, mutant.module, limit)
            finally:
                file.write_text(code, encoding="utf-8")
        if not passed:
            return "killed", line
        return ("explained" if (mutant.module, line) in EXPLAINED else "survived"), line

    @contextmanager
    def _copy(self) -> Iterator[Path]:
        copy = self._copies.get()
        try:
            yield copy
        finally:
            self._copies.put(copy)

    def _limit(self, module: str, copy: Path) -> float | None:
        """Seconds that a mutant's tests may take, from the time that they take without one.

        None if they fail without one.
        """
        with self._locks.setdefault(module, threading.Lock()):
            if module not in self._limits:
                start = time.monotonic()
                passed = _run_tests(copy, module, SLOWEST)
                seconds = time.monotonic() - start
                self._limits[module] = 30 + 5 * seconds if passed else None
                if not passed:
                    print(f"{test_path(module)} fails without a change: mend it first", flush=True)
            return self._limits[module]


def _copy_checkout(folder: Path) -> Path:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(command, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def _run_tests(copy: Path, module: str, limit: float) -> bool:
    """Whether a module's test file passes within the limit."""
    environment = {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",  # two changes may have the same size and time
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", str(test_path(module))],
        cwd=copy,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with suppress(ProcessLookupError):  # also what the tests have started
                os.killpg(process.pid, signal.SIGKILL)


def try_mutants(
    mutants: list[Mutant], seconds: float | None, processes: int
) -> dict[str, Counter[str]]:
    """Try mutants in order until the time is over; returns the number of outcomes by module."""
    counts: dict[str, Counter[str]] = {}
    deadline = None if seconds is None else time.monotonic() + seconds
    lock = threading.Lock()

    def attempt(mutant: Mutant) -> None:
        if deadline is not None and time.monotonic() > deadline:
            return
        outcome, line = runner.outcome(mutant)
        with lock:
            counts.setdefault(mutant.module, Counter())[outcome] += 1
            if outcome == "survived":
                print(f"survived: {mutant.module}:{mutant.line}: {line}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Path(folder), processes)
        with ThreadPoolExecutor(processes) as pool:
            try:
                list(pool.map(attempt, mutants))
            except BaseException:  # also KeyboardInterrupt
                pool.shutdown(cancel_futures=True)
                raise
    return counts


def rows(counts: dict[str, Counter[str]]) -> dict[str, str]:
    """Rows of the table in docs/reliability.md, by module."""
    return {
        module: f"| `{module}` | {sum(found[name] for name in COUNTS)} | "
        + " | ".join(str(found[name]) for name in COUNTS)
        + " |"
        for module, found in counts.items()
    }


def update_docs(text: str, new: dict[str, str]) -> str:
    """Replace or add the rows of some modules in the table between the two marks."""
    before, _, rest = text.partition(START)
    table, _, after = rest.partition(END)
    lines = [line for line in table.splitlines() if line.strip()]
    heading, old = lines[:2], {line.split("`")[1]: line for line in lines[2:]}
    body = [row for _, row in sorted({**old, **new}.items())]
    return f"{before}{START}\n\n" + "\n".join([*heading, *body]) + f"\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that the tests notice changes of the code.")
    parser.add_argument("--minutes", type=float, default=CONFIG["minutes"], help="time limit")
    parser.add_argument("--seed", type=int, default=CONFIG["seed"], help="seed of the sample")
    parser.add_argument("--module", action="append", help="try all mutants of this module")
    parser.add_argument("--docs", action="store_true", help="update docs/reliability.md")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    modules = options.module or CONFIG["modules"]
    mutants = []
    for module in modules:
        code = (ROOT / module_path(module)).read_text(encoding="utf-8")
        mutants += mutants_of(module, code)
    random.Random(options.seed).shuffle(mutants)
    seconds = None if options.module else 60 * options.minutes
    extent = "all" if seconds is None else f"{options.minutes:g} minutes"
    print(f"seed {options.seed}: up to {len(mutants):,} mutants, {extent}", flush=True)
    counts = try_mutants(mutants, seconds, options.processes)
    total = sum(counts.values(), Counter[str]())
    tried = sum(total[name] for name in COUNTS)
    print("| module | mutants | killed | explained | survived |", *rows(counts).values(), sep="\n")
    noticed = f" ({100 * (tried - total['survived']) / tried:.0f} % noticed)" if tried else ""
    print(
        f"seed {options.seed}: tried {tried} of {len(mutants) - total['equal']:,} mutants of "
        f"{len(modules)} modules: {', '.join(f'{total[name]} {name}' for name in COUNTS)}{noticed}"
    )
    if options.docs:
        DOCS.write_text(update_docs(DOCS.read_text(encoding="utf-8"), rows(counts)), "utf-8")
    return 1 if total["failing"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
