"""Starts work in a process of its own, and kills it in the way and at the moment of a plan."""

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

LONGEST = 300  # seconds that any piece of work may take


@dataclass(frozen=True)
class Plan:
    """How a process is to end: nothing set, by itself.

    `change` kills it (SIGKILL) as it begins its nth change of a file: opening one to write,
    renaming, deleting; with `after`, so many seconds later. `seconds` kills it that long after its
    start. `size` kills it in the middle of a write, when a file has grown to so many bytes, or
    where `dies` is off lets that write fail as on a full disk. `memory` is how many bytes it may
    take beyond what it begins with. `read_only` has it obey the permissions of files, which root
    need not. `pause` are seconds that it lingers at each change, so that more moments fall into
    them.
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
    """How a process ended: its exit code, or minus the signal; its output; its changes of files
    where it came to its end by itself; and its seconds."""

    code: int
    output: str
    changes: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def was_killed(self) -> bool:
        return self.code in (-signal.SIGKILL, -signal.SIGXFSZ, -signal.SIGALRM)


class Killer:
    """The door to `victim`: one piece of work at a time."""

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
        """Do `call` in the folder `work`: a command's arguments, or ["call", name, arguments] for a
        function of the package."""
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
        began = time.monotonic()
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        number = int(self._line())
        if plan.seconds:
            time.sleep(plan.seconds)
            # Not yet waited for, or already told of: then its number is no longer its own.
            if not self._has_ended():
                with suppress(ProcessLookupError):  # it ended just now
                    os.kill(number, signal.SIGKILL)
        code = int(self._line())
        return End(
            code,
            output.read_text(encoding="utf-8", errors="replace"),
            int(counted.read_text(encoding="ascii") or 0) if counted.is_file() else 0,
            time.monotonic() - began,
        )

    def _has_ended(self) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the victims' parent has ended: {self._process.wait()}"
        return line.strip()

    def _expect(self, word: str) -> None:
        line = self._line()
        assert line == word, line


@contextmanager
def killer(folder: Path) -> Iterator[Killer]:
    """Something that runs and kills; `folder` is for what it writes down."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
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
