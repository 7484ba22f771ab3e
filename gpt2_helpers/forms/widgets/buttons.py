"""Buttons with error handling.

Exceptions in widget callbacks are never shown in a notebook, so they are caught here and shown
next to the button. Interrupting the kernel also interrupts a callback.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import ipywidgets as widgets

from gpt2_helpers.errors import Gpt2Error, is_out_of_memory
from gpt2_helpers.forms.widgets.style import message

Result = TypeVar("Result")

QUEUED_CLICK_SECONDS = 0.4  # a click this soon after the end was made while the button was busy
MAX_ERROR_LENGTH = 300  # characters of an unexpected error that are shown


class ActionButton:
    """A button that runs an action, and a line that shows its errors.

    The form places `button` and `message`. The button is disabled while the action runs.

    load = ActionButton("Load", lambda: session.load_run("run1"))
    display(load.button, load.message)
    """

    def __init__(self, label: str, action: Callable[[], object], *, primary: bool = False) -> None:
        self._action = action
        self._busy, self._ended = False, -math.inf
        self.button = widgets.Button(
            description=label,
            button_style="primary" if primary else "",
            # A VBox would stretch the button to its own width.
            layout=widgets.Layout(width="auto", align_self="flex-start"),
        )
        self.button.on_click(self._on_click)
        self.message = widgets.HTML()

    def _on_click(self, _button: widgets.Button) -> None:
        # The kernel queues clicks that are made while the action runs.
        if self._busy or time.monotonic() - self._ended < QUEUED_CLICK_SECONDS:
            return
        self._busy = self.button.disabled = True
        self.message.value = ""
        _run_in_main_thread(self._run)

    def _run(self) -> None:
        try:
            self._action()
        except KeyboardInterrupt:
            self.message.value = message("note", "Interrupted.")
        except Exception as error:
            self.message.value = message("error", error_text(error))
        finally:
            self._busy = self.button.disabled = False
            self._ended = time.monotonic()


def _run_in_main_thread(action: Callable[[], None]) -> None:
    """Run the action in the main thread, which alone receives interrupts.

    Since JupyterLab 4.4, clicks after the first one are handled in a thread of their own.
    """
    from IPython.core.getipython import get_ipython

    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)  # type: ignore[no-untyped-call]
    if loop is None or threading.current_thread() is threading.main_thread():
        action()
    else:
        loop.add_callback(action)


def error_text(error: BaseException) -> str:
    """Return one sentence for any exception.

    >>> error_text(Gpt2Error("no run 'run2': there is run1"))
    "no run 'run2': there is run1"
    """
    if isinstance(error, Gpt2Error):
        return str(error)
    if is_out_of_memory(error):
        return (
            "out of memory: use a smaller model, a smaller batch size or shorter texts; for "
            "training, turn on gradient checkpointing; sess.close() frees the model of an unused "
            "session"
        )
    text = " ".join(str(error).split())
    if len(text) > MAX_ERROR_LENGTH:
        text = f"{text[:MAX_ERROR_LENGTH]} ..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Handoff(Generic[Result]):
    """The result of an action that a button has run, for the cell that runs the same action.

    A form's button and the cell below the form do the same. After the button, the cell takes its
    result once instead of repeating hours of work; when it is run again, it runs the action.

    trained = Handoff()
    trained.put(options, session)    # by the button
    trained.take(options)            # by the cell: the session, and None the next time
    """

    def __init__(self) -> None:
        self._kept: tuple[object, Result] | None = None

    def put(self, key: object, result: Result) -> None:
        """Keep a result. `key` has everything that determines it."""
        self._kept = key, result

    def take(self, key: object) -> Result | None:
        """Return and forget the kept result; None if there is none for this key."""
        kept, self._kept = self._kept, None
        return kept[1] if kept is not None and kept[0] == key else None
