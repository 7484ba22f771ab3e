"""What a library says below Python is held back, unless something goes wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest


def said_by(script: str) -> tuple[str, str]:
    """What a new process prints and what it says as errors."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    return done.stdout.strip(), done.stderr.strip()


def held_back(block: str) -> str:
    """A script with `block` suppress_stderr, and words before and after it."""
    return (
        "import os, sys\n"
        "from gpt2_helpers.system.tensorflow_setup import suppress_stderr\n"
        "print('before', file=sys.stderr)\n"
        f"with suppress_stderr():\n    os.write(2, b'greetings\\n')\n    {block}\n"
        "os.write(2, b'after\\n')\n"
        "print('done')\n"
    )


def test_greetings_are_held_back() -> None:
    assert said_by(held_back("pass")) == ("done", "before\nafter")


def test_they_are_shown_where_something_goes_wrong() -> None:
    printed, said = said_by(held_back("raise ValueError('no such shape')"))
    assert printed == ""
    assert said.startswith("before\ngreetings\nTraceback")
    assert said.endswith("ValueError: no such shape")


@pytest.mark.parametrize("missing", ["os.close(2)", "os.close(2); sys.stderr = None"])
def test_without_a_place_for_errors_all_goes_on(missing: str) -> None:
    script = (
        f"import os, sys; {missing}\n"
        "from gpt2_helpers.system.tensorflow_setup import suppress_stderr\n"
        "with suppress_stderr():\n    print('done')\n"
    )
    assert said_by(script) == ("done", "")
