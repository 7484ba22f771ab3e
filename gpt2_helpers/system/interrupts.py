"""Deferred interrupts: finish the current step, then stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class DeferredInterrupt:
    """Whether an interrupt was requested: Ctrl-C, Colab's stop button, or SIGTERM."""

    requested: bool = False


@contextmanager
def deferred_interrupts() -> Iterator[DeferredInterrupt]:
    """Make the first interrupt only set `requested`; a second one raises KeyboardInterrupt.

    Has no effect outside the main thread, which is the only one that receives signals.

    Example:
        with deferred_interrupts() as interrupt:
            for step in steps:
                if interrupt.requested:
                    break
    """
    interrupt = DeferredInterrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupt.requested:
            raise KeyboardInterrupt
        interrupt.requested = True

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
