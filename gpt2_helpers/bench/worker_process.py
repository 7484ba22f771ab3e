"""A subprocess that runs a workload on request, with a time limit.

The process prints a line of JSON when it is ready, and one for each line that it reads. Every
failure, including a hang or a crash, becomes a WorkerError with a short message.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

PACKAGE_PARENT = Path(__file__).resolve().parents[2]


def environment(*folders: Path) -> dict[str, str]:
    """The environment of a process that imports this package, and modules in `folders`."""
    paths = [str(PACKAGE_PARENT), *map(str, folders)]
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class WorkerError(Exception):
    """Why a worker process cannot continue."""


class WorkerProcess:
    """Runs `command` in an empty folder of its own; its stderr goes into `log`.

    Args:
        command: The program and its arguments.
        log: File for its stderr.
        timeout: Seconds that it may take to get ready, and for each round.
        paths: Folders with modules that it imports, besides this package.

    Attributes:
        seconds_to_ready: From its start until it was ready.
        first_seconds: Those of the round that warmed it up; 0 without one.

    Raises:
        WorkerError: It failed, or took too long.
    """

    def __init__(
        self, command: Sequence[str], log: Path, timeout: float, paths: Sequence[Path] = ()
    ) -> None:
        self.timeout, self._folder = timeout, tempfile.TemporaryDirectory()
        self._answers: queue.Queue[str] = queue.Queue()
        start = time.perf_counter()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self._folder.name,
                env=environment(*paths),
                # Ctrl-C reaches only the parent, which then ends the whole process group.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        reader = threading.Thread(target=self._read, args=[self._process.stdout], daemon=True)
        reader.start()
        try:
            self.first_seconds: float = self._answer().get("first_seconds", 0.0)
        except BaseException:
            self.close()
            raise
        self.seconds_to_ready = time.perf_counter() - start

    def run(self) -> dict[str, Any]:
        """Run one round and return its measurement. Raises WorkerError."""
        with contextlib.suppress(OSError):  # if it has ended, `_answer` says how
            self._requests.write("run\n")
            self._requests.flush()
        return self._answer()

    def close(self) -> None:
        """Kill the process and everything that it has started; it has nothing to save."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._answers.put(line)
        self._answers.put("")  # end of output

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=self.timeout)
        except queue.Empty:
            raise WorkerError(f"took over {self.timeout:g} s") from None
        if not line:
            self._answers.put("")  # so that a second call need not wait
            raise WorkerError(_exit_reason(self._process.wait()))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer


def _exit_reason(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    reason = ", probably out of memory" if code == -signal.SIGKILL else ""
    return f"ended by {signal.Signals(-code).name}{reason}"
