"""Loss curves of a run, read from run.json."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_record import RunRecord
from gpt2_helpers.errors import CheckpointError, OptionError, import_optional, write_problem
from gpt2_helpers.system.paths import user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTHING_WINDOWS = 40  # the smoothed curve averages 1/40 of the steps before and after a step


def plot_loss(
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    destination_path: str | Path | None = None,
) -> Figure:
    """Plot the training and validation loss of a run, in nats per token, over the steps.

    Args:
        run_name: Name of the run.
        checkpoint_dir: Folder that contains the run.
        destination_path: Image file to write as well; its suffix selects the format.

    Returns:
        The figure. A notebook displays it if it is the last expression of a cell.

    Raises:
        CheckpointError: If the run does not exist or has no recorded losses.
        OptionError: If the image cannot be written.
        MissingPackageError: If Matplotlib is not installed.

    Example:
        plot_loss("run1", destination_path="loss.png")
    """
    require_matplotlib()
    folder = RunFolder(checkpoint_dir, run_name)
    record = folder.require().record
    if not record.losses:
        raise CheckpointError(
            f"{folder.path} has no recorded losses (gpt-2-simple did not store them): finetune it "
            "first"
        )
    figure = draw_losses(record, run_name)
    if destination_path is not None:
        _save(figure, user_path(destination_path, "destination_path"))
    return figure


def require_matplotlib() -> None:
    """Raise MissingPackageError, with the install command, if Matplotlib is not installed."""
    import_optional("matplotlib", "plotting the loss", "notebooks")


def draw_losses(record: RunRecord, title: str) -> Figure:
    """Return the loss curves of a record, which must have at least one loss."""
    figure = _figure_class()(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    steps, losses = zip(*record.losses, strict=True)
    if len(steps) >= SMOOTHING_WINDOWS:
        axes.plot(steps, losses, color="#b8c7dc", linewidth=0.8, label="each step")
    marker = "o" if len(steps) == 1 else None  # a line of one point is invisible
    axes.plot(steps, _smooth(losses), color="#1f5aa6", linewidth=2, marker=marker, label="training")
    if record.validation_losses:
        steps, losses = zip(*record.validation_losses, strict=True)
        best, step = min(zip(losses, steps, strict=True))
        label = f"validation (best {best:.2f} at step {step:,})"
        axes.plot(steps, losses, color="#d1690e", linewidth=2, marker="o", ms=4, label=label)
    axes.set(xlabel="step", ylabel="loss (nats per token)", title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper right")
    return figure


def to_png(figure: Figure) -> bytes:
    """Render a figure for the screen."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()


def _save(figure: Figure, path: Path) -> None:
    if path.is_dir():  # Matplotlib would append .png to its name
        raise OptionError(
            f"destination_path={str(path)!r} is a folder: add a file name, such as loss.png"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    except OSError as error:
        problem = write_problem(path, error, "choose another path")
        raise OptionError(f"cannot write destination_path={str(path)!r}: {problem}") from None
    except ValueError as error:  # an unknown image format
        raise OptionError(f"destination_path={str(path)!r}: {error}") from None


def _smooth(losses: Sequence[float]) -> list[float]:
    """Return the mean of each loss and its neighbors on both sides.

    A trailing average would lag behind and hide the gap to the validation loss.
    """
    count = len(losses)
    radius = count // SMOOTHING_WINDOWS
    sums = list(itertools.accumulate(losses, initial=0.0))
    windows = ((max(0, i - radius), min(count, i + radius + 1)) for i in range(count))
    return [(sums[end] - sums[start]) / (end - start) for start, end in windows]


def _figure_class() -> Any:
    """Return a Figure that notebooks display. pyplot would display it a second time."""
    from matplotlib.figure import Figure

    class LossFigure(Figure):
        def _repr_png_(self) -> bytes:
            return to_png(self)

    return LossFigure
