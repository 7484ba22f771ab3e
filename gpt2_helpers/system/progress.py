"""Progress bars for a terminal or a notebook cell, based on tqdm.

Elsewhere, such as in a log file, a bar is a single line that is written at its end.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Generator
from typing import Any, TextIO

from tqdm import TqdmExperimentalWarning

with warnings.catch_warnings():  # tqdm.auto suppresses this warning too, but also loads asyncio
    warnings.simplefilter("ignore", TqdmExperimentalWarning)
    from tqdm.autonotebook import tqdm

from tqdm import std

from gpt2_helpers.system.files import CopyProgress, Result


class Bar(tqdm):  # type: ignore[type-arg]
    """A progress bar as wide as the terminal, redrawn at every update; one line in a log.

    Takes tqdm's options. It needs no monitor thread, which tqdm would never end.

    Example:
        with Bar(total=20, unit="text") as bar:
            bar.update()
    """

    monitor_interval = 0

    def __init__(self, **options: Any) -> None:
        # A log would get a new copy of the bar at every update.
        self._log: TextIO | None = None
        if tqdm is std.tqdm and not sys.stderr.isatty():
            self._log = sys.stderr
            options |= {"file": io.StringIO(), "mininterval": float("inf")}
        super().__init__(dynamic_ncols=True, miniters=1, **options)

    def show_message(self, message: str) -> None:
        """Show a message after the bar; in a log, as a line."""
        if self._log is None:
            self.set_postfix_str(message)
        elif message and not self.disable:
            print(f"{self.desc}: {message}", file=self._log, flush=True)

    def close(self) -> None:
        """End the bar; in a log, write it."""
        if self._log is not None and not self.disable:
            print(self, file=self._log, flush=True)
        super().close()


def show_bytes(
    copying: Generator[CopyProgress, None, Result],
    title: str,
    *,
    shown: bool = True,
    initial: int = 0,
) -> Result:
    """Run a copy, an encoding or a download to its end with a progress bar; returns its result.

    Args:
        copying: Yields the bytes done and in total.
        title: Text before the bar.
        shown: Whether to show the bar.
        initial: Bytes that an earlier call has done, which do not count for the rate.
    """
    message = ""
    options = {"unit": "B", "unit_scale": True, "disable": not shown}
    with Bar(desc=title, initial=initial, **options) as bar:
        while True:
            try:
                progress = next(copying)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if bar.total != (progress.total or None):
                bar.total = progress.total or None
                bar.refresh()  # a quick copy may end before the bar is drawn again
            bar.update(progress.done - bar.n)
            if progress.message != message:
                message = progress.message
                bar.show_message(message)
