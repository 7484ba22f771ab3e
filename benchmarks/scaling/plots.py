"""Plots of the curves: a figure for each topic, a panel for each curve. Needs matplotlib."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from scaling.curve import Curve, number

COLORS = ("#1f5aa6", "#d1690e", "#2f8f4e", "#8a3ffc")
LOG_FROM = 10  # ratio of largest to smallest value from which an axis is logarithmic
MAX_TICKS = 10  # points up to which each one gets a tick
LEGEND_LINE = 0.085  # height of a legend line, as a fraction of the panel


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Save a figure with a row of panels for each unit, in the order of the curves."""
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
    for line, color in zip(curve.series, COLORS, strict=False):
        xs = [point.x for point in line.points]
        measured = [point.measured for point in line.points]
        axes.plot(xs, measured, color=color, marker="o", ms=4, label=line.name)
        limits = [point.limit for point in line.points]
        axes.plot(xs, limits, color=color, linestyle="--", linewidth=1)
    # One legend entry explains all dashed lines.
    axes.plot([], [], color="grey", linestyle="--", linewidth=1, label=curve.limit_name)
    axes.set(xlabel=curve.x, ylabel=curve.y, title=curve.title)
    values = [v for line in curve.series for p in line.points for v in (p.measured, p.limit)]
    ticks = sorted({point.x for line in curve.series for point in line.points})
    if len(ticks) < MAX_TICKS:
        # Doubling values are spaced evenly.
        if all(last >= 2 * first for first, last in itertools.pairwise(ticks)):
            axes.set_xscale("log")
        axes.set_xticks(ticks)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    low, high = min(values), max(values)
    legend = LEGEND_LINE * (len(curve.series) + 1)  # fraction of the height
    if high / low > LOG_FROM:
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
