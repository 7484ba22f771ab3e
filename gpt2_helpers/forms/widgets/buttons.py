"""A button and what came of its work. Knows nothing of what is done.

What is raised within a widget's callback is never seen, so it is caught here and said beside the
button. An interrupt by the notebook's menu reaches a callback as it reaches a cell.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import ipywidgets as widgets

from gpt2_helpers.errors import Gpt2Error, is_out_of_memory
from gpt2_helpers.forms.widgets.style import message

QUEUED_CLICK_SECONDS = 0.4  # seconds: a click within it after the end was made before the end


class ActionButton:
    """`button` does `work` when it is clicked, and is not to be clicked meanwhile; `message` tells
    what went wrong. Both stand wherever the form puts them.

    load = ActionButton("Load", lambda: session.load_run("run1"))
    display(load.button, load.message)
    """

    def __init__(self, label: str, work: Callable[[], object], *, primary: bool = False) -> None:
        self._work = work
        self._busy, self._ended = False, -math.inf
        self.button = widgets.Button(
            description=label,
            button_style="primary" if primary else "",
            # Not as wide as the form, which a column would make it.
            layout=widgets.Layout(width="auto", align_self="flex-start"),
        )
        self.button.on_click(self._clicked)
        self.message = widgets.HTML()

    def _clicked(self, _button: widgets.Button) -> None:
        # The kernel keeps a second click until the work is done, and would do it all again.
        if self._busy or time.monotonic() - self._ended < QUEUED_CLICK_SECONDS:
            return
        self._busy = self.button.disabled = True
        self.message.value = ""
        _in_main_thread(self._do)

    def _do(self) -> None:
        try:
            self._work()
        except KeyboardInterrupt:
            self.message.value = message("note", "Interrupted.")
        except Exception as error:
            self.message.value = message("error", error_text(error))
        finally:
            self._busy = self.button.disabled = False
            self._ended = time.monotonic()


def _in_main_thread(work: Callable[[], None]) -> None:
    """JupyterLab 4.4 and later lets a thread of its own take the clicks, all but the first one.
    Interrupts reach only the main thread, so the work is done there."""
    from IPython.core.getipython import get_ipython

    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)  # type: ignore[no-untyped-call]
    if loop is None or threading.current_thread() is threading.main_thread():
        work()
    else:
        loop.add_callback(work)


def error_text(error: BaseException) -> str:
    """One sentence for whatever was raised.

    >>> error_text(Gpt2Error("no run 'run2': there is run1"))
    "no run 'run2': there is run1"
    """
    if isinstance(error, Gpt2Error):
        return str(error)
    if is_out_of_memory(error):
        return (
            "the memory is too small for this: take a smaller model, a smaller batch size or "
            "shorter texts; in training, choose Save memory; a session that is needed no longer "
            "lets go of its model by sess.close()"
        )
    words = " ".join(str(error).split())
    shown = words if len(words) <= 300 else f"{words[:300]} ..."
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__
