"""The server's side of one worker process: starts it, sends messages, and notices if it hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.web.engine import Request, ScoreSpec, SequenceSpec
from gpt2_helpers.web.worker import MessageWriter, WorkerConfig, parse_message

START_TIMEOUT = 600.0  # seconds to load the model, which may be on a slow disk
EXIT_TIMEOUT = 5.0  # seconds that a worker gets to end before it is killed
PING_INTERVAL = 1.0  # seconds
RESPONSE_TIMEOUT = 3.0  # seconds without a message until a worker gets no new sequences
HANG_TIMEOUT = 10.0  # seconds without a message until a worker is killed

# `python -c` puts the working directory first in sys.path, where a file such as signal.py would
# shadow a module of the standard library: it is removed, and this package's parent appended.
BOOTSTRAP = """
import sys
sys.path = [*filter(None, sys.path), sys.argv[1]]
from gpt2_helpers.web.worker import main
main()
"""
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")  # NumPy's BLAS


@dataclass
class Assignment:
    """A sequence or a text to score that a worker has, queued or running."""

    request: Request
    spec: SequenceSpec | ScoreSpec
    assigned_at: float
    rounds: float  # time until it is complete, in durations of one sequence


class WorkerProcess:
    """The server's side of a worker; `assignments` are its sequences by id."""

    def __init__(self, config: WorkerConfig, rows: int) -> None:
        self.rows, self.started_at = rows, time.monotonic()
        self.silent_seconds = 0.0  # since its last message; it answers a ping every PING_INTERVAL
        self.is_hung = False  # it was killed because it stopped responding
        self.assignments: dict[int, Assignment] = {}
        package_parent = str(Path(__file__).parents[2])  # works without an installation, too
        threads = dict.fromkeys(THREAD_VARIABLES, str(config.threads))
        self._process = subprocess.Popen(
            [sys.executable, "-c", BOOTSTRAP, package_parent],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C reaches only the server, which ends its workers
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.output = self._process.stdout
        # A thread does the sending, since the pipe is full while a worker does not read.
        self._outbox: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._outbox.put({**config.to_dict(), "serve": {**config.serve, "batch_size": rows}})
        threading.Thread(target=self._send, name="gpt2-worker-input", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def is_responding(self) -> bool:
        return self.is_alive and self.silent_seconds < RESPONSE_TIMEOUT

    def wait_until_ready(self) -> None:
        """Raise Gpt2Error if the worker does not start."""
        timer = threading.Timer(START_TIMEOUT, self.kill_hung)
        timer.start()
        try:
            message = parse_message(self.output.readline())
        finally:
            timer.cancel()
        if not message.get("ready"):
            reason = (
                f"did not start within {START_TIMEOUT:g} s" if self.is_hung else "died at start"
            )
            raise Gpt2Error(message.get("error", f"a worker process {reason}"))

    def check(self, elapsed: float) -> None:
        """Ping the worker; kill it if it has not sent anything for HANG_TIMEOUT.

        Args:
            elapsed: Seconds since the last call.
        """
        if not self.is_alive:
            return
        self.silent_seconds += elapsed
        if self.silent_seconds > HANG_TIMEOUT:
            self.kill_hung()
        else:
            self.send({"ping": True})

    def kill(self) -> None:
        """Kill the worker, which also ends one that is stopped."""
        self._process.kill()

    def kill_hung(self) -> None:
        """Kill a worker that has stopped responding."""
        self.is_hung = True
        self.kill()

    def send(self, message: Mapping[str, Any]) -> None:
        self._outbox.put(message)

    def close(self) -> None:
        """Close stdin; the worker then exits."""
        self._outbox.put(None)

    def wait(self, deadline: float) -> None:
        """Wait for the worker to exit; kill it at the deadline."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError), self._process.stdin as stream:  # the worker may be gone
            messages = MessageWriter(stream)
            while (message := self._outbox.get()) is not None:
                messages.send(message)


def stop_workers(workers: Iterable[WorkerProcess]) -> None:
    """Stop workers in parallel."""
    workers = list(workers)
    for worker in workers:
        worker.close()
    deadline = time.monotonic() + EXIT_TIMEOUT
    for worker in workers:
        worker.wait(deadline)
