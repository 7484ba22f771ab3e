"""Interleaved rounds of several variants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import table
from gpt2_helpers.bench.worker_process import WorkerError, WorkerProcess
from gpt2_helpers.bench.workload import Workload
from workloads import BASELINES, OURS

TOO_SLOW = 2  # times as slow as another variant of the same library: one round is enough

Start = Callable[[str], WorkerProcess]  # variant -> its process, ready to run


def measure(
    workload: Workload, variants: Sequence[str], rounds: int, start: Start
) -> dict[str, Any]:
    """Run all variants in turn: A B C A B C.

    Returns:
        For each variant its "rounds", and "paired", the rounds of ours that alternated with them.
        If it stopped early, "error" or "stopped" says why; a "note" tells what it does differently.
    """
    results: dict[str, Any] = {variant: {"rounds": [], "paired": []} for variant in variants}
    for group in _groups(workload, variants):
        n_before = len(results[OURS]["rounds"])
        _run_group(workload, group, rounds, start, results)
        for variant in group:
            if variant != OURS:
                same_turns = slice(n_before, n_before + len(results[variant]["rounds"]))
                results[variant]["paired"] = results[OURS]["rounds"][same_turns]
    return results


def _groups(workload: Workload, variants: Sequence[str]) -> Iterator[list[str]]:
    """The variants that alternate with each other; ours is in each group."""
    ours, *others = variants
    if workload.kind == "finetune" and not workload.needs_new_process and others:
        # More than two would not fit into memory.
        yield from ([ours, other] for other in others)
    else:
        yield list(variants)


def _run_group(
    workload: Workload, variants: Sequence[str], rounds: int, start: Start, results: dict[str, Any]
) -> None:
    running: dict[str, WorkerProcess] = {}
    active = list(variants)

    def drop(variant: str, kind: str, reason: str) -> None:
        results[variant][kind] = reason
        print(f"  {variant}: {reason}", flush=True)
        active.remove(variant)
        if variant in running:
            running.pop(variant).close()

    try:
        for number in range(rounds):
            for variant in list(active):
                try:
                    result = _run_round(workload, variant, running, start)
                    results[variant]["rounds"].append(result)
                    if note := _different_ids(workload, result, results[OURS]["rounds"]):
                        results[variant]["note"] = note
                except WorkerError as error:
                    drop(variant, "error", str(error))
            for variant in list(active) if number == 0 else ():
                if reason := _too_slow(workload, variant, results):
                    drop(variant, "stopped", reason)
    finally:  # also after Ctrl-C
        for process in running.values():
            process.close()


def _run_round(
    workload: Workload, variant: str, running: dict[str, WorkerProcess], start: Start
) -> dict[str, Any]:
    """One round of a variant, which is started first if it is not `running`."""
    process = running.get(variant) or start(variant)
    running[variant] = process
    if workload.includes_start:
        result = {"units": 1, "seconds": process.seconds_to_ready}
    else:
        result = process.run()
    if workload.needs_new_process:
        running.pop(variant).close()
    return result


def _different_ids(
    workload: Workload, result: dict[str, Any], ours: Sequence[dict[str, Any]]
) -> str:
    """A note if a variant tokenizes a text into another number of ids than ours, else ""."""
    if workload.kind != "tokenize" or not ours or result["units"] == ours[0]["units"]:
        return ""
    return f"produces {result['units']:,} ids instead of {ours[0]['units']:,}"


def _too_slow(workload: Workload, variant: str, results: dict[str, Any]) -> str:
    """Why this variant needs no second round after the first one, or ""."""
    library = next((name for name in BASELINES if table.belongs_to(variant, name)), None)
    best = library and table.best_variant(workload, results, library)
    if not best or workload.kind == "memory":
        return ""
    name, value = best
    own_value = table.median_value(workload, results[variant]["rounds"]) or value
    slowdown = table.ratio(workload, value, own_value)
    return f"over {TOO_SLOW} times as slow as {name}: one round only" if slowdown > TOO_SLOW else ""
