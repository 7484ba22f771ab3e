"""Progress bars with rate and remaining time."""

from __future__ import annotations

import time
from collections.abc import Generator
from html import escape

import ipywidgets as widgets

from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.system.files import CopyProgress, Result
from gpt2_helpers.system.sizes import file_size

UPDATE_INTERVAL = 0.25  # seconds between two updates in the browser


class ProgressBar:
    """A progress bar that refreshes at most four times per second.

    Args:
        total: Number of items, or None if it is unknown.
        unit: Name of an item, such as "text".
        warm_up: Number of first items, slowed by compilation, that the rate leaves out.

    bar = ProgressBar(100, "text")
    bar.update(1)
    bar.finish()
    """

    def __init__(self, total: int | None, unit: str, warm_up: int = 0) -> None:
        self._total, self._unit, self._warm_up = total, unit, warm_up
        self._started = self._rate_start = self._shown_at = time.monotonic()
        self.done = 0
        layout = widgets.Layout(width="auto", display=None if total else "none")
        self._bar = widgets.FloatProgress(0.0, min=0.0, max=float(total or 1), layout=layout)
        self._text = widgets.HTML(escape(self._count()))
        self.widget = widgets.VBox([self._bar, self._text])

    @property
    def seconds(self) -> float:
        """Seconds since the bar was created."""
        return time.monotonic() - self._started

    def update(self, done: int) -> bool:
        """Set the number of finished items. Returns whether the display was refreshed."""
        now, self.done = time.monotonic(), done
        if done == self._warm_up:
            self._rate_start = now
        if (
            now - self._shown_at < UPDATE_INTERVAL
            and done != self._total
            and done > self._warm_up + 1
        ):
            return False
        self._shown_at = now
        self._bar.value = float(done)
        self._text.value = escape(self._line(now))
        return True

    def finish(self, style: str = "success") -> None:
        """Show the final state. `style` is 'success', 'warning' or 'danger'."""
        self._bar.value = float(self.done)
        self._bar.bar_style = style
        self._text.value = escape(f"{self._count()} in {duration(self.seconds)}")

    def _count(self) -> str:
        of = f" of {self._total:,}" if self._total else ""
        plural = "" if (self._total or self.done) == 1 else "s"
        return f"{self.done:,}{of} {self._unit}{plural}"

    def _line(self, now: float) -> str:
        counted, elapsed = self.done - self._warm_up, now - self._rate_start
        if counted <= 0 or elapsed <= 0:
            return self._count()
        each = elapsed / counted
        rate = (
            f"{each:.1f} s per {self._unit}"
            if each > 1
            else f"{1 / each:,.1f} {self._unit}s per second"
        )
        line = f"{self._count()}, {rate}"
        if self._total and self.done < self._total:
            line += f", about {duration((self._total - self.done) * each)} left"
        return line


def show_copy_progress(
    copying: Generator[CopyProgress, None, Result], title: str, status: widgets.HTML
) -> Result:
    """Run a copy to its end, show its progress in `status`, and return its result."""
    while True:
        try:
            progress = next(copying)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        share = f"{progress.done / max(1, progress.total):.0%} of {file_size(progress.total)}"
        line = message("note", f"{title}: {share}")
        if line != status.value:
            status.value = line


def duration(seconds: float) -> str:
    """Format a duration with at most two units.

    >>> duration(0.4), duration(75), duration(8000)
    ('less than a second', '1 min 15 s', '2 h 13 min')
    """
    rounded = round(seconds)
    if rounded < 1:
        return "less than a second"
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60} min"
