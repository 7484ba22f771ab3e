"""Live view of a training run: one widget that is updated in place.

The widget shows only the current state, so a notebook does not grow with the length of the run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.console import result_advice, result_line
from gpt2_helpers.errors import MissingPackageError
from gpt2_helpers.evaluation import loss_plot
from gpt2_helpers.forms.run_download import run_download
from gpt2_helpers.forms.widgets.buttons import error_text
from gpt2_helpers.forms.widgets.progress import ProgressBar
from gpt2_helpers.forms.widgets.style import as_sentence, message, style_sheet
from gpt2_helpers.training.run import FinetuneRun, RunProgress

MAX_DRAWING_SHARE = 0.03  # of the time is spent on plotting, at most
MAX_SAMPLES = 5  # shown per step
MAX_NEW_NOTES = 3  # shown of the notes that arrive during training, such as backups
WARNING = "Warning: "


def show(run: FinetuneRun, show_widget: Callable[[widgets.Widget], object] | None = None) -> None:
    """Train to the end and show the progress in one widget.

    Interrupting the kernel saves the run and returns. An error is shown in the widget and raised,
    so that "Run all" stops.

    Args:
        run: The run.
        show_widget: Called with the widget (default: displays it below the current cell).
    """
    view = TrainingView(run)
    (show_widget or display)(view.widget)
    try:
        # closing() saves the run immediately, even if the view raises an error.
        with closing(iter(run)) as steps:
            for progress in steps:
                view.step(progress)
    except BaseException as error:
        view.fail(error)
        raise
    view.finish()


class TrainingView:
    """The widget of a run. Call `step` after each step, then `finish` or `fail`."""

    def __init__(self, run: FinetuneRun) -> None:
        self._run = run
        total = run.config.steps if run.config.steps > 0 else None
        self._bar = ProgressBar(total, "step", warm_up=1)
        self._first, self._first_notes = run.trainer.step, len(run.notes)
        self._latest: RunProgress | None = None
        self._validation = self._saved = ""
        self._notes, self._numbers, self._sample, self._end = (widgets.HTML() for _ in range(4))
        layout = widgets.Layout(width="640px", max_width="100%", display="none")
        self._curve = widgets.Image(format="png", layout=layout)
        self._can_plot, self._next_plot = True, -math.inf
        self._plot_warning = ""
        self.widget = widgets.VBox(
            [
                style_sheet(),
                self._notes,
                self._bar.widget,
                self._numbers,
                self._end,
                self._curve,
                self._sample,
            ]
        )
        self.widget.add_class("gpt2-form")
        self._numbers.value = message("note", "The first step takes longer than the rest.")
        try:
            loss_plot.require_matplotlib()
        except MissingPackageError as error:
            self._disable_plot(str(error))
        self._update_notes()

    def step(self, progress: RunProgress) -> None:
        """Show one more step."""
        self._latest = progress
        if progress.validation_loss is not None:
            loss, step = progress.validation_loss, progress.step
            self._validation = f", validation loss {loss:.2f} at step {step:,}"
        if progress.saved:
            self._saved = f"Saved at step {progress.step:,}."
        if progress.samples:
            self._update_sample(progress)
        self._update_notes()
        if self._bar.update(progress.step - self._first) or progress.saved:
            self._update_numbers(progress)
        if self._bar.done > 1 and time.monotonic() >= self._next_plot:
            self._plot()

    def finish(self) -> None:
        """Show the result of the run."""
        self._show_final_state("warning" if self._run.interrupted else "success")
        end = as_sentence(result_line(self._run))
        if self._run.interrupted:
            end += " Train again to continue."
        advice = "".join(message("note", line) for line in result_advice(self._run))
        self._end.value = message("heading", end) + advice
        self.widget.children = [*self.widget.children, run_download(self._run.folder.path)]

    def fail(self, error: BaseException) -> None:
        """Show an error."""
        self._show_final_state("danger")
        if isinstance(error, KeyboardInterrupt):
            text = "Stopped by a second interrupt; changes since the last save are lost."
        else:
            text = error_text(error)
        self._end.value = message("error", text)

    def _show_final_state(self, style: str) -> None:
        self._bar.finish(style)
        self._update_notes()
        if self._latest is not None:
            self._update_numbers(self._latest)
            self._plot()

    def _update_notes(self) -> None:
        """Show the run's initial notes and the latest of the others."""
        notes, first = self._run.notes, self._first_notes
        notes = notes[:first] + notes[first:][-MAX_NEW_NOTES:]
        shown = "".join(
            message("warning" if note.startswith(WARNING) else "note", note.removeprefix(WARNING))
            for note in notes
        )
        shown += self._plot_warning
        if shown != self._notes.value:
            self._notes.value = shown

    def _update_numbers(self, progress: RunProgress) -> None:
        line = (
            f"Loss {progress.loss:.2f}, average {progress.average_loss:.2f}{self._validation}; "
            f"{progress.tokens_per_second:,.0f} tokens per second. {self._saved}"
        )
        self._numbers.value = message("note", line)

    def _update_sample(self, progress: RunProgress) -> None:
        run = self._run.run_config
        count = len(progress.samples)
        folder = Path(run.sample_dir) / run.run_name
        kind = "Sample" if count == 1 else f"{count} samples"
        head = f"{kind} at step {progress.step:,} (all samples are in {folder})"
        shown = (message("excerpt", text) or "(empty)" for text in progress.samples[:MAX_SAMPLES])
        self._sample.value = message("heading", head) + "".join(shown)

    def _plot(self) -> None:
        if not self._can_plot:
            return
        started = time.monotonic()
        try:
            figure = loss_plot.draw_losses(self._run.record, self._run.folder.name)
            self._curve.value = loss_plot.to_png(figure)
        except Exception as error:  # a failing plot must not stop the training
            self._disable_plot(f"The loss cannot be plotted: {error_text(error)}")
            return
        self._curve.layout.display = None
        ended = time.monotonic()
        self._next_plot = ended + (ended - started) / MAX_DRAWING_SHARE

    def _disable_plot(self, reason: str) -> None:
        self._can_plot = False
        self._plot_warning = message("warning", reason)
        self._update_notes()
