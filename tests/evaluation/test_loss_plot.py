"""Loss curves: the lines, the image file, and the display in notebooks."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.errors import CheckpointError, MissingPackageError, OptionError
from gpt2_helpers.evaluation.loss_plot import plot_loss

pytest.importorskip("matplotlib", reason="needs pip install matplotlib")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_run(losses: list[float], validation: dict[int, float] | None = None) -> None:
    """Create a run folder with the losses of steps 1, 2, ... and empty weight files."""
    folder = Path("checkpoint/run1")
    folder.mkdir(parents=True)
    for ending in ("index", "data-00000-of-00001"):
        (folder / f"model-{len(losses)}.{ending}").touch()
    record = {
        "losses": list(enumerate(losses, 1)),
        "validation_losses": list((validation or {}).items()),
    }
    (folder / "run.json").write_text(json.dumps(record))


def lines_of(figure: Any) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each line, by its label in the legend."""
    (axes,) = figure.axes
    lines, names = axes.get_legend_handles_labels()
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == names
    return {
        name: list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for name, line in zip(names, lines, strict=True)
    }


def test_training_and_validation_losses_are_plotted_by_step() -> None:
    write_run([4.0, 3.0, 2.0, 1.5], {2: 3.25, 4: 3.5})
    figure = plot_loss()
    (axes,) = figure.axes
    assert axes.get_title() == "run1"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss (nats per token)")
    assert lines_of(figure) == {
        "training": [(1, 4.0), (2, 3.0), (3, 2.0), (4, 1.5)],
        "validation (best 3.25 at step 2)": [(2, 3.25), (4, 3.5)],
    }


def test_the_legend_has_no_validation_without_validation_losses() -> None:
    write_run([4.0, 3.0])
    assert list(lines_of(plot_loss())) == ["training"]


def test_many_steps_are_plotted_raw_and_smoothed_without_lag() -> None:
    falling = [10.0 - 0.01 * step for step in range(400)]
    noisy = [loss + (0.5 if step % 2 else -0.5) for step, loss in enumerate(falling)]
    write_run(noisy)
    lines = lines_of(plot_loss())
    assert [loss for _, loss in lines["each step"]] == noisy
    smooth = [loss for _, loss in lines["training"]]
    inner = slice(10, -10)  # at both ends there are neighbours on one side only
    assert smooth[inner] == pytest.approx(falling[inner], abs=0.05)
    assert len(smooth) == 400


def test_the_step_axis_has_whole_numbers() -> None:
    write_run([4.0, 3.0, 2.5])
    (axes,) = plot_loss().axes
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_a_single_step_is_visible() -> None:
    write_run([4.0])
    (axes,) = plot_loss().axes
    (line,) = axes.get_lines()
    assert line.get_marker() not in (None, "None", "")


def test_the_image_is_written(tmp_path: Path) -> None:
    write_run([4.0, 3.0])
    plot_loss(destination_path="pictures/loss.png")
    assert Path("pictures/loss.png").read_bytes().startswith(PNG)
    plot_loss("run1", "checkpoint", tmp_path / "loss.svg")
    assert "<svg" in (tmp_path / "loss.svg").read_text(encoding="utf-8")


def test_a_notebook_displays_the_figure_once() -> None:
    formatters = pytest.importorskip("IPython.core.formatters", reason="needs IPython")
    from matplotlib import pyplot

    write_run([4.0, 3.0])
    figure = plot_loss()
    shown, _ = formatters.DisplayFormatter().format(figure)
    assert shown["image/png"].startswith(PNG)
    assert pyplot.get_fignums() == []  # these would be displayed at the end of the cell


def test_a_figure_renders_itself_as_png() -> None:
    write_run([4.0, 3.0])
    assert plot_loss()._repr_png_().startswith(PNG)  # type: ignore[attr-defined]


def test_a_run_without_losses_is_an_error() -> None:
    write_run([])
    with pytest.raises(CheckpointError, match="run1 has no recorded losses"):
        plot_loss()
    (Path("checkpoint/run1") / "run.json").unlink()  # as in a run of gpt-2-simple
    with pytest.raises(CheckpointError, match="run1 has no recorded losses"):
        plot_loss()


def test_a_missing_run_is_an_error() -> None:
    with pytest.raises(CheckpointError, match="no run 'run1' in checkpoint: there are no runs yet"):
        plot_loss()
    write_run([4.0])
    with pytest.raises(CheckpointError, match=r"no run 'run2' .*did you mean 'run1'"):
        plot_loss("run2")


def test_an_image_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    write_run([4.0])
    for place in (tmp_path, tmp_path / "checkpoint/run1/run.json/loss.png", Path("loss.words")):
        with pytest.raises(OptionError, match=re.escape(f"destination_path={str(place)!r}")):
            plot_loss(destination_path=place)


def test_missing_matplotlib_error_has_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        plot_loss()
