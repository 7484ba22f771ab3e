"""How a cell stops: one sentence instead of a traceback, and "Run all" goes no further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gpt2_helpers.errors import Gpt2Error


class RefusalError(Gpt2Error):
    """An error of this package that a notebook shows as one sentence. The cell fails all the same.

    Python code that wants the whole story finds the error itself in `__cause__`.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in the place of a traceback."""
        return [f"\N{BALLOT X} {self}"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Within it, this package's errors leave a cell as a sentence.

    `with plain_errors(): form.config()`
    """
    try:
        yield
    except RefusalError:
        raise
    except Gpt2Error as error:
        raise RefusalError(str(error)) from error
