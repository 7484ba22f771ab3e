"""Several worker processes, each with its own copy of a small model and its own CPU core.

Python runs one thread at a time, and the matmuls of a small model are too short to share
between threads, so processes are faster. This side tracks which sequences each worker has and gives
a new one to the least loaded.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.generation.decoder import Model
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web import errors
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Engine, Request, SequenceSpec, fail_all
from gpt2_helpers.web.errors import EngineFailed, RequestError, ServiceUnavailable
from gpt2_helpers.web.worker import MessageWriter, WorkerConfig, parse_message

SMALL_MODEL = 20_000_000  # parameters; larger models gain less and need more memory
MIN_ROWS = 4  # batch rows per worker if their number is chosen automatically
EXIT_TIMEOUT = 5.0  # seconds that a worker gets to end before it is killed
RESTART_DELAY = 10.0  # seconds from the start of a worker until it may be replaced
POLL_INTERVAL = 0.02  # seconds
WORKER_LOST = "the model failed: retry; details are in the server's log"

# `python -c` puts the working directory first in sys.path, where a file such as signal.py would
# shadow a module of the standard library: it is removed, and this package's parent appended.
BOOTSTRAP = """
import sys
sys.path = [*filter(None, sys.path), sys.argv[1]]
from gpt2_helpers.web.worker import main
main()
"""
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")  # NumPy's BLAS


def worker_count(model: Model, config: ServeConfig) -> int:
    """Return the number of workers: as configured, or chosen for the model and this machine.

    Raises:
        OptionError: If several are configured for a model that is not on the CPU.
    """
    if not (isinstance(model, InferenceModel) and model.prefix):
        if config.workers > 1:
            raise OptionError(
                f"workers={config.workers} needs a model loaded for the CPU in int8 or float32: "
                "leave out workers and precision"
            )
        return 1
    if config.workers:
        return min(config.workers, config.batch_size)
    if model.config.n_parameters > SMALL_MODEL:
        return 1
    return max(1, min(device.cores(), config.batch_size // MIN_ROWS))


@dataclass
class _Assignment:
    """A sequence that a worker has, queued or running."""

    request: Request
    spec: SequenceSpec
    assigned_at: float
    rounds: float  # time until it is complete, in durations of one sequence


class _WorkerProcess:
    """The server's side of a worker; `assignments` are its sequences by id."""

    def __init__(self, config: WorkerConfig, rows: int) -> None:
        self.rows, self.started_at = rows, time.monotonic()
        self.assignments: dict[int, _Assignment] = {}
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

    def wait_until_ready(self) -> None:
        """Raise Gpt2Error if the worker does not start."""
        message = parse_message(self.output.readline())
        if not message.get("ready"):
            raise Gpt2Error(message.get("error", "a worker process died while starting"))

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


def stop_workers(workers: Iterable[_WorkerProcess]) -> None:
    """Stop workers in parallel."""
    workers = list(workers)
    for worker in workers:
        worker.close()
    deadline = time.monotonic() + EXIT_TIMEOUT
    for worker in workers:
        worker.wait(deadline)


class WorkerPool(Engine):
    """Generates in `n_workers` processes. `on_tokens` is called with numbers of new tokens."""

    def __init__(
        self,
        model: InferenceModel,
        tokenizer: Tokenizer,
        config: ServeConfig,
        n_workers: int,
        on_tokens: Callable[[int], None] = lambda tokens: None,
        prompt_prefix: str = "",
    ) -> None:
        super().__init__(tokenizer, config, prompt_prefix)
        assert model.prefix is not None
        self._worker_config = WorkerConfig(
            folder=str(model.prefix.parent.resolve()),
            checkpoint=model.prefix.name,
            precision=model.decoding_precision,
            threads=max(1, device.cores() // n_workers),
            serve=asdict(replace(config, max_nsamples=1, workers=1)),
        )
        self._on_tokens, self._tokens_lock = on_tokens, threading.Lock()
        self._ids = itertools.count()
        self._workers: list[_WorkerProcess] = []
        self._threads: list[threading.Thread] = []
        try:
            for number in range(n_workers):
                rows = (config.batch_size + number) // n_workers  # they sum to batch_size
                self._workers.append(_WorkerProcess(self._worker_config, rows))
            for worker in self._workers:
                worker.wait_until_ready()
        except BaseException:  # also KeyboardInterrupt
            stop_workers(self._workers)
            raise

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    @property
    def waiting(self) -> int:
        return sum(max(0, len(worker.assignments) - worker.rows) for worker in self._workers)

    @property
    def running(self) -> int:
        return sum(min(len(worker.assignments), worker.rows) for worker in self._workers)

    @property
    def is_ready(self) -> bool:
        return not self._closed and any(worker.is_alive for worker in self._workers)

    def start(self) -> None:
        for worker in self._workers:
            self._start_reading(worker)

    def stop(self, timeout: float = 0.0) -> None:
        self.close()
        deadline = time.monotonic() + timeout
        while any(worker.assignments for worker in self._workers) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        for worker in self._workers:
            error = ServiceUnavailable("the server shut down before this text was complete")
            self._fail_all(worker, error)
        stop_workers(self._workers)
        for thread in self._threads:
            thread.join()

    def enqueue(self, request: Request, specs: list[SequenceSpec], urgent: bool = False) -> None:
        for spec in specs:
            alive = [worker for worker in self._workers if worker.is_alive]
            if not alive:
                raise EngineFailed("the model failed: retry in a few seconds")
            worker = min(alive, key=lambda worker: len(worker.assignments) / worker.rows)
            rounds = 1.0 if urgent else max(1.0, (len(worker.assignments) + 1) / worker.rows)
            sequence_id = next(self._ids)
            worker.assignments[sequence_id] = _Assignment(request, spec, time.monotonic(), rounds)
            worker.send(
                {
                    "enqueue": sequence_id,
                    "sequence": asdict(spec),
                    "stream": request.stream,
                    "urgent": urgent,
                    "timeout": request.deadline - time.monotonic(),
                }
            )

    def cancel(self, request: Request) -> None:
        request.is_done = True
        for worker in self._workers:
            assignments = [*worker.assignments.items()]  # copied: other threads change it
            ids = [number for number, entry in assignments if entry.request is request]
            for sequence_id in ids:
                worker.assignments.pop(sequence_id, None)
            if ids:
                worker.send({"cancel": ids})

    # One thread per worker reads its output, and replaces it when it dies.

    def _start_reading(self, worker: _WorkerProcess) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(
            target=self._read_output, args=[worker], name="gpt2-worker-output", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _read_output(self, worker: _WorkerProcess) -> None:
        try:
            with worker.output:
                for line in worker.output:
                    self._handle(worker, parse_message(line))
        except Exception:  # a bug, or output that is not of the protocol: replace the worker
            traceback.print_exc()
        stop_workers([worker])
        with self._condition:  # no more sequences are assigned to it from here on
            self._fail_all(worker, EngineFailed(WORKER_LOST))
            if self._closed:
                return
        self._replace(worker)

    def _handle(self, worker: _WorkerProcess, message: Mapping[str, Any]) -> None:
        for sequence_id, text, end in message.get("chunks", ()):
            self._emit(worker, sequence_id, text, end)
        if "failed" in message:
            self._fail(worker, message)
        if tokens := message.get("tokens"):
            with self._tokens_lock:
                self._on_tokens(tokens)

    def _emit(
        self, worker: _WorkerProcess, sequence_id: int, text: str, end: list[Any] | None
    ) -> None:
        assignments = worker.assignments
        assignment = (
            assignments.get(sequence_id) if end is None else assignments.pop(sequence_id, None)
        )
        if assignment is None:  # cancelled in the meantime
            return
        spec = assignment.spec
        result: GenerationResult | None = None
        if end is not None:
            seconds = time.monotonic() - assignment.assigned_at
            self._record_duration(seconds / assignment.rounds)
            whole_text, n_tokens, finish_reason = end
            result = GenerationResult(whole_text, spec.prompt, spec.sample, n_tokens, finish_reason)
        assignment.request.emit(GenerationChunk(spec.sample, text, result))

    def _fail(self, worker: _WorkerProcess, message: Mapping[str, Any]) -> None:
        assignment = worker.assignments.pop(message["failed"], None)
        if assignment is not None:
            error: RequestError = getattr(errors, message["type"])(message["message"])
            assignment.request.fail(error)
            self.cancel(assignment.request)

    def _fail_all(self, worker: _WorkerProcess, error: RequestError) -> None:
        requests = [assignment.request for assignment in [*worker.assignments.values()]]
        worker.assignments.clear()
        fail_all(requests, error)

    def _replace(self, dead: _WorkerProcess) -> None:
        """Start a new worker; not at once if the last one died early, since it may happen again."""
        _log("a worker process died: it was killed or ran out of memory")
        delay = dead.started_at + RESTART_DELAY - time.monotonic()
        while True:
            with self._condition:
                if self._condition.wait_for(lambda: self._closed, max(0.0, delay)):
                    return
            try:
                self._add(_WorkerProcess(self._worker_config, dead.rows), dead)
                return
            except (Gpt2Error, OSError) as error:
                _log(f"cannot restart the worker process: {error}")
                delay = RESTART_DELAY

    def _add(self, worker: _WorkerProcess, dead: _WorkerProcess) -> None:
        try:
            worker.wait_until_ready()
            with self._condition:
                if self._closed:
                    stop_workers([worker])
                else:
                    self._workers[self._workers.index(dead)] = worker
                    self._start_reading(worker)
        except BaseException:
            stop_workers([worker])
            raise


def _log(message: str) -> None:
    print(f"gpt2-helpers: {message}", file=sys.stderr, flush=True)
