"""Python processes that answer messages, for work that would hold Python's global lock.

They are started with `python -c` rather than multiprocessing, which would import the caller's
script again: a script without `if __name__ == "__main__"` would fail or train twice. A message is
its length as 8 bytes, then its content.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import IO

# A module json.py in the current folder must not be imported instead of Python's.
_COMMAND = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import json, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
line = sys.stdin.buffer.readline()
if not line:
    sys.exit()
sys.path[:] = json.loads(line)
from {module} import run_worker
run_worker()
"""
UTF8 = ("utf-8", "surrogatepass")  # of texts in messages

Answer = Callable[[bytes], bytes]


class WorkerError(Exception):
    """A worker process could not be started, or ended before it answered."""


def can_start() -> bool:
    """Whether this Python can start processes; an embedded one cannot."""
    return bool(sys.executable)


class WorkerProcesses:
    """Processes that answer one message at a time each. `ask` may be called from several threads.

    processes = WorkerProcesses("gpt2_helpers.data.tokenize", setup, count=2)
    answer = processes.ask(message)
    processes.close()

    Args:
        module: The module whose function `run_worker` calls `serve`.
        setup: What `serve` passes to its argument.
        count: Number of processes.

    Raises:
        WorkerError: A process cannot be started.
    """

    def __init__(self, module: str, setup: bytes, count: int) -> None:
        if not can_start():
            raise WorkerError("this Python cannot start processes")
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        with ExitStack() as workers:
            for _ in range(count):
                worker = _Worker(module, setup)
                workers.callback(worker.kill)
                self._idle.put(worker)
            self._workers = workers.pop_all()

    def ask(self, message: bytes) -> bytes:
        """Wait for an idle process, and return its answer.

        Raises:
            WorkerError: The process ended before it answered.
        """
        worker = self._idle.get()
        try:
            return worker.ask(message)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Kill the processes; threads that wait for an answer get an error."""
        self._workers.close()


class _Worker:
    def __init__(self, module: str, setup: bytes) -> None:
        command = [sys.executable, "-c", _COMMAND.format(module=module)]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise WorkerError(f"cannot start another process: {error.strerror or error}") from None
        path = [entry for entry in sys.path if isinstance(entry, str)]
        self._setup = json.dumps(path).encode() + b"\n" + _frame(setup)

    def ask(self, message: bytes) -> bytes:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(self._setup + _frame(message))
            process.stdin.flush()
            self._setup = b""
            return _read_frame(process.stdout)
        except (OSError, EOFError, ValueError):
            try:
                code = process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                code = None
            killed = code is None or code < 0
            reason = "possibly because memory ran out" if killed else "see its error above"
            raise WorkerError(f"ended early (exit code {code}), {reason}") from None

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()  # closes the pipes and waits


def serve(start: Callable[[bytes], Answer]) -> None:
    """Main loop of a worker process: answers messages from stdin on stdout until stdin is closed.

    Args:
        start: Gets the setup, and returns the function that answers a message.
    """
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # anything printed would corrupt the answers
    messages = _messages(source)
    setup = next(messages, None)
    if setup is None:
        return
    answer = start(setup)
    for message in messages:
        reply = answer(message)
        try:
            sink.write(_frame(reply))
            sink.flush()
        except BrokenPipeError:  # the process that asked was killed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sink.fileno())  # for the flush at exit
            return


def _messages(pipe: IO[bytes]) -> Iterator[bytes]:
    """The messages until the pipe ends, also within one."""
    with suppress(EOFError):
        while True:
            yield _read_frame(pipe)


def _frame(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


def _read_frame(pipe: IO[bytes]) -> bytes:
    """The content of the next message; raises EOFError if it is missing or incomplete."""
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    (size,) = struct.unpack("<Q", head)
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content
