"""The worker processes of Beam's local runner, and what happens when one ends too early.

The runner waits for the answers of a process without end, even if the process was killed, for
instance because memory ran out.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from gpt2_helpers.errors import Gpt2Error

STOP_SECONDS = 20.0  # that a worker process may take to end
_BEAMS_MODULE = b"apache_beam.runners.worker.sdk_worker_main"
_MODULE = b"gpt2_helpers.beam.local_worker_process"
# As Python prints the error of a worker: type and message.
_ENDED = (
    f"{Gpt2Error.__module__}.{Gpt2Error.__name__}: a worker process ended too early, perhaps for "
    "lack of memory: start the same command again to resume it, with fewer processes if memory ran "
    "out"
)


class LocalWorker(worker_handlers.SubprocessSdkWorkerHandler):  # type: ignore[misc]
    """One worker process.

    All requests to a process that has ended fail. The time that it may take to stop is limited:
    after an error the runner tells the workers to stop and waits for them. A worker that connects
    only then waits for work, and both would wait for each other without end. After the limit the
    runner closes its server, which ends such a worker.
    """

    def start_worker(self) -> None:
        """Start the process."""
        self._has_ended = threading.Event()
        command = self._worker_command_line.replace(_BEAMS_MODULE, _MODULE)
        self.worker = local_job_service.SubprocessSdkWorker(
            command, self.control_address, self.provision_info, self.worker_id
        )
        self.control_conn.push = self._pushing(self.control_conn.push)
        self.control_conn.set_input = _reading_until_end(self.control_conn.set_input)
        self.data_conn._read_inputs = _reading_until_end(self.data_conn._read_inputs)
        self.data_conn.input_elements = self._reading(self.data_conn.input_elements)
        self.worker_thread = threading.Thread(name="run_worker", target=self._run)
        self.worker_thread.start()

    def stop_worker(self) -> None:
        """Wait for its end, for a limited time."""
        self.worker_thread.join(STOP_SECONDS)

    def _run(self) -> None:
        with contextlib.suppress(RuntimeError):  # its exit code; the requests have a better message
            self.worker.run()
        self._has_ended.set()
        for request in [*self.control_conn._futures_by_id.values()]:
            _fail(request)

    def _pushing(self, push: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def push_or_fail(request: Any) -> Any:
            future = push(request)
            if future is not None and self._has_ended.is_set():
                _fail(future)
            return future

        return push_or_fail

    def _reading(self, read: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def read_elements(*arguments: Any, **more: Any) -> Iterator[Any]:
            try:
                yield from read(*arguments, **more)
            except RuntimeError:  # the channel is closed: the runner looks for the answer next
                if not self._has_ended.wait(STOP_SECONDS):
                    raise

        return read_elements


def _reading_until_end(read: Callable[[Iterator[Any]], None]) -> Callable[[Iterator[Any]], None]:
    """A function that reads what a process sends, and returns without an error if the process
    ends."""

    def read_until_the_end(messages: Iterator[Any]) -> None:
        read(_without_error(messages))

    return read_until_the_end


def _without_error(messages: Iterator[Any]) -> Iterator[Any]:
    with contextlib.suppress(grpc.RpcError):
        yield from messages


def _fail(request: Any) -> None:
    # Not `abort`: the runner looks for the error of an answer while it waits for data.
    answer = beam_fn_api_pb2.InstructionResponse(instruction_id=request.instruction_id)
    answer.error = _ENDED
    request.set(answer)


def register() -> None:
    """Make the local runner use these workers."""
    worker_handlers.WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(
        LocalWorker
    )
