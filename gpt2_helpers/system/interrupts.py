"""Ctrl-C and Colaboratory's stop button as a wish, so that the step under way can be finished."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class DeferredInterrupt:
    """Whether somebody asked to stop."""

    requested: bool = False


@contextmanager
def deferred_interrupts() -> Iterator[DeferredInterrupt]:
    """Within it the first interrupt only sets `requested`; a second one raises KeyboardInterrupt.

    Signals reach the main thread alone: in another one nothing changes.
    """
    interruption = DeferredInterrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.requested:
            raise KeyboardInterrupt
        interruption.requested = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
