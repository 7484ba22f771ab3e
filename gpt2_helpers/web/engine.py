"""Who writes the texts of all requests: what is asked for -> orders, where there is room for them.

`batching` writes them in this process, `processes` in several others. Knows nothing of HTTP.
"""

from __future__ import annotations

import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.batch import check_prompt_fits
from gpt2_helpers.generation.result import GenerationChunk
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import RequestError, ShuttingDown, TooManyRequests, WrongRequest

FIRST_GUESS = 2.0  # seconds a text takes, until some were timed

Listener: TypeAlias = Callable[[GenerationChunk | RequestError], None]


class Job:
    """The texts of one request; the pieces that `hear` is called with count them from 0."""

    def __init__(self, hear: Listener, whole: bool, time_limit: float) -> None:
        self.hear, self.whole = hear, whole
        self.deadline = time.monotonic() + time_limit
        self.is_over = False  # nobody waits for more of it

    def refuse(self, refusal: RequestError) -> None:
        """Tell who listens that no more will come."""
        if not self.is_over:
            self.is_over = True
            with suppress(RuntimeError):  # the reader's loop has ended
                self.hear(refusal)

    def tell(self, chunk: GenerationChunk) -> None:
        """Tell who listens of some more, if it is what he asked for."""
        if not self.is_over and (chunk.result is not None or not self.whole):
            with suppress(RuntimeError):
                self.hear(chunk)


@dataclass(frozen=True)
class Order:
    """One text of a job, which will be the same wherever it is written."""

    prompt: str
    ids: list[int]  # of the prompt and what is read before it
    sampling: SamplingConfig
    seed: int
    sample: int  # which of the job's texts


class Writer(ABC):
    """Writes with one model for many: `start`, then `submit` from any thread, then `stop`.

    `start_text` is read before each prompt, and not shown.
    """

    def __init__(self, tokenizer: Tokenizer, config: ServeConfig, start_text: str) -> None:
        self._tokenizer, self._config, self._start_text = tokenizer, config, start_text
        self._wake = threading.Condition()
        self._closing = False  # takes no more
        self._seconds_a_text = FIRST_GUESS

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Texts that wait for a row."""

    @property
    @abstractmethod
    def writing(self) -> int:
        """Texts that are being written."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether requests are taken."""

    @property
    def most(self) -> int:
        """Texts that one request can ask for at once."""
        return self._config.batch_size + self._config.max_queue

    @abstractmethod
    def start(self) -> None:
        """Begin to write."""

    @abstractmethod
    def stop(self, drain: float = 0.0) -> None:
        """Take no more, give what is not done yet `drain` seconds, then end."""

    def close(self) -> None:
        """Take no more requests. What was asked for is still written."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()

    def submit(
        self,
        prompt: str,
        config: SamplingConfig,
        hear: Listener,
        *,
        max_new_tokens: int | None = None,
        whole: bool = False,
        urgent: bool = False,
    ) -> Job:
        """Ask for `config.nsamples` texts, of which `hear` then hears, from another thread: piece
        by piece, or with `whole` when one is finished. `max_new_tokens` are those after the prompt,
        in place of `config.length`; `urgent` goes before others that wait.

        Raises a Refusal where they cannot be, or where too many wait.
        """
        ids = self._tokenizer.encode(self._start_text + prompt, special=True)
        if max_new_tokens is not None:
            config = replace(config, length=len(ids) + max_new_tokens)
        try:
            check_prompt_fits(ids, config.length)
        except OptionError as error:
            if len(ids) < self._config.max_length:
                raise WrongRequest(str(error)) from None
            raise WrongRequest(
                f"the prefix has {len(ids)} tokens, which length counts in, and this server takes "
                f"no length over {self._config.max_length}: send the last part of the prefix, or "
                "ask /api/generate for max_new_tokens in place of length"
            ) from None
        job = Job(hear, whole, self._config.request_timeout)
        seed = secrets.randbits(63) if config.seed is None else config.seed
        orders = [Order(prompt, ids, config, seed, sample) for sample in range(config.nsamples)]
        with self._wake:
            if self._closing:
                raise ShuttingDown("this server is about to end: ask again in a few seconds")
            if self.writing + self.waiting + len(orders) > self.most:
                raise TooManyRequests(
                    f"{self.waiting} texts wait already, and no more than "
                    f"{self._config.max_queue} may: ask again a little later",
                    self._seconds_to_wait(),
                )
            self.put(job, orders, urgent)
        return job

    @abstractmethod
    def put(self, job: Job, orders: Sequence[Order], urgent: bool = False) -> None:
        """Let these texts of a job be written, before others that wait where they are `urgent`."""

    @abstractmethod
    def cancel(self, job: Job) -> None:
        """Write no more of it: nobody is there to read."""

    def _took(self, seconds: float) -> None:
        """A text was written in that time."""
        self._seconds_a_text += 0.1 * (seconds - self._seconds_a_text)

    def _seconds_to_wait(self) -> int:
        rounds = 1 + self.waiting / self._config.batch_size
        return max(1, min(60, round(rounds * self._seconds_a_text)))


def refuse(jobs: Iterable[Job], refusal: RequestError) -> None:
    """Refuse each of them once."""
    for job in set(jobs):
        job.refuse(refusal)
