"""Plots of curves."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaling.curve import Curve, Point, Series


def test_plots_are_saved(tmp_path: Path) -> None:
    plots = pytest.importorskip("scaling.plots", reason="plots need matplotlib")
    points = [Point(x, [x * 10.0], x * 20.0) for x in (1, 8, 64)]
    curves = [
        Curve(f"{x}: {y}", x, y, "limit", [Series("one", points)])
        for x in ("layers", "batch size")
        for y in ("s/step", "GB")
    ]
    plots.draw(curves, tmp_path / "training.png")
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
