"""A process that does one work when it is told to, with a limit of time. Knows nothing of works.

It prints a line of JSON when it is ready, and one for each line that it reads. Whatever goes wrong,
also a hang or a crash, becomes a PeerError that says so in a few words.
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

from rounds import environment


class PeerError(Exception):
    """Why a peer cannot go on."""


class PeerProcess:
    """Runs `command` in an empty folder of its own; what it prints as errors goes into `log`."""

    def __init__(self, command: Sequence[str], log: Path, longest: float) -> None:
        """Waits until it is ready. `longest` is how many seconds it may take, then and in each
        round. Raises PeerError."""
        self.longest, self._folder = longest, tempfile.TemporaryDirectory()
        self._answers: queue.Queue[str] = queue.Queue()
        began = time.perf_counter()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self._folder.name,
                env=environment(),
                # Ctrl-C is for who started it, who then ends it with all that it has started.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders = self._process.stdin
        reading = threading.Thread(target=self._read, args=[self._process.stdout], daemon=True)
        reading.start()
        try:
            self._answer()
        except BaseException:
            self.close()
            raise
        self.seconds_to_ready = time.perf_counter() - began

    def run(self) -> dict[str, Any]:
        """One round: what it answers. Raises PeerError."""
        with contextlib.suppress(OSError):  # where it has ended `_answer` will say how
            self._orders.write("run\n")
            self._orders.flush()
        return self._answer()

    def close(self) -> None:
        """End it, and all that it has started: it has nothing to save."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._answers.put(line)
        self._answers.put("")  # the end

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=self.longest)
        except queue.Empty:
            raise PeerError(f"took over {self.longest:g} s") from None
        if not line:
            self._answers.put("")  # whoever asks again need not wait
            raise PeerError(_ending(self._process.wait()))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer


def _ending(code: int) -> str:
    """What an exit code means, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    reason = ", as when memory runs out" if code == -signal.SIGKILL else ""
    return f"ended by {signal.Signals(-code).name}{reason}"
