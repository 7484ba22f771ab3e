"""Check that the tests notice small changes of the code: `make mutation`.

python tests/support/mutation [--minutes 30] [--seed 1] [--module web/rate_limit.py ...] [--docs]

Changes a module in one place, runs the tests of its test file that execute the changed statement,
and counts the change as killed if one fails or does not end. Without --module a seeded sample of
all modules in config.toml is tried until the time is over; with it all mutants of these modules.
--docs writes the counts to docs/reliability.md. The files are changed in copies of the checkout.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutation import trials
from mutation.mutants import Mutant, changed_line, mutants_of, mutate
from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG = tomllib.loads(Path(__file__).with_name("config.toml").read_text(encoding="utf-8"))
EXPLAINED = {
    (entry["module"], line): entry["reason"]
    for entry in CONFIG["explained"]
    for line in entry.get("lines", [entry.get("line")])
}
DOCS = ROOT / "docs" / "reliability.md"
START, END = "<!-- mutation: start -->", "<!-- mutation: end -->"
COUNTS = ("killed", "explained", "survived")


def module_path(module: str) -> Path:
    return Path("gpt2_helpers", module)


def test_path(module: str) -> Path:
    path = Path("tests", module)
    return path.with_name(f"test_{path.name}")


class Runner:
    """Tries mutants in copies of the checkout, one for each process."""

    def __init__(self, folder: Path, processes: int) -> None:
        self._copies = [trials.copy_checkout(ROOT, folder / str(n)) for n in range(processes)]
        self._tests: dict[str, trials.Tests] = {}  # by module
        self._running: dict[int, tuple[Mutant, str, trials.Trial]] = {}

    def outcomes(self, mutants: Iterator[Mutant]) -> Iterator[tuple[Mutant, str, str]]:
        """Yield each mutant with its outcome and the changed line.

        Outcomes are "killed", "timeout" (also a kill), "explained", "survived", "equal", which is
        code that does the same, and "failing": the tests already fail without a change.
        """
        for mutant in mutants:
            while not self._copies:
                yield from self._ended()
            outcome, line = self._start(mutant)
            if outcome:
                yield mutant, outcome, line
        while self._running:
            yield from self._ended()

    def _start(self, mutant: Mutant) -> tuple[str, str]:
        """Start the tests of a mutant, or return its outcome and line if none need to run."""
        module, copy = mutant.module, self._copies[-1]
        code = (copy / module_path(module)).read_text(encoding="utf-8")
        changed = mutate(mutant, code)
        if changed is None:
            return "equal", ""
        line = changed_line(code, changed)
        if (module, line) in EXPLAINED:
            return "explained", line
        if module not in self._tests:
            tests = trials.run_unchanged(copy, module_path(module), test_path(module))
            self._tests[module] = tests
            if not tests.passed:
                print(f"{test_path(module)} fails without a change: mend it first", flush=True)
        tests = self._tests[module]
        if not tests.passed:
            return "failing", line
        names = tests.reaching(trials.statement_lines(code, mutant.line))
        if not names:
            return "survived", line
        files = module_path(module), changed, test_path(module)
        trial = trials.Trial(self._copies.pop(), *files, tests, names)
        self._running[trial.sentinel] = mutant, line, trial
        return "", line

    def _ended(self) -> Iterator[tuple[Mutant, str, str]]:
        """Wait until a trial ends, and yield the outcomes of those that have."""
        deadline = min(trial.deadline for _, _, trial in self._running.values())
        wait(self._running, max(0, deadline - time.monotonic()))
        for sentinel, (mutant, line, trial) in list(self._running.items()):
            if wait([sentinel], 0) or time.monotonic() > trial.deadline:
                del self._running[sentinel]
                result = trial.end()
                self._copies.append(trial.copy)
                names = {"passed": "survived", "failed": "killed"}
                yield mutant, names.get(result, result), line

    def stop(self) -> None:
        for _, _, trial in self._running.values():
            trial.end()


def try_mutants(runner: Runner, mutants: list[Mutant], end: float) -> dict[str, Counter[str]]:
    """Try mutants in order until a time is reached; returns the number of outcomes by module."""
    counts: dict[str, Counter[str]] = {}
    in_time = itertools.takewhile(lambda _: time.monotonic() < end, mutants)
    for mutant, outcome, line in runner.outcomes(in_time):
        found = counts.setdefault(mutant.module, Counter())
        found["killed" if outcome == "timeout" else outcome] += 1
        if outcome in ("survived", "timeout"):
            print(f"{outcome}: {mutant.module}:{mutant.line}: {line}", flush=True)
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
    mutants = {
        module: mutants_of(module, (ROOT / module_path(module)).read_text(encoding="utf-8"))
        for module in modules
    }
    all_mutants = list(itertools.chain(*mutants.values()))
    random.Random(options.seed).shuffle(all_mutants)
    end = math.inf if options.module else time.monotonic() + 60 * options.minutes
    extent = "all" if options.module else f"{options.minutes:g} minutes"
    print(f"seed {options.seed}: up to {len(all_mutants):,} mutants, {extent}", flush=True)
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Path(folder), options.processes)
        try:
            for part in mutants.values() if options.module else [all_mutants]:
                found = try_mutants(runner, part, end)
                counts |= found
                print(
                    "| module | mutants | killed | explained | survived |",
                    *rows(found).values(),
                    sep="\n",
                    flush=True,
                )
                if options.docs:
                    text = DOCS.read_text(encoding="utf-8")
                    DOCS.write_text(update_docs(text, rows(found)), encoding="utf-8")
        finally:
            runner.stop()
    total = sum(counts.values(), Counter[str]())
    tried = sum(total[name] for name in COUNTS)
    noticed = f" ({100 * (tried - total['survived']) / tried:.0f}% noticed)" if tried else ""
    print(
        f"seed {options.seed}: tried {tried} of {len(all_mutants) - total['equal']:,} mutants of "
        f"{len(modules)} modules: {', '.join(f'{total[name]} {name}' for name in COUNTS)}{noticed}"
    )
    return 1 if total["failing"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
