"""A curve: what was measured at each point, beside its limit. Data and arithmetic alone.

A limit is what the machine could do at the very best by the rates measured in the same run; the
share says how near to it we are. Of memory the package's own estimate stands in its place.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Point:
    """One place of a curve: the rounds measured there, in the curve's unit, and the limit."""

    x: float
    rounds: Sequence[float]
    limit: float

    @property
    def measured(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)


@dataclass(frozen=True)
class Series:
    """A line of a picture."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Curve:
    """How `y` grows with `x`, in one line or several. `limit` says what the dashed line is."""

    title: str
    x: str
    y: str
    limit: str
    series: Sequence[Series]
    less_is_better: bool = False

    @property
    def beside(self) -> str:
        """What the dashed line is called: a limit, or an estimate where that is what it is."""
        return "estimate" if "estimate" in self.limit else "limit"

    def share(self, point: Point) -> float:
        """How much of the limit is reached: 1 would be all of it.

        >>> curve = Curve("", "", "", "", [], less_is_better=True)
        >>> curve.share(Point(1, [2.0, 4.0, 9.0], limit=1.0))
        0.25
        """
        if self.less_is_better:
            return point.limit / point.measured
        return point.measured / point.limit

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Curve:
        series = [
            Series(line["name"], [Point(**point) for point in line["points"]])
            for line in values["series"]
        ]
        return cls(**{**values, "series": series})


def markdown(results: Mapping[str, Any]) -> str:
    """growth.md: a table for each curve, with its topic's machine, date and rates."""
    text = (
        "# How it grows\n\nMade by `make bench-growth`; each number is the median of its rounds.\n"
    )
    text += "Memory was measured once for each point.\n"
    for topic, found in results.items():
        text += f"\n## {topic.capitalize()}\n\n![{topic}](pictures/{topic}.png)\n\n"
        text += f"{found['machine']}, {found['date']}; {', '.join(found['notes'])}.\n"
        for values in found["curves"]:
            text += f"\n{_table(Curve.from_json(values))}"
    return text


def _table(curve: Curve) -> str:
    lines = [
        f"### {curve.title}\n",
        f"{curve.beside.capitalize()}: {curve.limit}.\n",
        f"| {curve.x} | line | {curve.y} | lowest to highest | {curve.beside} | "
        + ("share of the limit |" if curve.beside == "limit" else "estimate / measured |"),
        "|---|---|---|---|---|---|",
    ]
    for line in curve.series:
        for point in line.points:
            spread = f"{number(min(point.rounds))} to {number(max(point.rounds))}"
            cells = [number(point.x), line.name, number(point.measured)]
            cells += [spread if len(point.rounds) > 1 else "one round", number(point.limit)]
            lines.append(f"| {' | '.join(cells)} | {curve.share(point):.0%} |")
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Three digits, and whole thousands.

    >>> number(12345.6), number(64), number(0.01234)
    ('12,346', '64', '0.0123')
    """
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
