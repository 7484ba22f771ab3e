"""The curves as pictures: a figure for each topic, a panel for each curve. Needs matplotlib."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from growth_curve import Curve, number

COLOURS = ("#1f5aa6", "#d1690e", "#2f8f4e", "#8a3ffc")
WIDE = 10  # largest over smallest, from which on an axis is logarithmic
MANY = 10  # points, for which there are not ticks enough
LEGEND_LINE = 0.085  # of a panel's height


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Write a picture: a row of panels for each unit, in the order of the curves."""
    kinds = list(dict.fromkeys(curve.y for curve in curves))
    columns = math.ceil(len(curves) / len(kinds))
    size = (4.0 * columns, 3.2 * len(kinds))
    figure = Figure(figsize=size, layout="constrained")
    for order, curve in enumerate(curves):
        row, column = kinds.index(curve.y), order // len(kinds)
        axes = figure.add_subplot(len(kinds), columns, row * columns + column + 1)
        _panel(axes, curve)
    figure.savefig(path, dpi=80 if len(kinds) > 1 else 100)


def _panel(axes: Axes, curve: Curve) -> None:
    for line, colour in zip(curve.series, COLOURS, strict=False):
        xs = [point.x for point in line.points]
        measured = [point.measured for point in line.points]
        axes.plot(xs, measured, color=colour, marker="o", ms=4, label=line.name)
        limits = [point.limit for point in line.points]
        axes.plot(xs, limits, color=colour, linestyle="--", linewidth=1)
    # What the dashes are stands once, in grey.
    axes.plot([], [], color="grey", linestyle="--", linewidth=1, label=curve.beside)
    axes.set(xlabel=curve.x, ylabel=curve.y, title=curve.title)
    values = [v for line in curve.series for p in line.points for v in (p.measured, p.limit)]
    places = sorted({point.x for line in curve.series for point in line.points})
    if len(places) < MANY:
        # What doubles from point to point stands at even distances.
        if all(last >= 2 * first for first, last in itertools.pairwise(places)):
            axes.set_xscale("log")
        axes.set_xticks(places)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    low, high = min(values), max(values)
    legend = LEGEND_LINE * (len(curve.series) + 1)  # how much of the height it takes
    if high / low > WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.set_ylim(top=high * (high / low) ** (legend / (1 - legend)))
    else:
        axes.set_ylim(0, high / (1 - legend))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize="small", loc="upper left")
