"""Messages of native code are suppressed unless an error occurs."""

from __future__ import annotations

import subprocess
import sys

import pytest


def output_of(script: str) -> tuple[str, str]:
    """stdout and stderr of a script in a new process."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    return done.stdout.strip(), done.stderr.strip()


def suppressing(block: str) -> str:
    """A script that runs `block` within suppress_stderr and prints before and after it."""
    return (
        "import os, sys\n"
        "from gpt2_helpers.system.tensorflow_setup import suppress_stderr\n"
        "print('before', file=sys.stderr)\n"
        f"with suppress_stderr():\n    os.write(2, b'messages\\n')\n    {block}\n"
        "os.write(2, b'after\\n')\n"
        "print('done')\n"
    )


def test_messages_are_suppressed() -> None:
    assert output_of(suppressing("pass")) == ("done", "before\nafter")


def test_messages_are_shown_after_an_error() -> None:
    stdout, stderr = output_of(suppressing("raise ValueError('no such shape')"))
    assert stdout == ""
    assert stderr.startswith("before\nmessages\nTraceback")
    assert stderr.endswith("ValueError: no such shape")


@pytest.mark.parametrize("missing", ["os.close(2)", "os.close(2); sys.stderr = None"])
def test_a_closed_stderr_is_no_problem(missing: str) -> None:
    script = (
        f"import os, sys; {missing}\n"
        "from gpt2_helpers.system.tensorflow_setup import suppress_stderr\n"
        "with suppress_stderr():\n    print('done')\n"
    )
    assert output_of(script) == ("done", "")
