"""Several worker processes, each with its own copy of a small model and its own CPU core.

Python runs one thread at a time, and the matmuls of a small model are too short to share
between threads, so processes are faster. This side tracks which sequences each worker has and gives
a new one to the least loaded.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from gpt2_helpers.checkpoint.inference_model import InferenceModel
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.decoder import Model
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult, TokenLogprob
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web import errors, worker_process
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Engine, Request, ScoreSpec, SequenceSpec, fail_all
from gpt2_helpers.web.errors import EngineFailed, RequestError, ServiceUnavailable
from gpt2_helpers.web.worker import WorkerConfig, parse_message
from gpt2_helpers.web.worker_process import Assignment, WorkerProcess, stop_workers

SMALL_MODEL = 20_000_000  # parameters; larger models gain less and need more memory
MIN_ROWS = 4  # batch rows per worker if their number is chosen automatically
RESTART_DELAY = 10.0  # seconds from the start of a worker until it may be replaced
POLL_INTERVAL = 0.02  # seconds
WORKER_DIED = "the model failed: retry; details are in the server's log"
WORKER_HUNG = "the model stopped responding: retry"


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


class WorkerPool(Engine):
    """Generates in several processes, and replaces those that die or hang.

    Args:
        model: The model, which the workers load from its files.
        tokenizer: Its tokenizer.
        config: Options of the server.
        n_workers: Number of processes.
        on_tokens: Called with numbers of new tokens.
        prompt_prefix: Text put before every prompt and left out of the texts.
        prompt_suffix: Text put after every prompt, see `Engine`.
        on_failure: Called with "died" or "hung" when a worker is lost.
    """

    def __init__(
        self,
        model: InferenceModel,
        tokenizer: Tokenizer,
        config: ServeConfig,
        n_workers: int,
        on_tokens: Callable[[int], None] = lambda tokens: None,
        prompt_prefix: str = "",
        on_failure: Callable[[str], None] = lambda reason: None,
        prompt_suffix: str = "",
    ) -> None:
        super().__init__(tokenizer, config, prompt_prefix, prompt_suffix)
        assert model.prefix is not None
        self._worker_config = WorkerConfig(
            folder=str(model.prefix.parent.resolve()),
            checkpoint=model.prefix.name,
            precision=model.decoding_precision,
            threads=max(1, device.cores() // n_workers),
            serve=asdict(replace(config, max_nsamples=1, workers=1)),
        )
        self._on_tokens, self._tokens_lock = on_tokens, threading.Lock()
        self._on_failure = on_failure
        self._ids = itertools.count()
        self._workers: list[WorkerProcess] = []
        self._starting: list[WorkerProcess] = []  # that will replace others
        self._threads: list[threading.Thread] = []
        try:
            for number in range(n_workers):
                rows = (config.batch_size + number) // n_workers  # they sum to batch_size
                self._workers.append(WorkerProcess(self._worker_config, rows))
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
    def n_workers(self) -> int:
        return len(self._workers)

    @property
    def n_responding(self) -> int:
        return sum(worker.is_responding for worker in self._workers)

    def start(self) -> None:
        for worker in self._workers:
            self._start_reading(worker)
        self._start_thread(self._watch, "gpt2-worker-watch")

    def stop(self, timeout: float = 0.0) -> None:
        self.close()
        with self._condition:
            for worker in self._starting:
                worker.kill()
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
            self._assign(request, spec, {"sequence": asdict(spec), "urgent": urgent}, urgent)

    def enqueue_score(self, request: Request, spec: ScoreSpec) -> None:
        self._assign(request, spec, {"score": asdict(spec)})

    def _assign(
        self,
        request: Request,
        spec: SequenceSpec | ScoreSpec,
        message: Mapping[str, Any],
        urgent: bool = False,
    ) -> None:
        """Send a sequence or a text to score to the least loaded worker."""
        alive = [worker for worker in self._workers if worker.is_alive]
        if not alive:
            raise EngineFailed("the model failed: retry in a few seconds")
        responding = [worker for worker in alive if worker.is_responding]
        worker = min(responding or alive, key=lambda worker: len(worker.assignments) / worker.rows)
        rounds = 1.0 if urgent else max(1.0, (len(worker.assignments) + 1) / worker.rows)
        number = next(self._ids)
        worker.assignments[number] = Assignment(request, spec, time.monotonic(), rounds)
        timeout = request.deadline - time.monotonic()
        worker.send({"enqueue": number, **message, "stream": request.stream, "timeout": timeout})

    def cancel(self, request: Request) -> None:
        request.is_done = True
        for worker in self._workers:
            assignments = [*worker.assignments.items()]  # copied: other threads change it
            ids = [number for number, entry in assignments if entry.request is request]
            for sequence_id in ids:
                worker.assignments.pop(sequence_id, None)
            if ids:
                worker.send({"cancel": ids})

    # One thread pings the workers and kills those that hang. One thread per worker reads its
    # output, and replaces it when it dies.

    def _start_thread(self, target: Callable[..., None], name: str, *args: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._wait_until_closed(worker_process.PING_INTERVAL):
            now = time.monotonic()
            # Capped, since this process itself may have been stopped in the meantime.
            elapsed, before = min(now - before, 2 * worker_process.PING_INTERVAL), now
            for worker in [*self._workers]:
                worker.check(elapsed)

    def _wait_until_closed(self, timeout: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._closed, max(0.0, timeout))

    def _start_reading(self, worker: WorkerProcess) -> None:
        self._start_thread(self._read_output, "gpt2-worker-output", worker)

    def _read_output(self, worker: WorkerProcess) -> None:
        try:
            with worker.output:
                for line in worker.output:
                    worker.silent_seconds = 0.0
                    self._handle(worker, parse_message(line))
        except Exception:  # a bug, or output that is not of the protocol: replace the worker
            traceback.print_exc()
        stop_workers([worker])
        with self._condition:  # no more sequences are assigned to it from here on
            self._fail_all(worker, EngineFailed(WORKER_HUNG if worker.is_hung else WORKER_DIED))
            if self._closed:
                return
        self._on_failure("hung" if worker.is_hung else "died")
        self._replace(worker)

    def _handle(self, worker: WorkerProcess, message: Mapping[str, Any]) -> None:
        for sequence_id, text, tokens, end in message.get("chunks", ()):
            self._emit(worker, sequence_id, text, _tokens(tokens), end)
        if "scored" in message:
            assignment = worker.assignments.pop(message["scored"], None)
            if assignment is not None:
                assignment.request.emit_score(TextScore.from_dict(message["score"]))
        if "failed" in message:
            self._fail(worker, message)
        if tokens := message.get("tokens"):
            with self._tokens_lock:
                self._on_tokens(tokens)

    def _emit(
        self,
        worker: WorkerProcess,
        sequence_id: int,
        text: str,
        tokens: tuple[TokenLogprob, ...],
        end: list[Any] | None,
    ) -> None:
        assignments = worker.assignments
        assignment = (
            assignments.get(sequence_id) if end is None else assignments.pop(sequence_id, None)
        )
        if assignment is None:  # cancelled in the meantime
            return
        spec = assignment.spec
        assert isinstance(spec, SequenceSpec)
        result: GenerationResult | None = None
        if end is not None:
            seconds = time.monotonic() - assignment.assigned_at
            self._record_duration(seconds / assignment.rounds)
            whole_text, n_tokens, reason, logprob, ignored_tokens, all_tokens = end
            result = GenerationResult(
                *(whole_text, spec.prompt, spec.sample, n_tokens, reason, logprob),
                tokens=_tokens(all_tokens),
                ignored_tokens=ignored_tokens,
            )
        assignment.request.emit(GenerationChunk(spec.sample, text, result, tokens))

    def _fail(self, worker: WorkerProcess, message: Mapping[str, Any]) -> None:
        assignment = worker.assignments.pop(message["failed"], None)
        if assignment is not None:
            error: RequestError = getattr(errors, message["type"])(message["message"])
            assignment.request.fail(error)
            self.cancel(assignment.request)

    def _fail_all(self, worker: WorkerProcess, error: RequestError) -> None:
        requests = [assignment.request for assignment in [*worker.assignments.values()]]
        worker.assignments.clear()
        fail_all(requests, error)

    def _replace(self, dead: WorkerProcess) -> None:
        """Start a new worker, after a delay if the last one died early, as this one might."""
        if dead.is_hung:
            timeout = worker_process.HANG_TIMEOUT
            _log(f"a worker process did not respond for {timeout:g} s and was killed")
        else:
            _log("a worker process died: it was killed or ran out of memory")
        delay = dead.started_at + RESTART_DELAY - time.monotonic()
        while not self._wait_until_closed(delay):
            try:
                self._start_instead(dead)
                return
            except (Gpt2Error, OSError) as error:
                _log(f"cannot restart the worker process: {error}")
                delay = RESTART_DELAY

    def _start_instead(self, dead: WorkerProcess) -> None:
        with self._condition:
            if self._closed:
                return
            worker = WorkerProcess(self._worker_config, dead.rows)
            self._starting.append(worker)
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
        finally:
            with self._condition:
                self._starting.remove(worker)


def _tokens(values: Iterable[list[Any]]) -> tuple[TokenLogprob, ...]:
    """The tokens from their `dataclasses.astuple`, after JSON."""
    return tuple(
        TokenLogprob(token, logprob, tuple((other, number) for other, number in top))
        for token, logprob, top in values
    )


def _log(message: str) -> None:
    print(f"gpt2-helpers: {message}", file=sys.stderr, flush=True)
