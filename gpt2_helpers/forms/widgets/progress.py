"""A bar of how much is done, with rate and remaining time. Knows nothing of what is being done."""

from __future__ import annotations

import time
from collections.abc import Generator
from html import escape

import ipywidgets as widgets

from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.system.files import CopyProgress, Result

UPDATE_INTERVAL = 0.25  # seconds between two updates: a browser follows no faster


class ProgressBar:
    """Call `update` as often as you like: the screen follows some times a second.

    The first `warm_up` of the things to be done, in which something is compiled, tell nothing of
    the time that the others take. `total` None is work without an end.

    bar = ProgressBar(100, "text")
    bar.update(1)
    bar.finish()
    """

    def __init__(self, total: int | None, unit: str, warm_up: int = 0) -> None:
        self._total, self._unit, self._warm_up = total, unit, warm_up
        self.began = self._counted_since = self._shown_at = time.monotonic()
        self.done = 0
        layout = widgets.Layout(width="auto", display=None if total else "none")
        self._bar = widgets.FloatProgress(0.0, min=0.0, max=float(total or 1), layout=layout)
        self._words = widgets.HTML(escape(self._count()))
        self.widget = widgets.VBox([self._bar, self._words])

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self.began

    def update(self, done: int) -> bool:
        """So many are done by now. Returns whether that was shown; where it was not, it will be."""
        now, self.done = time.monotonic(), done
        if done == self._warm_up:
            self._counted_since = now
        if (
            now - self._shown_at < UPDATE_INTERVAL
            and done != self._total
            and done > self._warm_up + 1
        ):
            return False
        self._shown_at = now
        self._bar.value = float(done)
        self._words.value = escape(self._line(now))
        return True

    def finish(self, style: str = "success") -> None:
        """Show what is done at the end, and how it ended: 'success', 'warning' or 'danger'."""
        self._bar.value = float(self.done)
        self._bar.bar_style = style
        self._words.value = escape(f"{self._count()} in {duration(self.seconds)}")

    def _count(self) -> str:
        of = f" of {self._total:,}" if self._total else ""
        plural = "" if (self._total or self.done) == 1 else "s"
        return f"{self.done:,}{of} {self._unit}{plural}"

    def _line(self, now: float) -> str:
        counted, spent = self.done - self._warm_up, now - self._counted_since
        if counted <= 0 or spent <= 0:
            return self._count()
        each = spent / counted
        rate = f"{each:.1f} s a {self._unit}" if each > 1 else f"{1 / each:,.1f} a second"
        line = f"{self._count()}, {rate}"
        if self._total and self.done < self._total:
            line += f", about {duration((self._total - self.done) * each)} left"
        return line


def show_copy_progress(
    moving: Generator[CopyProgress, None, Result], title: str, status: widgets.HTML
) -> Result:
    """Let bytes move to their end, with how many have in `status`; what the generator returns."""
    while True:
        try:
            moved = next(moving)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        share = f"{moved.done / max(1, moved.total):.0%} of {moved.total / 1e6:,.0f} MB"
        words = message("note", f"{title}: {share}")
        if words != status.value:
            status.value = words


def duration(seconds: float) -> str:
    """A span of time in words, in two of its units at most.

    >>> duration(0.4), duration(75), duration(8000)
    ('less than a second', '1 min 15 s', '2 h 13 min')
    """
    whole = round(seconds)
    if whole < 1:
        return "less than a second"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
