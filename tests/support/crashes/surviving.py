"""Kills one scenario repeatedly at random moments and checks what is left."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from crashes.killing import End, Killer, Plan
from crashes.scenarios import Scenario
from gpt2_helpers.google import run_archive
from gpt2_helpers.system.files import drain
from toy_runs import SHAPE, save_run, write_model

PAUSE = 0.01  # seconds at each file change, so that half of all moments fall into saves


@dataclasses.dataclass
class KillReport:
    """Counts of one scenario."""

    name: str
    kills: int = 0
    by: dict[str, int] = dataclasses.field(default_factory=dict)  # way to be killed -> count
    runs: int = 0  # completed from start to end
    seconds: float = 0.0

    def __str__(self) -> str:
        ways = ", ".join(f"{count} {way}" for way, count in sorted(self.by.items()))
        return (
            f"{self.name}: survived {self.kills} kills ({ways}), {self.runs} runs completed as if "
            f"never killed, {self.seconds:.0f} s"
        )


def write_toy(folder: Path) -> Path:
    """Create a model, a run, and an older and a newer archive of a run with the same name."""
    previous = Path.cwd()
    folder.mkdir()
    os.chdir(folder)
    try:
        # One layer: the time to build TensorFlow's graphs dominates these tests.
        write_model(shape=dataclasses.replace(SHAPE, n_layer=1))
        for step, name in ((3, "older.tar"), (7, "newer.tar"), (5, "")):
            shutil.rmtree("checkpoint", ignore_errors=True)
            run = save_run(step=step)
            if name:
                drain(run_archive.pack(run_archive.archive_members(run.require()), Path(name)))
    finally:
        os.chdir(previous)
    return folder


def survive(
    scenario: Scenario,
    killer: Killer,
    folder: Path,
    toy: Path,
    kills: int,
    rng: random.Random,
    until: Callable[[], bool] = lambda: False,
) -> KillReport:
    """Kill `scenario` in `folder` `kills` times, or once and until `until` returns True, and
    complete it.

    Raises:
        AssertionError: A check failed; the message has the process's output.
    """
    start = time.monotonic()
    report = KillReport(scenario.name)
    reference = _prepare(folder / "reference", scenario, toy)
    ends = _complete(scenario, killer, reference, reference)
    changes = sum(end.changes for end in ends)
    largest = max(path.stat().st_size for path in reference.rglob("*") if path.is_file())
    seconds = sum(end.seconds for end in ends)

    def enough() -> bool:
        return report.kills >= kills or (report.kills > 0 and until())

    while not enough():
        work = _prepare(folder / f"work{report.runs}", scenario, toy)
        while scenario.call(work) is not None and not enough():
            way, plan = _draw_plan(scenario, rng, changes, seconds, largest)
            end = _run(scenario, killer, work, plan)
            if end.was_killed:
                report.kills += 1
                report.by[way] = report.by.get(way, 0) + 1
                _check(scenario, work, end, reference, plan)
        _complete(scenario, killer, work, reference)
        scenario.check_end(work, reference)
        report.runs += 1
        shutil.rmtree(work)
    report.seconds = time.monotonic() - start
    return report


def _draw_plan(
    scenario: Scenario, rng: random.Random, changes: int, seconds: float, largest: int
) -> tuple[str, Plan]:
    """A random way and moment to be killed, within the changes and the time of a complete run."""
    change = rng.randint(1, changes)
    ways = {
        "at a file change": Plan(change=change),
        "shortly after a file change": Plan(change=change, after=10 ** rng.uniform(-5, -2)),
        "at a random time": Plan(seconds=rng.uniform(0, 1.5 * seconds), pause=PAUSE),
    }
    if scenario.tears:
        ways["during a write"] = Plan(size=rng.randint(200, largest))
    way = rng.choice(sorted(ways))
    return way, ways[way]


def _prepare(work: Path, scenario: Scenario, toy: Path) -> Path:
    work.mkdir(parents=True)
    scenario.prepare(work, toy)
    return work


def _run(scenario: Scenario, killer: Killer, work: Path, plan: Plan) -> End:
    call = scenario.call(work)
    assert call is not None
    end = killer.run(work, call, plan, scenario.environment)
    if end.code == 0:
        (work / "done").touch()
    elif not end.was_killed:
        raise AssertionError(f"{scenario.name} ended with {end.code}, by {plan}:\n{end.output}")
    return end


def _complete(scenario: Scenario, killer: Killer, work: Path, reference: Path) -> list[End]:
    ends = []
    while scenario.call(work) is not None:
        ends.append(_run(scenario, killer, work, Plan()))
        assert len(ends) < 5, f"{scenario.name} does not end:\n{ends[-1].output}"
    return ends


def _check(scenario: Scenario, work: Path, end: End, reference: Path, plan: Plan) -> None:
    try:
        scenario.check(work, end, reference)
    except Exception as error:
        files = "\n".join(sorted(str(path.relative_to(work)) for path in work.rglob("*")))
        raise AssertionError(
            f"{scenario.name} killed by {plan}: {type(error).__name__}: {error}\n"
            f"its folder:\n{files}\nits output:\n{end.output}"
        ) from error
