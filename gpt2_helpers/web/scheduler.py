"""Continuous batching in this process: one thread runs the batch, requests come and go.

A sequence joins the running batch between two decode steps. It leaves when it is complete, when
its request was cancelled, or when the request's time is over.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from gpt2_helpers.errors import is_out_of_memory
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import Scorer, TextScore
from gpt2_helpers.generation.batch import ContinuousBatch, Sequence
from gpt2_helpers.generation.decoder import PREFILL_CHUNK
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.result import GenerationChunk
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Engine, Request, ScoreSpec, SequenceSpec, fail_all
from gpt2_helpers.web.errors import EngineFailed, ServiceUnavailable

STEP_TIMEOUT = 60.0  # seconds; a decode step that takes longer will not end


@dataclass
class _Entry:
    """A sequence, queued or running."""

    request: Request
    sequence: Sequence
    sample: int  # index within the request
    started: float = 0.0


@dataclass
class _ScoreEntry:
    """A text to score, and the parts of its computation."""

    request: Request
    parts: Iterator[int | TextScore]


class Scheduler(Engine):
    """Runs the batch in a thread. Nothing else may use the model while it runs.

    Args:
        decoders: The model's decoders.
        tokenizer: The model's tokenizer.
        config: Options of the server.
        on_tokens: Called from the thread after each decode step with the number of new tokens.
        prompt_prefix: Text put before every prompt and left out of the texts.
        prompt_suffix: Text put after every prompt, see `Engine`.
    """

    def __init__(
        self,
        decoders: DecoderPool,
        tokenizer: Tokenizer,
        config: ServeConfig,
        on_tokens: Callable[[int], None] = lambda tokens: None,
        prompt_prefix: str = "",
        prompt_suffix: str = "",
    ) -> None:
        super().__init__(tokenizer, config, prompt_prefix, prompt_suffix)
        self._on_tokens, self._decoders = on_tokens, decoders
        # Prompts may fill the model's whole window, whatever max_length is.
        model = decoders.model
        decoder = decoders.get(config.batch_size, model.config.n_ctx, model.decoding_precision)
        self._batch = ContinuousBatch(decoder, tokenizer)
        self._queue: deque[_Entry] = deque()
        self._scores: deque[_ScoreEntry] = deque()  # the first one is being computed
        self._running: dict[int, _Entry] = {}  # by the index of their sequences
        self._indices = itertools.count()
        self._step_started: float | None = None  # None while idle
        self._aborting = False  # fail what is not complete
        self._thread = threading.Thread(target=self._run, name="gpt2-scheduler", daemon=True)

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._scores)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def n_workers(self) -> int:
        return 1

    @property
    def n_responding(self) -> int:
        started = self._step_started
        hangs = started is not None and time.monotonic() - started > STEP_TIMEOUT
        return int(self._thread.is_alive() and not hangs)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 0.0) -> None:
        self.close()
        if self._thread.ident is not None:
            self._thread.join(timeout)
            with self._condition:
                self._aborting = True
                self._condition.notify_all()
            self._thread.join(STEP_TIMEOUT)

    def enqueue(self, request: Request, specs: list[SequenceSpec], urgent: bool = False) -> None:
        entries = [
            _Entry(request, _sequence(next(self._indices), spec), spec.sample) for spec in specs
        ]
        with self._condition:
            if urgent:
                self._queue.extendleft(reversed(entries))
            else:
                self._queue.extend(entries)
            self._condition.notify_all()

    def enqueue_score(self, request: Request, spec: ScoreSpec) -> None:
        config = ScoreConfig(precision="auto")
        prefix = "" if spec.ids else spec.prompt_prefix or ""
        scorer = Scorer(self._decoders, self.tokenizer, config, prefix)
        parts = scorer.parts([spec.text])
        if spec.ids:
            parts = scorer.parts_of_ids(spec.ids, spec.context, spec.top)
        with self._condition:
            self._scores.append(_ScoreEntry(request, parts))
            self._condition.notify_all()

    def cancel(self, request: Request) -> None:
        with self._condition:
            request.is_done = True
            self._condition.notify_all()

    # The methods below run in the thread.

    def _run(self) -> None:
        while self._wait_for_work():
            self._step_started = time.monotonic()
            try:
                self._remove_done()
                self._admit_waiting()
                # A long prompt does not stall the rest.
                self._batch.prefill(PREFILL_CHUNK)
                if tokens := self._batch.n_ready:
                    self._emit(list(self._batch.step()))
                    self._on_tokens(tokens)
                self._score_part()
            except Exception as error:  # fail the current requests and serve the next ones
                self._abort(_engine_failed(error))
            self._step_started = None
        self._abort(ServiceUnavailable("the server shut down before this text was complete"))
        self._batch.close()

    def _wait_for_work(self) -> bool:
        """Sleep until there is a sequence; False on shutdown."""
        with self._condition:
            while not (self._entries() or self._closed):
                self._condition.wait()
            return bool(self._entries()) and not self._aborting

    def _remove_done(self) -> None:
        """Drop the sequences of requests that were cancelled or are over their time limit."""
        now = time.monotonic()
        with self._condition:
            for request in {entry.request for entry in self._entries()}:
                if now > request.deadline:
                    request.fail(self.timeout_error())
            for entry in [entry for entry in self._running.values() if entry.request.is_done]:
                self._batch.remove(entry.sequence)
                del self._running[entry.sequence.index]
            remaining = [entry for entry in self._queue if not entry.request.is_done]
            self._queue.clear()
            self._queue.extend(remaining)
            scores = [entry for entry in self._scores if not entry.request.is_done]
            self._scores.clear()
            self._scores.extend(scores)

    def _admit_waiting(self) -> None:
        """Move queued sequences into free rows of the batch."""
        while self._batch.n_free:
            with self._condition:
                if not self._queue:
                    return
                entry = self._queue.popleft()
                self._running[entry.sequence.index] = entry
            entry.started = time.monotonic()
            self._batch.add(entry.sequence)

    def _emit(self, chunks: Iterable[GenerationChunk]) -> None:
        for chunk in chunks:
            entry = self._running[chunk.index]
            if chunk.result is not None:
                del self._running[chunk.index]
                self._record_duration(time.monotonic() - entry.started)
            entry.request.emit(replace(chunk, index=entry.sample))

    def _score_part(self) -> None:
        """Compute a part of the first text to score, so that a long one does not stall the rest."""
        if self._scores and isinstance(part := next(self._scores[0].parts), TextScore):
            with self._condition:
                entry = self._scores.popleft()
            entry.request.emit_score(part)

    def _abort(self, error: EngineFailed | ServiceUnavailable) -> None:
        """Fail all requests and empty the batch."""
        with self._condition:
            entries = self._entries()
            self._running.clear()
            self._queue.clear()
            self._scores.clear()
        self._batch.clear()
        fail_all((entry.request for entry in entries), error)

    def _entries(self) -> list[_Entry | _ScoreEntry]:
        return [*self._running.values(), *self._queue, *self._scores]


def _sequence(index: int, spec: SequenceSpec) -> Sequence:
    return Sequence(
        *(index, spec.prompt, spec.ids, spec.sampling, spec.seed, spec.random_stream),
        exact=spec.exact,
        top_logprobs=spec.top_logprobs,
    )


def _engine_failed(error: Exception) -> EngineFailed:
    if is_out_of_memory(error):
        return EngineFailed("out of memory: lower the server's batch_size or max_length")
    # The traceback is for the operator; clients must not see internals.
    traceback.print_exception(error)
    return EngineFailed("the model failed: retry; details are in the server's log")
