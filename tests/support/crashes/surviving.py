"""Kills one kind of work again and again, at moments drawn at random, and checks what is left."""

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
from toy_runs import save_run, write_model

PAUSE = 0.01  # seconds at each change of a file, so that half of all moments fall into saves


@dataclasses.dataclass
class OverlapReport:
    """What became of one kind of work."""

    name: str
    kills: int = 0
    by: dict[str, int] = dataclasses.field(default_factory=dict)  # way to die -> how often
    runs: int = 0  # from nothing to the end
    seconds: float = 0.0

    def __str__(self) -> str:
        ways = ", ".join(f"{count} {way}" for way, count in sorted(self.by.items()))
        return (
            f"{self.name}: {self.kills} kills survived ({ways}), {self.runs} brought to their end "
            f"as if never killed, {self.seconds:.0f} s"
        )


def write_toy(folder: Path) -> Path:
    """A model, a run, and two archives of runs of that name, an older and a newer."""
    here = Path.cwd()
    folder.mkdir()
    os.chdir(folder)
    try:
        write_model()
        for step, name in ((3, "older.tar"), (7, "newer.tar"), (5, "")):
            shutil.rmtree("checkpoint", ignore_errors=True)
            run = save_run(step=step)
            if name:
                drain(run_archive.pack(run_archive.archive_members(run.require()), Path(name)))
    finally:
        os.chdir(here)
    return folder


def survive(
    scenario: Scenario,
    killer: Killer,
    folder: Path,
    toy: Path,
    kills: int,
    draw: random.Random,
    until: Callable[[], bool] = lambda: False,
) -> OverlapReport:
    """Kill `scenario` so often (or `until` says enough), in `folder`, and bring it to its end.

    AssertionError where something does not hold, with what the process printed.
    """
    began = time.monotonic()
    tally = OverlapReport(scenario.name)
    whole = _begun(folder / "whole", scenario, toy)
    ends = _to_the_end(scenario, killer, whole, whole)
    changes = sum(end.changes for end in ends)
    largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    seconds = sum(end.seconds for end in ends)
    while tally.kills < kills and not until():
        work = _begun(folder / f"work{tally.runs}", scenario, toy)
        while tally.kills < kills and scenario.call(work) is not None and not until():
            way, plan = _drawn(scenario, draw, changes, seconds, largest)
            end = _run(scenario, killer, work, plan)
            if end.was_killed:
                tally.kills += 1
                tally.by[way] = tally.by.get(way, 0) + 1
                _checked(scenario, work, end, whole, plan)
        _to_the_end(scenario, killer, work, whole)
        scenario.check_end(work, whole)
        tally.runs += 1
        shutil.rmtree(work)
    tally.seconds = time.monotonic() - began
    return tally


def _drawn(
    scenario: Scenario, draw: random.Random, changes: int, seconds: float, largest: int
) -> tuple[str, Plan]:
    """A way to die and its moment, within what a whole run was seen to change and to take."""
    change = draw.randint(1, changes)
    ways = {
        "at a change of a file": Plan(change=change),
        "shortly after one": Plan(change=change, after=10 ** draw.uniform(-5, -2)),
        "at some moment": Plan(seconds=draw.uniform(0, 1.5 * seconds), pause=PAUSE),
    }
    if scenario.tears:
        ways["in mid-write"] = Plan(size=draw.randint(200, largest))
    way = draw.choice(sorted(ways))
    return way, ways[way]


def _begun(work: Path, scenario: Scenario, toy: Path) -> Path:
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


def _to_the_end(scenario: Scenario, killer: Killer, work: Path, whole: Path) -> list[End]:
    ends = []
    while scenario.call(work) is not None:
        ends.append(_run(scenario, killer, work, Plan()))
        assert len(ends) < 5, f"{scenario.name} comes to no end:\n{ends[-1].output}"
    return ends


def _checked(scenario: Scenario, work: Path, end: End, whole: Path, plan: Plan) -> None:
    try:
        scenario.check(work, end, whole)
    except Exception as error:
        files = "\n".join(sorted(str(path.relative_to(work)) for path in work.rglob("*")))
        raise AssertionError(
            f"{scenario.name} killed by {plan}: {type(error).__name__}: {error}\n"
            f"its folder:\n{files}\nits output:\n{end.output}"
        ) from error
