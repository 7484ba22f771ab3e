"""The texts of all requests side by side: one thread writes, whoever asks listens.

A text joins those that are being written between two tokens, and leaves its row when it is done,
when nobody waits for it any longer, or when its time is over. Knows nothing of HTTP.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.decoder import Model
from gpt2_helpers.decoding import decoder_for
from gpt2_helpers.errors import OptionError, is_out_of_memory
from gpt2_helpers.rows import Draft, Piece, Rows, check_room
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.refusals import Broken, Closing, Refusal, TooMany, TooSlow, WrongRequest

READ_AT_ONCE = 128  # tokens of prompts between two steps, so that a long one holds up no one
FIRST_GUESS = 2.0  # seconds a text takes, until some were timed

Listener: TypeAlias = Callable[[Piece | Refusal], None]


class Job:
    """The texts of one request; the pieces that `hear` is called with count them from 0."""

    def __init__(self, hear: Listener, whole: bool, time_limit: float) -> None:
        self.hear, self.whole = hear, whole
        self.deadline = time.monotonic() + time_limit
        self.is_over = False  # nobody waits for more of it


@dataclass
class _Asked:
    """One text of a job."""

    job: Job
    draft: Draft
    sample: int
    began: float = 0.0


class Batcher:
    """Writes with one model for many: `start`, then `submit` from any thread, then `stop`. Nobody
    else may use the model meanwhile.

    `count` is called by the writing thread after each step, with the tokens that it wrote; `start`
    is read before each prompt, and not shown.
    """

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        config: ServeConfig,
        count: Callable[[int], None] = lambda tokens: None,
        start: str = "",
    ) -> None:
        self._tokenizer, self._config, self._count, self._start = tokenizer, config, count, start
        self._n_ctx = model.config.n_ctx
        # Prefixes may fill the model's window, however short the texts are to be.
        decoder = decoder_for(model, config.batch_size, self._n_ctx, model.decoding_precision)
        self._rows = Rows(decoder, tokenizer)
        self._waiting: deque[_Asked] = deque()
        self._writing: dict[int, _Asked] = {}  # by the index of their drafts
        self._indices = itertools.count()
        self._wake = threading.Condition()
        self._closing = False  # takes no more
        self._ending = False  # gives up what is not done
        self._seconds_a_text = FIRST_GUESS
        self._thread = threading.Thread(target=self._run, name="gpt2-texts", daemon=True)

    @property
    def waiting(self) -> int:
        """Texts that wait for a row."""
        return len(self._waiting)

    @property
    def writing(self) -> int:
        """Texts that are being written."""
        return len(self._writing)

    @property
    def most(self) -> int:
        """Texts that one request can ask for at once."""
        return self._config.batch_size + self._config.max_waiting

    @property
    def is_open(self) -> bool:
        """Whether requests are taken."""
        return self._thread.is_alive() and not self._closing

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Take no more requests. What was asked for is still written, then the thread ends."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()

    def stop(self, drain: float = 0.0) -> None:
        """Take no more, give what is not done yet `drain` seconds, then end."""
        self.close()
        if self._thread.ident is not None:
            self._thread.join(drain)
            with self._wake:
                self._ending = True
                self._wake.notify_all()
            self._thread.join()

    def submit(
        self,
        prompt: str,
        config: SamplingConfig,
        hear: Listener,
        *,
        new_tokens: int | None = None,
        whole: bool = False,
        urgent: bool = False,
    ) -> Job:
        """Ask for `config.nsamples` texts, of which `hear` then hears, from the writing thread:
        piece by piece, or with `whole` when one is finished. `new_tokens` are those after the
        prompt, in place of `config.length`; `urgent` goes before others that wait.

        Raises a Refusal where they cannot be, or where too many wait.
        """
        ids = self._tokenizer.encode(self._start + prompt, special=True)
        if new_tokens is not None:
            config = replace(config, length=len(ids) + new_tokens)
        try:
            check_room(ids, config.length)
        except OptionError as error:
            if len(ids) < self._config.max_length:
                raise WrongRequest(str(error)) from None
            raise WrongRequest(
                f"the prefix has {len(ids)} tokens, which length counts in, and this server takes "
                f"no length over {self._config.max_length}: send the last part of the prefix, or "
                "ask /api/generate for new_tokens in place of length"
            ) from None
        job = Job(hear, whole, self._config.time_limit)
        seed = secrets.randbits(63) if config.seed is None else config.seed
        asked = [
            _Asked(job, Draft(next(self._indices), prompt, ids, config, seed, sample), sample)
            for sample in range(config.nsamples)
        ]
        with self._wake:
            if self._closing:
                raise Closing("this server is about to end: ask again in a few seconds")
            if self.writing + self.waiting + len(asked) > self.most:
                raise TooMany(
                    f"{len(self._waiting)} texts wait already, and no more than "
                    f"{self._config.max_waiting} may: ask again a little later",
                    self._seconds_to_wait(),
                )
            if urgent:
                self._waiting.extendleft(reversed(asked))
            else:
                self._waiting.extend(asked)
            self._wake.notify_all()
        return job

    def cancel(self, job: Job) -> None:
        """Write no more of it: nobody is there to read."""
        with self._wake:
            job.is_over = True
            self._wake.notify_all()

    def _seconds_to_wait(self) -> int:
        rounds = 1 + len(self._waiting) / self._config.batch_size
        return max(1, min(60, round(rounds * self._seconds_a_text)))

    # --- The writing thread

    def _run(self) -> None:
        while self._await_work():
            try:
                self._drop_what_is_over()
                self._begin_what_fits()
                self._rows.read(READ_AT_ONCE)
                if tokens := self._rows.ready:
                    self._tell(list(self._rows.advance()))
                    self._count(tokens)
            except Exception as error:  # the machine's, or a mistake of ours: others go on
                self._give_up(_broken(error))
        self._give_up(Closing("the server has ended before this text was done"))
        self._rows.close()

    def _await_work(self) -> bool:
        """Sleep while there is nothing to do; False when there never will be."""
        with self._wake:
            while not (self._waiting or self._writing or self._closing):
                self._wake.wait()
            return bool(self._waiting or self._writing) and not self._ending

    def _drop_what_is_over(self) -> None:
        now = time.monotonic()
        with self._wake:
            everything = [*self._writing.values(), *self._waiting]
            for job in {asked.job for asked in everything}:
                if now > job.deadline:
                    limit = self._config.time_limit
                    _refuse(
                        [job],
                        TooSlow(f"this took longer than {limit:g} s: ask for a shorter length"),
                    )
            for asked in [asked for asked in self._writing.values() if asked.job.is_over]:
                self._rows.drop(asked.draft)
                del self._writing[asked.draft.index]
            going_on = [asked for asked in self._waiting if not asked.job.is_over]
            self._waiting.clear()
            self._waiting.extend(going_on)

    def _begin_what_fits(self) -> None:
        while self._rows.free:
            with self._wake:
                if not self._waiting:
                    return
                asked = self._waiting.popleft()
                self._writing[asked.draft.index] = asked
            asked.began = time.monotonic()
            self._rows.begin(asked.draft)

    def _tell(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            asked = self._writing[piece.index]
            if piece.finished is not None:
                del self._writing[piece.index]
                taken = time.monotonic() - asked.began
                self._seconds_a_text += 0.1 * (taken - self._seconds_a_text)
            if not asked.job.is_over and (piece.finished is not None or not asked.job.whole):
                with suppress(RuntimeError):  # the reader's loop has ended
                    asked.job.hear(replace(piece, index=asked.sample))

    def _give_up(self, refusal: Refusal) -> None:
        """Let go of all that is asked for."""
        with self._wake:
            everything = [*self._writing.values(), *self._waiting]
            self._writing.clear()
            self._waiting.clear()
        self._rows.clear()
        _refuse({asked.job for asked in everything}, refusal)


def _refuse(jobs: Iterable[Job], refusal: Refusal) -> None:
    for job in jobs:
        if not job.is_over:
            job.is_over = True
            with suppress(RuntimeError):
                job.hear(refusal)


def _broken(error: Exception) -> Broken:
    if is_out_of_memory(error):
        return Broken("out of memory: lower batch_size or max_length of the server")
    # For who runs the server; a stranger is told nothing of its inside.
    traceback.print_exception(error)
    return Broken("the model failed: ask again; the server's own log says why")
