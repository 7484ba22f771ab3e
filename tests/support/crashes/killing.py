"""Runs a task in its own process and kills it as a `Plan` says."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from paths import ROOT


@dataclass(frozen=True)
class Plan:
    """How a process is to end. By default it ends normally.

    Attributes:
        change: Kill it (SIGKILL) at its nth file change: opening to write, renaming, deleting.
        after: Seconds between that change and the kill.
        seconds: Kill it so many seconds after its start.
        size: Limit of file sizes in bytes; the write that exceeds it is killed.
        dies: If False, that write fails instead, as on a full disk.
        memory: Limit of memory in bytes, beyond what the process starts with.
        read_only: Make file permissions apply, which root may otherwise ignore.
        pause: Seconds to wait at each file change, so that more kills fall between changes.
    """

    change: int = 0
    after: float = 0.0
    seconds: float = 0.0
    size: int = 0
    dies: bool = True
    memory: int = 0
    read_only: bool = False
    pause: float = 0.0


@dataclass(frozen=True)
class End:
    """How a process ended.

    Attributes:
        code: Exit code, or minus the signal number.
        output: What it printed.
        changes: Its file changes, if it was not killed.
        seconds: Its run time.
    """

    code: int
    output: str
    changes: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def was_killed(self) -> bool:
        return self.code in (-signal.SIGKILL, -signal.SIGXFSZ, -signal.SIGALRM)


class Killer:
    """Client of the fork server `crash_worker`, for one task at a time."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self._expect("ready")

    def run(
        self,
        work: Path,
        call: Sequence[Any],
        plan: Plan,
        environment: Mapping[str, str] | None = None,
    ) -> End:
        """Run `call` in the folder `work`: the arguments of a command, or ["call", name, arguments]
        for a function of the package."""
        output, counted = self._folder / "output.txt", self._folder / "counted.txt"
        counted.unlink(missing_ok=True)
        task = {
            "work": str(work.resolve()),
            "call": list(call),
            "environment": dict(environment or {}),
            "output": str(output),
            "counted": str(counted),
            **asdict(plan),
        }
        assert self._process.stdin is not None
        start = time.monotonic()
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        process_id = int(self._line())
        if plan.seconds:
            time.sleep(plan.seconds)
            if not self._has_ended():  # else its id may belong to another process already
                with suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)
        code = int(self._line())
        return End(
            code,
            output.read_text(encoding="utf-8", errors="replace"),
            int(counted.read_text(encoding="ascii") or 0) if counted.is_file() else 0,
            time.monotonic() - start,
        )

    def _has_ended(self) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the fork server ended with {self._process.wait()}"
        return line.strip()

    def _expect(self, word: str) -> None:
        line = self._line()
        assert line == word, line


@contextmanager
def killer(folder: Path) -> Iterator[Killer]:
    """A running fork server; `folder` is for its files."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "1",  # the models are tiny: more threads only wait
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "no_proxy": "*",
    }
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("crash_worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        yield Killer(process, folder)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
