"""A run's losses as a picture."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2_helpers.checkpoint.run_folder import RunFolder, RunRecord
from gpt2_helpers.errors import CheckpointError, OptionError, import_optional

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTH_PARTS = 40  # a point of the smooth line looks this part of the steps back and ahead


def plot_loss(
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    destination_path: str | Path | None = None,
) -> Figure:
    """Draw training and validation loss of a run, in nats a token, against its steps.

    Returns the figure, which a notebook shows; `destination_path` saves it as a picture too.
    Raises CheckpointError for a run that is missing or has no losses written down, OptionError
    where the picture cannot be written.

    `plot_loss("run1", destination_path="loss.png")`
    """
    needs_matplotlib()
    folder = RunFolder(checkpoint_dir, run_name)
    folder.require()
    record = folder.record()
    if not record.losses:
        raise CheckpointError(
            f"{folder.path} has no losses to draw: gpt-2-simple did not keep them; "
            "they are there after finetuning it here"
        )
    figure = draw_losses(record, run_name)
    if destination_path is not None:
        _save(figure, Path(destination_path))
    return figure


def needs_matplotlib() -> None:
    """MissingPackageError, with the line that installs it, where it is not there."""
    import_optional("matplotlib", "drawing the loss")


def draw_losses(record: RunRecord, title: str) -> Figure:
    """The figure of a record that has losses, be it from a file or of a training under way."""
    figure = _figure_class()(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    steps, losses = zip(*record.losses, strict=True)
    if len(steps) >= SMOOTH_PARTS:
        axes.plot(steps, losses, color="#b8c7dc", linewidth=0.8, label="each step")
    marker = "o" if len(steps) == 1 else None  # of a line with one point nothing is to be seen
    axes.plot(steps, _smooth(losses), color="#1f5aa6", linewidth=2, marker=marker, label="training")
    if record.validation_losses:
        steps, losses = zip(*record.validation_losses, strict=True)
        best, step = min(zip(losses, steps, strict=True))
        label = f"validation (best {best:.2f} at step {step:,})"
        axes.plot(steps, losses, color="#d1690e", linewidth=2, marker="o", ms=4, label=label)
    axes.set(xlabel="step", ylabel="loss (nats a token)", title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper right")
    return figure


def png(figure: Figure) -> bytes:
    """A figure as a picture for the screen."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _save(figure: Figure, path: Path) -> None:
    if path.is_dir():  # Matplotlib would write beside it
        raise OptionError(
            f"destination_path={str(path)!r} is a folder: add a file's name, such as loss.png"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise OptionError(
            f"destination_path={str(path)!r} cannot be written to: {error.strerror}: "
            "give another place"
        ) from None
    except ValueError as error:  # an ending that names no kind of picture
        raise OptionError(f"destination_path={str(path)!r}: {error}") from None


def _smooth(losses: Sequence[float]) -> list[float]:
    """The mean of each loss and its neighbours, before and after it alike: a line that lagged would
    hide how far the validation loss lies above it."""
    count = len(losses)
    reach = count // SMOOTH_PARTS
    sums = list(itertools.accumulate(losses, initial=0.0))
    spans = ((max(0, place - reach), min(count, place + reach + 1)) for place in range(count))
    return [(sums[end] - sums[start]) / (end - start) for start, end in spans]


def _figure_class() -> Any:
    """A figure that shows itself as a cell's value, without pyplot, which would show it twice."""
    from matplotlib.figure import Figure

    class LossFigure(Figure):
        def _repr_png_(self) -> bytes:
            return png(self)

    return LossFigure
