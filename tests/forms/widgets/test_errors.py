"""Errors in cells: one sentence for known errors, a traceback for all others."""

from __future__ import annotations

from typing import Any

import pytest

from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.forms.widgets.errors import NotebookError, plain_errors


def fail(error: BaseException) -> None:
    with plain_errors():
        raise error


def test_a_known_error_stops_the_cell_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]
    shell.user_ns.update(fail=fail, error=OptionError("steps must be positive, got 0"))
    result = shell.run_cell("fail(error)")
    assert not result.success
    assert isinstance(result.error_in_exec, NotebookError)
    captured = capsys.readouterr()
    (line,) = (captured.out + captured.err).splitlines()
    assert line.endswith("steps must be positive, got 0")


def test_out_of_memory_is_one_sentence() -> None:
    with pytest.raises(NotebookError, match="out of memory"):
        fail(MemoryError())


def test_an_interrupt_is_one_sentence() -> None:
    with pytest.raises(NotebookError, match="interrupted: run the cell again"):
        fail(KeyboardInterrupt())


def test_the_original_error_is_the_cause() -> None:
    with pytest.raises(Gpt2Error) as caught, plain_errors():
        fail(OptionError("steps must be positive, got 0"))
    assert isinstance(caught.value.__cause__, OptionError)


def test_unknown_errors_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())
