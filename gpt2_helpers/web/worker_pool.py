"""Texts written in several processes, each with the model once more and a core of its own: Python
computes in one thread at a time, and products of a small model are too short to be shared.

This side keeps the count of what each has to write, and gives a text to the one with the least.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from gpt2_helpers.checkpoint.stored_model import InferenceModel
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.generation.decoder import Model
from gpt2_helpers.generation.result import GenerationChunk, GenerationResult
from gpt2_helpers.system import device
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web import errors
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Job, Order, Writer, refuse
from gpt2_helpers.web.errors import EngineFailed, RequestError, ShuttingDown
from gpt2_helpers.web.worker import Lines, Setup, said

SMALL = 20_000_000  # parameters; larger ones gain less, and take more memory
FEWEST_ROWS = 4  # to a process, where their number is not asked for
GRACE = 5.0  # seconds that a process has to end by itself
SHORT_LIFE = 10.0  # seconds from a process's beginning until another may take its place
LOOK = 0.02  # seconds
LOST = "the model failed: ask again; the server's own log says why"

# Nothing is imported from the folder that one happens to be in, which would come first.
BEGIN = """
import sys
sys.path = [*filter(None, sys.path), sys.argv[1]]
from gpt2_helpers.web.worker import main
main()
"""
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def processes_for(model: Model, config: ServeConfig) -> int:
    """How many processes are to write: as many as are asked for, else one a core for a small
    model, each with some rows. OptionError where they could not have the model."""
    if not (isinstance(model, InferenceModel) and model.prefix):
        if config.workers > 1:
            raise OptionError(
                f"workers={config.workers}, each of which would write on a processor, in int8 "
                "or float32, and this model is not loaded for that: leave processes and precision "
                "out"
            )
        return 1
    if config.workers:
        return min(config.workers, config.batch_size)
    is_small = model.config.n_parameters <= SMALL
    return max(1, min(device.cores(), config.batch_size // FEWEST_ROWS)) if is_small else 1


@dataclass
class _Given:
    """A text that a process has to write."""

    job: Job
    order: Order
    since: float
    rounds: float  # how many texts' time it takes, with those that go before


class _Process:
    """One of them, as this side sees it: `texts` are what it still has to write, by number."""

    def __init__(self, setup: Setup, rows: int) -> None:
        self.rows, self.began = rows, time.monotonic()
        self.texts: dict[int, _Given] = {}
        package = str(Path(__file__).parents[2])  # also where it was not installed
        threads = dict.fromkeys(THREADS, str(setup.threads))  # of NumPy's own libraries
        self._process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C is for the server, which ends them
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.output = self._process.stdout
        # Who tells it something must not wait until it listens.
        self._outbox: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._outbox.put({**setup.told(), "serve": {**setup.serve, "batch_size": rows}})
        threading.Thread(target=self._send, name="gpt2-orders", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Gpt2Error where it cannot be."""
        first = said(self.output.readline())
        if not first.get("ready"):
            raise Gpt2Error(first.get("error", "a process that writes ended as it began"))

    def tell(self, values: Mapping[str, Any]) -> None:
        self._outbox.put(values)

    def close(self) -> None:
        """Let it end; `wait` sees to it."""
        self._outbox.put(None)

    def wait(self, until: float) -> None:
        """Wait for its end, and end it by force where it is not there in time."""
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError), self._process.stdin as stream:  # it may be gone
            lines = Lines(stream)
            while (values := self._outbox.get()) is not None:
                lines.tell(values)


def end(processes: Iterable[_Process]) -> None:
    """End them, side by side."""
    processes = list(processes)
    for process in processes:
        process.close()
    until = time.monotonic() + GRACE
    for process in processes:
        process.wait(until)


class WorkerPool(Writer):
    """Writes in so many processes. `count` is called with the tokens that were written."""

    def __init__(
        self,
        model: InferenceModel,
        tokenizer: Tokenizer,
        config: ServeConfig,
        processes: int,
        count: Callable[[int], None] = lambda tokens: None,
        start_text: str = "",
    ) -> None:
        super().__init__(tokenizer, config, start_text)
        assert model.prefix is not None
        self._setup = Setup(
            folder=str(model.prefix.parent.resolve()),
            checkpoint=model.prefix.name,
            precision=model.decoding_precision,
            threads=max(1, device.cores() // processes),
            serve=asdict(replace(config, max_nsamples=1, workers=1)),
        )
        self._count, self._counting = count, threading.Lock()
        self._numbers = itertools.count()
        self._processes: list[_Process] = []
        self._threads: list[threading.Thread] = []
        try:
            for order in range(processes):  # so many rows in all
                rows = (config.batch_size + order) // processes
                self._processes.append(_Process(self._setup, rows))
            for process in self._processes:
                process.wait_until_ready()
        except BaseException:  # an interrupt too
            end(self._processes)
            raise

    @property
    def pids(self) -> list[int]:
        """The processes' ids."""
        return [process.pid for process in self._processes]

    @property
    def waiting(self) -> int:
        return sum(max(0, len(process.texts) - process.rows) for process in self._processes)

    @property
    def writing(self) -> int:
        return sum(min(len(process.texts), process.rows) for process in self._processes)

    @property
    def is_open(self) -> bool:
        return not self._closing and any(process.is_alive for process in self._processes)

    def start(self) -> None:
        for process in self._processes:
            self._listen_to(process)

    def stop(self, drain: float = 0.0) -> None:
        self.close()
        until = time.monotonic() + drain
        while any(process.texts for process in self._processes) and time.monotonic() < until:
            time.sleep(LOOK)
        for process in self._processes:
            self._give_up(process, ShuttingDown("the server has ended before this text was done"))
        end(self._processes)
        for thread in self._threads:
            thread.join()

    def put(self, job: Job, orders: Sequence[Order], urgent: bool = False) -> None:
        for order in orders:
            alive = [process for process in self._processes if process.is_alive]
            if not alive:
                raise EngineFailed("the model failed: ask again in a few seconds")
            process = min(alive, key=lambda process: len(process.texts) / process.rows)
            rounds = 1.0 if urgent else max(1.0, (len(process.texts) + 1) / process.rows)
            number = next(self._numbers)
            process.texts[number] = _Given(job, order, time.monotonic(), rounds)
            seconds = job.deadline - time.monotonic()
            process.tell({"put": number, "order": asdict(order), "whole": job.whole,
                          "urgent": urgent, "seconds": seconds})  # fmt: skip

    def cancel(self, job: Job) -> None:
        job.is_over = True
        for process in self._processes:
            numbers = [number for number, given in [*process.texts.items()] if given.job is job]
            for number in numbers:
                process.texts.pop(number, None)
            if numbers:
                process.tell({"cancel": numbers})

    # --- One thread for each process hears what it says

    def _listen_to(self, process: _Process) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(
            target=self._listen, args=[process], name="gpt2-texts", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _listen(self, process: _Process) -> None:
        try:
            with process.output:
                for line in process.output:
                    self._hear(process, said(line))
        except Exception:  # a mistake of ours: what it writes could not be told any longer
            traceback.print_exc()
        end([process])
        with self._wake:  # from now on it is given nothing more
            self._give_up(process, EngineFailed(LOST))
            if self._closing:
                return
        self._replace(process)

    def _hear(self, process: _Process, said: Mapping[str, Any]) -> None:
        for number, text, end in said.get("pieces", ()):
            self._tell(process, number, text, end)
        if "refused" in said:
            self._refused(process, said)
        if tokens := said.get("tokens"):
            with self._counting:
                self._count(tokens)

    def _tell(self, process: _Process, number: int, text: str, end: list[Any] | None) -> None:
        given = process.texts.get(number) if end is None else process.texts.pop(number, None)
        if given is None:  # cancelled meanwhile
            return
        result: GenerationResult | None = None
        if end is not None:
            self._took((time.monotonic() - given.since) / given.rounds)
            whole, tokens, reason = end
            order = given.order
            result = GenerationResult(whole, order.prompt, order.sample, tokens, reason)
        given.job.tell(GenerationChunk(given.order.sample, text, result))

    def _refused(self, process: _Process, said: Mapping[str, Any]) -> None:
        given = process.texts.pop(said["refused"], None)
        if given is not None:
            refusal: RequestError = getattr(errors, said["as"])(said["because"])
            given.job.refuse(refusal)
            self.cancel(given.job)

    def _give_up(self, process: _Process, refusal: RequestError) -> None:
        jobs = [given.job for given in [*process.texts.values()]]
        process.texts.clear()
        refuse(jobs, refusal)

    def _replace(self, process: _Process) -> None:
        """Another in place of one that ended by itself, or was killed; a little later where it had
        only begun, as the next may end as soon."""
        _note("a process that writes has ended: it was killed, or out of memory")
        pause = process.began + SHORT_LIFE - time.monotonic()
        while True:
            with self._wake:
                if self._wake.wait_for(lambda: self._closing, max(0.0, pause)):
                    return
            try:
                self._take_in(_Process(self._setup, process.rows), process)
                return
            except (Gpt2Error, OSError) as error:
                _note(f"no other can take its place yet: {error}")
                pause = SHORT_LIFE

    def _take_in(self, another: _Process, lost: _Process) -> None:
        try:
            another.wait_until_ready()
            with self._wake:
                if self._closing:
                    end([another])
                else:
                    self._processes[self._processes.index(lost)] = another
                    self._listen_to(another)
        except BaseException:
            end([another])
            raise


def _note(message: str) -> None:
    """For who runs the server."""
    print(f"gpt2-helpers: {message}", file=sys.stderr, flush=True)
