"""What a notebook shows while a model trains: one widget, updated in place. It trains nothing.

The widget says at any time what is now, and keeps nothing of what was: a run of a day leaves no
larger notebook than a run of a minute.
"""

from __future__ import annotations

import math
import time
from contextlib import closing
from pathlib import Path

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.console import outcome
from gpt2_helpers.errors import MissingPackageError
from gpt2_helpers.evaluation import loss_plot
from gpt2_helpers.forms.widgets.buttons import error_text
from gpt2_helpers.forms.widgets.progress import ProgressBar
from gpt2_helpers.forms.widgets.style import as_sentence, message, style_sheet
from gpt2_helpers.training.run import FinetuneRun, RunProgress

MAX_DRAWING_SHARE = 0.03  # of the time, at most, goes into drawing the curve
MAX_SAMPLES = 5  # shown of those written at one step
MAX_NEW_NOTES = 3  # shown of those that come while it trains, such as one after each backup
WARNING = "Warning: "


def show(run: FinetuneRun) -> None:
    """Train to the end and show how it goes, in one widget.

    An interrupt by the notebook's menu saves and returns. What goes wrong is said in the widget
    and raised, so that the cells after it don't go on.
    """
    view = TrainingView(run)
    display(view.widget)  # type: ignore[no-untyped-call]
    try:
        # Closed here and not some time later: the run is saved also where showing fails.
        with closing(iter(run)) as steps:
            for progress in steps:
                view.step(progress)
    except BaseException as error:
        view.fail(error)
        raise
    view.finish()


class TrainingView:
    """The widget and what stands in it; `step` for each step, then `finish` or `fail`."""

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
        self._draws, self._draw_next = True, -math.inf
        self._extra = ""
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
        self._numbers.value = message("note", "The first step takes longer than the others.")
        try:
            loss_plot.require_matplotlib()
        except MissingPackageError as error:
            self._no_curve(str(error))
        self._update_notes()

    def step(self, progress: RunProgress) -> None:
        """Show one more step."""
        self._latest = progress
        if progress.validation_loss is not None:
            at = f"step {progress.step:,}"
            self._validation = f", validation {progress.validation_loss:.2f} at {at}"
        if progress.saved:
            self._saved = f"Saved at step {progress.step:,}."
        if progress.samples:
            self._update_sample(progress)
        self._update_notes()
        if self._bar.update(progress.step - self._first) or progress.saved:
            self._update_numbers(progress)
        if self._bar.done > 1 and time.monotonic() >= self._draw_next:
            self._draw()

    def finish(self) -> None:
        """Show how the run ended."""
        self._settle("warning" if self._run.interrupted else "success")
        end = as_sentence(outcome(self._run))
        if self._run.interrupted:
            end += " Run this cell again to go on."
        self._end.value = message("heading", end)

    def fail(self, error: BaseException) -> None:
        """Show what went wrong."""
        self._settle("danger")
        if isinstance(error, KeyboardInterrupt):
            words = "Stopped at once, by a second interrupt; the run is as it was last saved."
        else:
            words = error_text(error)
        self._end.value = message("error", words)

    def _settle(self, style: str) -> None:
        self._bar.finish(style)
        self._update_notes()
        if self._latest is not None:
            self._update_numbers(self._latest)
            self._draw()

    def _update_notes(self) -> None:
        """The run's notes; of those that came while it trained, the latest."""
        notes, first = self._run.notes, self._first_notes
        notes = notes[:first] + notes[first:][-MAX_NEW_NOTES:]
        shown = "".join(
            message("warning" if note.startswith(WARNING) else "note", note.removeprefix(WARNING))
            for note in notes
        )
        shown += self._extra
        if shown != self._notes.value:
            self._notes.value = shown

    def _update_numbers(self, progress: RunProgress) -> None:
        line = (
            f"Loss {progress.loss:.2f}, on average {progress.average_loss:.2f}{self._validation}; "
            f"{progress.tokens_per_second:,.0f} tokens a second. {self._saved}"
        )
        self._numbers.value = message("note", line)

    def _update_sample(self, progress: RunProgress) -> None:
        run = self._run.run_config
        count = len(progress.samples)
        folder = Path(run.sample_dir) / run.run_name
        kind = "Sample" if count == 1 else f"{count} samples"
        head = f"{kind} at step {progress.step:,} (all of them are in {folder})"
        shown = (message("excerpt", text) or "(empty)" for text in progress.samples[:MAX_SAMPLES])
        self._sample.value = message("heading", head) + "".join(shown)

    def _draw(self) -> None:
        if not self._draws:
            return
        began = time.monotonic()
        try:
            figure = loss_plot.draw_losses(self._run.record, self._run.folder.name)
            self._curve.value = loss_plot.to_png(figure)
        except Exception as error:  # a picture that fails must not end a training
            self._no_curve(f"The curve cannot be drawn: {error_text(error)}")
            return
        self._curve.layout.display = None
        ended = time.monotonic()
        self._draw_next = ended + (ended - began) / MAX_DRAWING_SHARE

    def _no_curve(self, why: str) -> None:
        self._draws = False
        self._extra = message("warning", why)
        self._update_notes()
