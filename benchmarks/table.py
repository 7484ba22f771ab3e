"""What was measured, as tables: results.json -> results.md, and the README's part of it.

python benchmarks/table.py [--readme]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from works import OURS, OURS_FP32, PEERS, WORKS, Work

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- results: made by benchmarks/table.py -->", "<!-- end of results -->"
NOTHING_YET = "Nothing is measured yet: `make bench` does, and writes it here."

Rounds = Sequence[Mapping[str, float]]


def is_of(variant: str, peer: str) -> bool:
    """Whether a variant's name says that it is the peer's."""
    return variant == peer or variant.startswith(f"{peer} ")


def value_of(work: Work, rounds: Rounds) -> float | None:
    """The median of a variant's rounds, in the work's unit, or None without rounds."""
    if not rounds:
        return None
    if work.kind == "memory":
        return statistics.median(result["peak"] for result in rounds)
    if work.kind == "finetune":
        return statistics.median(result["seconds"] / result["units"] for result in rounds)
    if work.less_is_better:
        return statistics.median(result["seconds"] for result in rounds)
    return statistics.median(result["units"] / result["seconds"] for result in rounds)


def best_of(work: Work, measured: Mapping[str, Any], peer: str) -> tuple[str, float] | None:
    """The best variant of a peer and its median."""
    values = {
        name: value
        for name, found in measured.items()
        if is_of(name, peer) and (value := value_of(work, found["rounds"])) is not None
    }
    if not values:
        return None
    leads = {name: ahead_of(work, measured[name]) for name in values}
    if None in leads.values():  # not all have taken turns with ours yet
        leads = {name: ratio(work, 1.0, value) for name, value in values.items()}
    name = min(leads, key=lambda name: leads[name] or 0.0)
    return name, values[name]


def ratio(work: Work, ours: float, theirs: float) -> float:
    """How many times as good ours is."""
    return theirs / ours if work.less_is_better else ours / theirs


def ahead_of(work: Work, found: Mapping[str, Any]) -> float | None:
    """How many times as good ours was in the rounds that took turns with this variant's."""
    ours, theirs = value_of(work, found["beside"]), value_of(work, found["rounds"])
    return None if ours is None or theirs is None else ratio(work, ours, theirs)


def lines_of(work: Work, measured: Mapping[str, Any]) -> list[str]:
    """Each variant in a line: median, spread, and how far ours is ahead of it."""
    lines = []
    for name, found in measured.items():
        if not found["rounds"]:
            lines.append(f"{name}: failed: {found.get('error', 'without a word')}")
            continue
        count = len(found["rounds"])
        line = f"{name}: {_shown(work, found['rounds'])} {work.unit}"
        line += f", {count} round{'s' if count > 1 else ''}"
        if (ahead := ahead_of(work, found)) is not None:
            line += f", ours {_times(ahead)} as good"
        if lengths := [
            each["tokens a text"] for each in found["rounds"] if "tokens a text" in each
        ]:
            line += f", {statistics.mean(lengths):.1f} tokens a text"
        if "remark" in found:
            line += f", {found['remark']}"
        if "error" in found:
            line += f", then failed: {found['error']}"
        if "stopped" in found:
            line += f", {found['stopped']}"
        lines.append(line)
    return lines


def compared(results: Mapping[str, Any]) -> str:
    """The table of ratios: a row a work, a column a peer; and how many aims are met."""
    rows = [
        f"| 124M weights | {OURS} | " + " | ".join(PEERS) + " |",
        "|---|---|" + "---|" * len(PEERS),
    ]
    for work in WORKS:
        measured = results["works"].get(work.name)
        if measured and OURS in measured:
            cells = [f"{_title(work, measured)}, {work.unit}", _ours(work, measured)]
            cells += [_cell(work, measured, peer) for peer in PEERS]
            rows.append("| " + " | ".join(cells) + " |")
    if len(rows) == 2:
        return NOTHING_YET
    return "\n".join([*rows, "", summary(results)])


def _title(work: Work, measured: Mapping[str, Any]) -> str:
    """What the work is. A text to tokenize is told by its ids: it need not be everyone's same."""
    rounds = measured[OURS]["rounds"]
    if work.kind == "tokenize" and rounds:
        return f"{work.shown}, {rounds[0]['units']:,} ids"
    return work.shown


def _ours(work: Work, measured: Mapping[str, Any]) -> str:
    """Ours as it comes, and below it in 32 bits where that was run too."""
    found = measured[OURS]
    if not found["rounds"]:
        return _failure([found])
    whole = measured.get(OURS_FP32, {"rounds": []})["rounds"]
    wide = f"<br>{_shown(work, whole)} fp32" if whole else ""
    return _shown(work, found["rounds"]) + wide


def _cell(work: Work, measured: Mapping[str, Any], peer: str) -> str:
    aim = work.targets.get(peer)
    if aim is None:
        return ""
    best = best_of(work, measured, peer)
    if best is None:
        return _failure([found for name, found in measured.items() if is_of(name, peer)])
    name, _ = best
    ahead = ahead_of(work, measured[name])
    variant = "" if work.kind == "tokenize" else name.removeprefix(peer).strip()
    theirs = f"{_shown(work, measured[name]['rounds'])} {variant}".strip()
    if "remark" in measured[name]:
        theirs += f", {measured[name]['remark']}"
    if ahead is None:
        return theirs
    return f"**{_times(ahead)}**, {_verdict(ahead, aim)}<br>{theirs}"


def _failure(found: Sequence[Mapping[str, Any]]) -> str:
    errors = [values["error"] for values in found if "error" in values]
    return f"failed: {errors[0]}".replace("|", "/") if errors else "not measured"


def _verdict(ahead: float, aim: float) -> str:
    return f"aim {aim:g} {'met' if ahead >= aim else 'missed'}"


def summary(results: Mapping[str, Any]) -> str:
    """How many aims of the works that were measured are met, which are missed, and which have no
    figure to tell; and which works were not measured."""
    told: dict[str, tuple[float | None, float]] = {}
    left_out = [work.name for work in WORKS if work.name not in results["works"]]
    for work in WORKS:
        measured = results["works"].get(work.name)
        if measured is None:
            continue
        for peer, aim in work.targets.items():
            best = best_of(work, measured, peer)
            told[f"{work.name} against {peer}"] = (
                best and ahead_of(work, measured[best[0]]),
                aim,
            )
    missed = [
        f"{name} ({_times(ahead)} of {aim:g})"
        for name, (ahead, aim) in told.items()
        if ahead is not None and ahead < aim
    ]
    without = [name for name, (ahead, _) in told.items() if ahead is None]
    text = f"{len(told) - len(missed) - len(without)} of {len(told)} aims met."
    if missed:
        text += f" Missed: {'; '.join(missed)}."
    if without:
        text += f" Without a figure: {'; '.join(without)}."
    if left_out:
        text += f" Not measured: {', '.join(left_out)}."
    return text


def whole(results: Mapping[str, Any]) -> str:
    """results.md: the ratios, the versions, then every variant with its spread and the machine."""
    text = f"""# Results

Made by `make bench`; `benchmarks/README.md` says how it is measured. A column a peer, and in each
cell: how many times as good {OURS} is (as fast, as small), the aim, and below the peer's own median
with its lowest and highest round, in the row's unit, and the setting that was its best. Ratios are
to rounds of {OURS} that took turns with the peer's, and as it comes: on a processor it writes
with weights of 8 bits. Below that stands what it does in 32 bits, where that was run.

{compared(results)}

## Versions

{_versions(results)}
"""
    for work in WORKS:
        measured = results["works"].get(work.name)
        if measured:
            where = sorted({f"{found['machine']}, {found['date']}" for found in measured.values()})
            lines = "\n".join(f"- {line}" for line in lines_of(work, measured))
            text += f"\n## {work.name}: {work.shown}\n\n{lines}\n\n{'; '.join(where)}.\n"
    return text


def _versions(results: Mapping[str, Any]) -> str:
    """The releases that were run, a line each, with the works where they are not those of all."""
    works: dict[str, list[str]] = {}
    for work, measured in results["works"].items():
        for found in measured.values():
            releases = ", ".join(f"{name} {value}" for name, value in found["versions"].items())
            named = works.setdefault(releases, [])
            if work not in named:
                named.append(work)
    count = len(results["works"])
    return "\n".join(
        f"- {releases}" + (f" ({', '.join(named)})" if len(named) < count else "")
        for releases, named in works.items()
    )


def put_into(text: str, results: Mapping[str, Any]) -> str:
    """A README with the results between its two marks. Raises SystemExit where they are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the README has no place for the results: put {BEGIN} and {END} into it")
    return f"{before}{BEGIN}\n{compared(results)}\n{END}{after}"


def _shown(work: Work, rounds: Rounds) -> str:
    """The median of `rounds` with the lowest and the highest."""
    values = sorted(value_of(work, [result]) or 0.0 for result in rounds)
    median = _number(value_of(work, rounds) or 0.0)
    return (
        median if len(values) == 1 else f"{median} ({_number(values[0])} to {_number(values[-1])})"
    )


def _times(ahead: float) -> str:
    return f"{ahead:.1f}x" if ahead >= 10 else f"{ahead:.2f}x"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--readme", action="store_true", help="put the table into README.md too")
    options = parser.parse_args()
    results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    (HERE / "results.md").write_text(whole(results), encoding="utf-8")
    if options.readme:
        README.write_text(put_into(README.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
