"""Errors in notebook cells: one sentence instead of a traceback, and "Run all" stops."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from gpt2_helpers.errors import Gpt2Error, is_out_of_memory
from gpt2_helpers.forms.widgets.buttons import error_text


class NotebookError(Gpt2Error):
    """An error that a notebook shows as one sentence. The cell still fails.

    `__cause__` is the original exception.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython prints instead of a traceback."""
        return [f"\N{BALLOT X} {self}"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise this package's errors, interrupts and out-of-memory errors as NotebookError.

    `with plain_errors(): form.config()`
    """
    try:
        yield
    except NotebookError:
        raise
    except KeyboardInterrupt:
        raise NotebookError("interrupted: run the cell again") from None
    except Exception as error:
        chain = [item for item in (error, error.__cause__) if item is not None]
        if any(map(is_out_of_memory, chain)):
            # Notebooks keep the last exception, and its frames would keep the model in memory.
            for item in chain:
                traceback.clear_frames(item.__traceback__)
        elif not isinstance(error, Gpt2Error):
            raise
        raise NotebookError(error_text(error)) from error
