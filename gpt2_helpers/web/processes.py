"""Texts written in several processes, each with the model once more and a core of its own: Python
computes in one thread at a time, and products of a small model are too short to be shared.

This side keeps the count of what each has to write, and gives a text to the one with the least.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gpt2_helpers import device
from gpt2_helpers.decoder import Model
from gpt2_helpers.errors import Gpt2Error, OptionError
from gpt2_helpers.rows import Piece, Text
from gpt2_helpers.stored import StoredModel
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web import refusals
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.refusals import Broken, Closing, Refusal
from gpt2_helpers.web.writer import Job, Order, Writer, refuse
from gpt2_helpers.web.writing_process import Lines, Setup

SMALL = 20_000_000  # parameters; larger ones gain less, and take more memory
FEWEST_ROWS = 4  # to a process, where their number is not asked for
GRACE = 5.0  # seconds that a process has to end by itself
SHORT_LIFE = 10.0  # seconds after which a process that ended is replaced by another
LOOK = 0.02  # seconds


def processes_for(model: Model, config: ServeConfig) -> int:
    """How many processes are to write: as many as are asked for, else one a core for a small
    model, each with some rows. OptionError where they could not have the model."""
    if not (isinstance(model, StoredModel) and model.prefix):
        if config.processes > 1:
            raise OptionError(
                f"processes={config.processes}, each of which would write on a processor, and "
                "this model does not: leave processes out"
            )
        return 1
    if config.processes:
        return min(config.processes, config.batch_size)
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

    def __init__(self, setup: Setup) -> None:
        package = Path(__file__).parents[2]  # also where it was not installed
        paths = [str(package), os.environ.get("PYTHONPATH", "")]
        self.began = time.monotonic()
        self.texts: dict[int, _Given] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gpt2_helpers.web.writing_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            # Nothing of the folder that one happens to be in is imported.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                 "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self.output = self._process.stdin, self._process.stdout
        self._lines = Lines(self._input)
        self.tell(setup.told())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Gpt2Error where it cannot be."""
        first = json.loads(self.output.readline() or "{}")
        if not first.get("ready"):
            self.end()
            raise Gpt2Error(first.get("error", "a process that writes ended as it began"))

    def tell(self, values: Mapping[str, Any]) -> None:
        self._lines.tell(values)

    def end(self) -> None:
        """End it, by force where it does not by itself."""
        with suppress(OSError):
            self._input.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Writers(Writer):
    """Writes in `count_of` processes. `count` is called with the tokens that were written."""

    def __init__(
        self,
        model: StoredModel,
        tokenizer: Tokenizer,
        config: ServeConfig,
        count_of: int,
        count: Callable[[int], None] = lambda tokens: None,
        start_text: str = "",
    ) -> None:
        super().__init__(tokenizer, config, start_text)
        assert model.prefix is not None
        rows = -(-config.batch_size // count_of)
        self._setup = Setup(
            folder=str(model.prefix.parent.resolve()),
            checkpoint=model.prefix.name,
            precision=model.decoding_precision,
            threads=max(1, device.cores() // count_of),
            serve=asdict(replace(config, batch_size=rows, max_nsamples=1, processes=1)),
        )
        self._rows, self._count, self._counting = rows, count, threading.Lock()
        self._numbers = itertools.count()
        self._processes = [_Process(self._setup) for _ in range(count_of)]
        self._threads: list[threading.Thread] = []
        try:
            for process in self._processes:
                process.wait_until_ready()
        except Gpt2Error:
            for process in self._processes:
                process.end()
            raise
        model.decoders.clear()  # they have their own

    @property
    def pids(self) -> list[int]:
        """The processes' ids."""
        return [process.pid for process in self._processes]

    @property
    def waiting(self) -> int:
        return sum(max(0, len(process.texts) - self._rows) for process in self._processes)

    @property
    def writing(self) -> int:
        return sum(min(len(process.texts), self._rows) for process in self._processes)

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
            self._give_up(process, Closing("the server has ended before this text was done"))
        for process in self._processes:
            process.end()
        for thread in self._threads:
            thread.join()

    def put(self, job: Job, orders: Sequence[Order], urgent: bool = False) -> None:
        for order in orders:
            alive = [process for process in self._processes if process.is_alive]
            if not alive:
                raise Broken("the model failed: ask again in a few seconds")
            process = min(alive, key=lambda process: len(process.texts))
            rounds = 1.0 if urgent else max(1.0, (len(process.texts) + 1) / self._rows)
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
        for line in process.output:
            said = json.loads(line)
            for number, text, end in said.get("pieces", ()):
                self._tell(process, number, text, end)
            if "refused" in said:
                self._refused(process, said)
            if tokens := said.get("tokens"):
                with self._counting:
                    self._count(tokens)
        process.output.close()
        if not self._closing:
            self._replace(process)

    def _tell(self, process: _Process, number: int, text: str, end: list[Any] | None) -> None:
        given = process.texts.get(number)
        if given is None:  # cancelled meanwhile
            return
        whole: Text | None = None
        if end is not None:
            del process.texts[number]
            self._took((time.monotonic() - given.since) / given.rounds)
            whole = Text(end[0])
            whole.index, whole.prompt = given.order.sample, given.order.prompt
            whole.tokens, whole.ended = end[1:]
        given.job.tell(Piece(given.order.sample, text, whole))

    def _refused(self, process: _Process, said: Mapping[str, Any]) -> None:
        given = process.texts.pop(said["refused"], None)
        if given is not None:
            refusal: Refusal = getattr(refusals, said["as"])(said["because"])
            given.job.refuse(refusal)
            self.cancel(given.job)

    def _give_up(self, process: _Process, refusal: Refusal) -> None:
        jobs = [given.job for given in [*process.texts.values()]]
        process.texts.clear()
        refuse(jobs, refusal)

    def _replace(self, process: _Process) -> None:
        """Another in place of one that ended by itself, or was killed."""
        process.end()
        with self._wake:  # from now on it is given nothing more
            self._give_up(
                process, Broken("the model failed: ask again; the server's own log says why")
            )
        _note("a process that writes has ended: it was killed, or out of memory")
        if time.monotonic() < process.began + SHORT_LIFE:
            return  # so would the next
        another = _Process(self._setup)
        try:
            another.wait_until_ready()
        except Gpt2Error as error:
            _note(f"no other could take its place: {error}")
            return
        with self._wake:
            if not self._closing:
                self._processes[self._processes.index(process)] = another
                self._listen_to(another)
                return
        another.end()


def _note(message: str) -> None:
    """For who runs the server."""
    print(f"gpt2-helpers: {message}", file=sys.stderr, flush=True)
