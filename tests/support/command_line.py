"""Run the command line in tests, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gpt2_helpers.cli import main
from paths import ROOT

# A background job of a shell ignores interrupts, and so would the processes it starts. Eager
# execution, because compiling takes longer than a few steps of a toy model.
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from gpt2_helpers.cli import main; sys.exit(main())"
)
EAGER = "import tensorflow; tensorflow.config.run_functions_eagerly(True); "

TITLES = "title\nWhat is the best thing ever?\nHow would you start?\nWhat people have you in?\n"
QUICK = ("--accumulate-gradients", "1", "--sample-every", "0", "--precision", "float32")
FINETUNE = ("finetune", "titles.csv", "--model-name", "toy", *QUICK)


@dataclass
class Result:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


def error_of(*arguments: object) -> str:
    """Run a command that must fail; returns its only line on stderr besides progress bars."""
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    (line,) = (line for line in result.err.splitlines() if line and "%|" not in line)
    assert line.startswith("gpt2-helpers: ")
    return line


@contextlib.contextmanager
def process(
    folder: Path,
    *arguments: object,
    eager: bool = False,
    start_new_session: bool = False,
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process of its own, which is killed at the end of the block.

    With `start_new_session` it is a process group of its own, with the processes that it starts.
    """
    with (folder / "stderr").open("wb") as stderr:  # nobody reads a pipe, which would fill up
        started = subprocess.Popen(
            [sys.executable, "-c", EAGER * eager + START, *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": python_path(), **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=start_new_session,
        )
    try:
        yield started
    finally:
        started.kill()
        stdout_of(started).close()
        started.wait()


def python_path() -> str:
    """A PYTHONPATH with this checkout, for a process in any working directory."""
    return os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def stdout_of(started: subprocess.Popen[bytes]) -> IO[bytes]:
    assert started.stdout is not None
    return started.stdout


def stderr_of(folder: Path) -> str:
    """What a `process` wrote to stderr, with each state of a progress bar on its own line."""
    return (folder / "stderr").read_bytes().decode().replace("\r", "\n")


def files_in(folder: Path) -> set[str]:
    """Every file in a folder, at any depth, with its size."""
    return {
        f"{path.relative_to(folder)} {path.stat().st_size}"
        for path in folder.rglob("*")
        if path.is_file()
    }
