"""A run's losses as a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2_helpers.errors import CheckpointError, import_optional
from gpt2_helpers.runs import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AVERAGE_OVER = 0.98  # of the smooth line


def plot_loss(
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    destination_path: str | Path | None = None,
) -> Figure:
    """Draw training and validation loss of a run, in nats a token, against its steps.

    Returns the figure, which a notebook shows; `destination_path` saves it as a picture too.
    Raises CheckpointError for a run that is missing or has no losses written down.
    """
    import_optional("matplotlib", "drawing the loss")
    folder = RunFolder(checkpoint_dir, run_name)
    folder.require()
    record = folder.record()
    if not record.losses:
        raise CheckpointError(
            f"{folder.path} has no losses to draw: gpt-2-simple did not keep them; "
            "they are there after finetuning it here"
        )
    figure = _figure_class()(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    steps, losses = zip(*record.losses, strict=True)
    axes.plot(steps, losses, color="#b8c7dc", linewidth=0.8, label="each step")
    axes.plot(steps, _smooth(list(losses)), color="#1f5aa6", linewidth=2, label="training")
    if record.validation_losses:
        steps, losses = zip(*record.validation_losses, strict=True)
        axes.plot(steps, losses, color="#d1690e", linewidth=2, marker="o", label="validation")
    axes.set(xlabel="step", ylabel="loss (nats a token)", title=run_name)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    if destination_path is not None:
        path = Path(destination_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    return figure


def _smooth(losses: list[float]) -> list[float]:
    """An exponential average that begins without a bias towards zero."""
    total = weight = 0.0
    smooth = []
    for loss in losses:
        total, weight = total * AVERAGE_OVER + loss, weight * AVERAGE_OVER + 1.0
        smooth.append(total / weight)
    return smooth


def _figure_class() -> Any:
    """A figure that shows itself as a cell's value, without pyplot, which would show it twice."""
    from matplotlib.figure import Figure

    class LossFigure(Figure):
        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi=110)
            return picture.getvalue()

    return LossFigure
