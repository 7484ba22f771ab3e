"""Engine interface: queues the sequences of each request and reports their chunks.

`scheduler` implements it with a thread, `worker_pool` with several processes. Independent of HTTP.
"""

from __future__ import annotations

import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import MissingPackageError, OptionError
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.generation.batch import check_prompt_fits
from gpt2_helpers.generation.likelihood import BestOf
from gpt2_helpers.generation.processors import Processors
from gpt2_helpers.generation.prompts import EncodedPrompt, encode_prompt
from gpt2_helpers.generation.result import GenerationChunk
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import (
    BadRequest,
    RequestError,
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
)

INITIAL_SEQUENCE_SECONDS = 2.0  # assumed duration of a sequence until some have been timed

OutputCallback: TypeAlias = Callable[[GenerationChunk | RequestError], None]
ScoreCallback: TypeAlias = Callable[[TextScore | RequestError], None]


class Request:
    """A submitted request: sequences, or a text to score, whose output goes to `on_output`.

    Args:
        on_output: Called with each chunk, numbered by sequence from 0, with the score, or with an
            error.
        stream: Whether to pass on every chunk, or only the last one of each sequence.
        timeout: Seconds until the request fails.
    """

    def __init__(self, on_output: Callable[[Any], None], stream: bool, timeout: float) -> None:
        self.stream = stream
        self.deadline = time.monotonic() + timeout
        self.is_done = False  # failed or cancelled: no more output
        self._on_output = on_output

    def fail(self, error: RequestError) -> None:
        """Pass an error on and end the request; does nothing if it has ended."""
        if not self.is_done:
            self.is_done = True
            self._call(error)

    def emit(self, chunk: GenerationChunk) -> None:
        """Pass a chunk on if the client wants it."""
        if not self.is_done and (self.stream or chunk.result is not None):
            self._call(chunk)

    def emit_score(self, score: TextScore) -> None:
        """Pass the score of a text on, which ends the request."""
        if not self.is_done:
            self.is_done = True
            self._call(score)

    def _call(self, output: GenerationChunk | TextScore | RequestError) -> None:
        with suppress(RuntimeError):  # the client's event loop is closed
            self._on_output(output)


@dataclass(frozen=True)
class ScoreSpec:
    """A text to score, or token ids in place of it."""

    text: str = ""
    prompt_prefix: str | None = None  # before the text, not scored; None for the server's
    ids: Sequence[int] = ()
    context: Sequence[int] = ()  # ids before `ids`, not scored
    top: int = 0  # likeliest tokens to find in the place of each of `ids`


@dataclass(frozen=True)
class SequenceSpec:
    """One sequence of a request. Its text does not depend on which worker generates it."""

    prompt: str
    ids: list[int]  # of the prompt, including the prompt prefix
    sampling: SamplingConfig
    seed: int
    sample: int  # index within the request
    random_stream: int = 0  # number of its random numbers for this seed
    exact: bool = False  # see `Sequence` of generation/batch.py, as is the next one
    top_logprobs: int | None = None


class Engine(ABC):
    """Generates for many requests with one model.

    Call `start`, then `submit` from any thread, then `stop`.

    Args:
        tokenizer: The model's tokenizer.
        config: Options of the server.
        prompt_prefix: Text put before every prompt and left out of the texts, unless the request
            has its own.
        prompt_suffix: Text put after every prompt, unless the request has its own.

    Attributes:
        tokenizer: The model's tokenizer.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: ServeConfig, prompt_prefix: str, prompt_suffix: str = ""
    ) -> None:
        self.tokenizer, self._config = tokenizer, config
        self._prompt_prefix, self._prompt_suffix = prompt_prefix, prompt_suffix
        self._condition = threading.Condition()
        self._closed = False  # accepts no more requests
        self._sequence_seconds = INITIAL_SEQUENCE_SECONDS  # moving average

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Number of queued sequences and texts to score."""

    @property
    @abstractmethod
    def running(self) -> int:
        """Number of sequences in the batch."""

    @property
    @abstractmethod
    def n_workers(self) -> int:
        """Number of threads or processes that generate."""

    @property
    @abstractmethod
    def n_responding(self) -> int:
        """Number of those that neither died nor hang."""

    @property
    def is_ready(self) -> bool:
        """Whether requests are accepted and will be answered."""
        return not self._closed and self.n_responding > 0

    @property
    def capacity(self) -> int:
        """Maximum number of sequences, running or queued."""
        return self._config.batch_size + self._config.max_queue

    @abstractmethod
    def start(self) -> None:
        """Start generating in the background."""

    @abstractmethod
    def stop(self, timeout: float = 0.0) -> None:
        """Reject new requests, give running ones `timeout` seconds to finish, then end."""

    def close(self) -> None:
        """Reject new requests. Those already submitted still run."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def submit(
        self,
        prompt: str | EncodedPrompt,
        config: SamplingConfig,
        on_output: OutputCallback,
        *,
        max_new_tokens: int | None = None,
        stream: bool = True,
        urgent: bool = False,
        exact: bool = False,
        top_logprobs: int | None = None,
        first_sample: int = 0,
    ) -> Request:
        """Queue `config.nsamples` sequences, or `config.best_of`.

        Args:
            prompt: The text to continue, or its token ids, see `encode`.
            config: Sampling options.
            on_output: Called from a background thread with each chunk, or with an error at most
                once.
            max_new_tokens: Tokens after the prompt, in place of `config.length`.
            stream: Whether to report every chunk, or only the last one of each sequence.
            urgent: Whether to queue before all others.
            exact: Whether the texts are exactly those of their tokens, see `Sequence` of
                generation/batch.py.
            top_logprobs: How many of the likeliest tokens to record with each token; None records
                no log-probabilities.
            first_sample: Number of the first sequence's random numbers for the seed of `config`;
                the following sequences have the following numbers.

        Returns:
            The request, for `cancel`.

        Raises:
            BadRequest: If the prompt leaves no room for a new token, or an option is not possible
                with this model.
            TooManyRequests: If the queue is full.
            ServiceUnavailable: If the engine has been closed.
        """
        prefix, suffix = self._markers(config)
        encoded = prompt if isinstance(prompt, EncodedPrompt) else self.encode(prompt, config)
        ids, hidden = encoded.ids, encoded.hidden
        n_prompt = len(ids) - hidden
        if max_new_tokens is not None:
            config = replace(config, length=n_prompt + max_new_tokens)
        try:
            check_prompt_fits(ids[hidden:], config.length)
        except OptionError as error:
            if n_prompt < self._config.max_length:
                raise BadRequest(str(error)) from None
            raise BadRequest(
                f"the prefix has {n_prompt} tokens, which count towards length, and the maximum "
                f"length of this server is {self._config.max_length}: send only the last part of "
                "the prefix, or use max_new_tokens of /api/generate instead of length"
            ) from None
        length = config.length + hidden
        config = replace(config, prompt_prefix=prefix, prompt_suffix=suffix, length=length)
        try:
            Processors(config, self.tokenizer, ids)
        except (MissingPackageError, OptionError) as error:
            raise BadRequest(str(error)) from None
        if config.best_of:
            on_output, stream = _most_likely(config, on_output), False
        request = Request(on_output, stream, self._config.request_timeout)
        seed = secrets.randbits(63) if config.seed is None else config.seed
        samples = range(config.n_candidates)
        specs = [
            SequenceSpec(
                *(encoded.text, ids, config, seed, sample),
                random_stream=first_sample + sample,
                exact=exact,
                top_logprobs=top_logprobs,
            )
            for sample in samples
        ]
        with self._condition:
            self._check_room(len(specs))
            self.enqueue(request, specs, urgent)
        return request

    def encode(self, prompt: str, config: SamplingConfig | None = None) -> EncodedPrompt:
        """Encode a prompt with what is put around it.

        Args:
            prompt: The prompt.
            config: Has the prompt prefix and suffix. Defaults to those of the server.
        """
        return encode_prompt(self.tokenizer, prompt, *self._markers(config or SamplingConfig()))

    def check_ids(self, ids: Iterable[int], param: str) -> None:
        """Raise BadRequest if a token id of a request's parameter is not in the vocabulary."""
        for token in ids:
            if not 0 <= token < self.tokenizer.n_vocab:
                raise BadRequest(
                    f"token ids must be between 0 and {self.tokenizer.n_vocab - 1}, got {token}: "
                    "were they encoded with another model's tokenizer?",
                    param,
                )

    def _markers(self, config: SamplingConfig) -> tuple[str, str]:
        """What is put before and after a prompt."""
        before, after = config.prompt_prefix, config.prompt_suffix
        return (
            self._prompt_prefix if before is None else before,
            self._prompt_suffix if after is None else after,
        )

    def submit_score(self, spec: ScoreSpec, on_output: ScoreCallback) -> Request:
        """Queue a text to score.

        Args:
            spec: The text or the ids, not empty.
            on_output: Called from a background thread with a `TextScore` or an error.

        Returns:
            The request, for `cancel`.

        Raises:
            TooManyRequests: If the queue is full.
            ServiceUnavailable: If the engine has been closed.
        """
        if spec.prompt_prefix is None:
            spec = replace(spec, prompt_prefix=self._prompt_prefix)
        request = Request(on_output, False, self._config.request_timeout)
        with self._condition:
            self._check_room(1)
            self.enqueue_score(request, spec)
        return request

    def _check_room(self, count: int) -> None:
        """Raise TooManyRequests or ServiceUnavailable if `count` more cannot be queued."""
        if self._closed:
            raise ServiceUnavailable("the server is shutting down: retry in a few seconds")
        if self.running + self.waiting + count > self.capacity:
            limit = self._config.max_queue
            # Sequences that the batch has room for also wait until its next step.
            raise TooManyRequests(
                f"queue full ({min(self.waiting, limit)} of {limit}): retry later",
                self._estimate_wait(),
            )

    @abstractmethod
    def enqueue_score(self, request: Request, spec: ScoreSpec) -> None:
        """Queue a text to score; the request gets a `TextScore`."""

    @abstractmethod
    def enqueue(self, request: Request, specs: list[SequenceSpec], urgent: bool = False) -> None:
        """Queue sequences of a request.

        Args:
            request: The request, which gets the output.
            specs: Its sequences.
            urgent: Whether to queue them before all others.
        """

    @abstractmethod
    def cancel(self, request: Request) -> None:
        """Stop generating for a request; it gets no more output."""

    def timeout_error(self) -> RequestTimeout:
        """Return the error of a request that is over its time limit."""
        limit = self._config.request_timeout
        return RequestTimeout(f"the request exceeded {limit:g} s: ask for fewer tokens")

    def _record_duration(self, seconds: float) -> None:
        """Update the average time that a sequence takes."""
        self._sequence_seconds += 0.1 * (seconds - self._sequence_seconds)

    def _estimate_wait(self) -> int:
        """Seconds until the queue should have room."""
        rounds = 1 + self.waiting / self._config.batch_size
        return max(1, min(60, round(rounds * self._sequence_seconds)))


def _most_likely(config: SamplingConfig, on_output: OutputCallback) -> OutputCallback:
    """Pass on only the most likely candidates, and errors."""
    best = BestOf(config)

    def choose(output: GenerationChunk | RequestError) -> None:
        chosen = best.add(output) if isinstance(output, GenerationChunk) else [output]
        for chunk in chosen:
            on_output(chunk)

    return choose


def fail_all(requests: Iterable[Request], error: RequestError) -> None:
    """Fail each request once."""
    for request in set(requests):
        request.fail(error)
