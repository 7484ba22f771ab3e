"""What was measured, as tables: results.json -> results.md, and the README's part of it.

python benchmarks/table.py [--readme]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from works import OURS, PEERS, WORKS, Work

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- results: made by benchmarks/table.py -->", "<!-- end of results -->"


def value_of(work: Work, rounds: list[Mapping[str, float]]) -> float | None:
    """The median of a variant's rounds, in the work's unit (a second), or None without rounds."""
    if not rounds:
        return None
    if work.kind == "memory":
        return statistics.median(result["peak"] for result in rounds)
    if work.less_is_better:
        return statistics.median(result["seconds"] for result in rounds)
    return statistics.median(result["units"] / result["seconds"] for result in rounds)


def spread_of(work: Work, rounds: list[Mapping[str, float]]) -> tuple[float, float]:
    """The lowest and the highest round."""
    values = [value_of(work, [result]) or 0.0 for result in rounds]
    return min(values), max(values)


def best_of(work: Work, measured: Mapping[str, Any], peer: str) -> tuple[str, float] | None:
    """The best variant of a peer and its median."""
    values = {
        name: value
        for name, found in measured.items()
        if name == peer or name.startswith(f"{peer} ")
        if (value := value_of(work, found["rounds"])) is not None
    }
    if not values:
        return None
    choose = min if work.less_is_better else max
    name = choose(values, key=lambda name: values[name])
    return name, values[name]


def ratio(work: Work, ours: float, theirs: float) -> float:
    """How many times as good ours is."""
    return theirs / ours if work.less_is_better else ours / theirs


def lines_of(work: Work, measured: Mapping[str, Any]) -> list[str]:
    """Each variant in a line: median, spread, and how far ours is ahead of it."""
    lines = []
    ours = value_of(work, measured[OURS]["rounds"]) if OURS in measured else None
    for name, found in measured.items():
        value = value_of(work, found["rounds"])
        if value is None:
            lines.append(f"{name}: failed, {found.get('error', 'without a word')}")
            continue
        low, high = spread_of(work, found["rounds"])
        line = f"{name}: {_number(value)} {work.unit}"
        line += "" if work.less_is_better else "/s"
        line += f" ({_number(low)} to {_number(high)})"
        if ours is not None and not name.startswith(OURS):
            line += f", ours {ratio(work, ours, value):.2f} times as good"
        lines.append(line)
    return lines


def compared(results: Mapping[str, Any]) -> str:
    """The table of ratios: a row a work, a column a peer."""
    rows = [
        f"| work, 124M | {OURS} | " + " | ".join(PEERS) + " |",
        "|---|---|" + "---|" * len(PEERS),
    ]
    for work in WORKS:
        measured = results["works"].get(work.name)
        if not measured or OURS not in measured:
            continue
        ours = value_of(work, measured[OURS]["rounds"])
        unit = work.unit if work.less_is_better else f"{work.unit}/s"
        cells = [work.shown, "failed" if ours is None else f"**{_number(ours)}** {unit}"]
        for peer in PEERS:
            cells.append(_cell(work, measured, peer, ours))
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _cell(work: Work, measured: Mapping[str, Any], peer: str, ours: float | None) -> str:
    target = work.targets.get(peer)
    if target is None:
        return ""
    best = best_of(work, measured, peer)
    if best is None:
        errors = [f["error"] for n, f in measured.items() if n.startswith(peer) and "error" in f]
        return f"failed: {errors[0]}" if errors else "not measured"
    if ours is None:
        return _number(best[1])
    ahead = ratio(work, ours, best[1])
    met = "" if ahead >= target else " (missed)"
    return f"{_number(best[1])}: {ahead:.2g}x, aim {target:g}{met}"


def whole(results: Mapping[str, Any]) -> str:
    """results.md: the ratios, then every variant with its spread, the machines and the versions."""
    releases = ", ".join(f"{name} {release}" for name, release in results["versions"].items())
    text = (
        "# Results\n\nMade by `make bench`. Each cell of a peer is its median, in the row's unit, "
        f"and how many times as good {OURS} is at its own best setting in the same run.\n\n"
        f"{compared(results)}\n\nVersions: {releases}.\n"
    )
    for work in WORKS:
        measured = results["works"].get(work.name)
        if measured:
            where = sorted({f"{found['machine']}, {found['date']}" for found in measured.values()})
            lines = "\n".join(f"- {line}" for line in lines_of(work, measured))
            text += f"\n## {work.shown}\n\n{lines}\n\n{'; '.join(where)}; medians (and spread)\n"
    return text


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--readme", action="store_true", help="put the table into README.md too")
    options = parser.parse_args()
    results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    (HERE / "results.md").write_text(whole(results), encoding="utf-8")
    if options.readme:
        text = README.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        README.write_text(f"{before}{BEGIN}\n{compared(results)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
