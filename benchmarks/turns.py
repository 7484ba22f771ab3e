"""Variants of peers taking turns at a work. Knows nothing of how they are started, or of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import table
from peer_process import PeerError, PeerProcess
from works import OURS, PEERS, Work

TOO_SLOW = 2  # times as slow as another variant of the same peer: one round is enough

Start = Callable[[str], PeerProcess]  # the process of a variant, ready


def measure(work: Work, variants: Sequence[str], rounds: int, start: Start) -> dict[str, Any]:
    """For each variant its rounds, those of ours that took turns with them ("beside"), why there
    are no more where there are none or fewer, and a "remark" where it does other work."""
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

    def leave(variant: str, kind: str, reason: str) -> None:
        found[variant][kind] = reason
        print(f"  {variant}: {reason}", flush=True)
        left.remove(variant)
        if variant in running:
            running.pop(variant).close()

    try:
        for turn in range(rounds):
            for variant in list(left):
                try:
                    result = _round(work, variant, running, start)
                    found[variant]["rounds"].append(result)
                    if remark := _other_ids(work, result, found[OURS]["rounds"]):
                        found[variant]["remark"] = remark
                except PeerError as error:
                    leave(variant, "error", str(error))
            for variant in list(left) if turn == 0 else ():
                if reason := _too_slow(work, variant, found):
                    leave(variant, "stopped", reason)
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


def _other_ids(work: Work, result: dict[str, Any], ours: Sequence[dict[str, Any]]) -> str:
    """What is to be known of who makes another number of ids of a text than ours; or nothing."""
    if work.kind != "tokenize" or not ours or result["units"] == ours[0]["units"]:
        return ""
    return f"makes {result['units']:,} ids of it, where {ours[0]['units']:,} are right"


def _too_slow(work: Work, variant: str, found: dict[str, Any]) -> str:
    """Why this variant, of which all have run one round, needs no second one; or nothing."""
    peer = next((peer for peer in PEERS if table.is_of(variant, peer)), None)
    best = peer and table.best_of(work, found, peer)
    if not best or work.kind == "memory":
        return ""
    name, value = best
    behind = table.ratio(work, value, table.value_of(work, found[variant]["rounds"]) or value)
    return f"over {TOO_SLOW} times as slow as {name}: one round only" if behind > TOO_SLOW else ""
