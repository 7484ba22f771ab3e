"""How a cell stops: one sentence instead of a traceback, and "Run all" goes no further."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from gpt2_helpers.errors import Gpt2Error, is_out_of_memory
from gpt2_helpers.forms.widgets.buttons import error_text


class NotebookError(Gpt2Error):
    """An error of this package that a notebook shows as one sentence. The cell fails all the same.

    Python code that wants the whole story finds the error itself in `__cause__`.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in the place of a traceback."""
        return [f"\N{BALLOT X} {self}"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Within it, this package's errors, an interrupt and a memory that is full leave a cell as a
    sentence.

    `with plain_errors(): form.config()`
    """
    try:
        yield
    except NotebookError:
        raise
    except KeyboardInterrupt:
        raise NotebookError("interrupted: run the cell again to do it") from None
    except Exception as error:
        chain = [kept for kept in (error, error.__cause__) if kept is not None]
        if any(map(is_out_of_memory, chain)):
            # Notebooks keep the last error, and with its frames the model that filled the memory.
            for kept in chain:
                traceback.clear_frames(kept.__traceback__)
        elif not isinstance(error, Gpt2Error):
            raise
        raise NotebookError(error_text(error)) from error
