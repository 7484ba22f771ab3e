"""The texts of all requests side by side in this process: one thread writes, whoever asks listens.

A text joins those that are being written between two tokens, and leaves its row when it is done,
when nobody waits for it any longer, or when its time is over.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections import abc, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gpt2_helpers.errors import is_out_of_memory
from gpt2_helpers.generation.batch import ContinuousBatch, Sequence
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.result import GenerationChunk
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.engine import Job, Order, Writer, refuse
from gpt2_helpers.web.errors import EngineFailed, RequestTimeout, ShuttingDown

READ_AT_ONCE = 128  # tokens of prompts between two steps, so that a long one holds up no one


@dataclass
class _Asked:
    """One text of a job."""

    job: Job
    sequence: Sequence
    sample: int
    began: float = 0.0


class Scheduler(Writer):
    """Writes in a thread, with a model that nobody else may use meanwhile.

    `count` is called by that thread after each step, with the tokens that it wrote.
    """

    def __init__(
        self,
        decoders: DecoderPool,
        tokenizer: Tokenizer,
        config: ServeConfig,
        count: Callable[[int], None] = lambda tokens: None,
        start_text: str = "",
    ) -> None:
        super().__init__(tokenizer, config, start_text)
        self._count = count
        # Prefixes may fill the model's window, however short the texts are to be.
        model = decoders.model
        decoder = decoders.get(config.batch_size, model.config.n_ctx, model.decoding_precision)
        self._batch = ContinuousBatch(decoder, tokenizer)
        self._waiting: deque[_Asked] = deque()
        self._writing: dict[int, _Asked] = {}  # by the index of their sequences
        self._indices = itertools.count()
        self._ending = False  # gives up what is not done
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
    def is_open(self) -> bool:
        """Whether requests are taken."""
        return self._thread.is_alive() and not self._closing

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, drain: float = 0.0) -> None:
        """Take no more, give what is not done yet `drain` seconds, then end."""
        self.close()
        if self._thread.ident is not None:
            self._thread.join(drain)
            with self._wake:
                self._ending = True
                self._wake.notify_all()
            self._thread.join()

    def put(self, job: Job, orders: abc.Sequence[Order], urgent: bool = False) -> None:
        asked = [_Asked(job, _sequence(next(self._indices), one), one.sample) for one in orders]
        with self._wake:
            if urgent:
                self._waiting.extendleft(reversed(asked))
            else:
                self._waiting.extend(asked)
            self._wake.notify_all()

    def cancel(self, job: Job) -> None:
        """Write no more of it: nobody is there to read."""
        with self._wake:
            job.is_over = True
            self._wake.notify_all()

    # --- The writing thread

    def _run(self) -> None:
        while self._await_work():
            try:
                self._drop_what_is_over()
                self._begin_what_fits()
                self._batch.prefill(READ_AT_ONCE)
                if tokens := self._batch.n_ready:
                    self._tell(list(self._batch.step()))
                    self._count(tokens)
            except Exception as error:  # the machine's, or a mistake of ours: others go on
                self._give_up(_broken(error))
        self._give_up(ShuttingDown("the server has ended before this text was done"))
        self._batch.close()

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
                    limit = self._config.request_timeout
                    job.refuse(
                        RequestTimeout(
                            f"this took longer than {limit:g} s: ask for a shorter length"
                        )
                    )
            for asked in [asked for asked in self._writing.values() if asked.job.is_over]:
                self._batch.remove(asked.sequence)
                del self._writing[asked.sequence.index]
            going_on = [asked for asked in self._waiting if not asked.job.is_over]
            self._waiting.clear()
            self._waiting.extend(going_on)

    def _begin_what_fits(self) -> None:
        while self._batch.n_free:
            with self._wake:
                if not self._waiting:
                    return
                asked = self._waiting.popleft()
                self._writing[asked.sequence.index] = asked
            asked.began = time.monotonic()
            self._batch.add(asked.sequence)

    def _tell(self, chunks: Iterable[GenerationChunk]) -> None:
        for chunk in chunks:
            asked = self._writing[chunk.index]
            if chunk.result is not None:
                del self._writing[chunk.index]
                self._took(time.monotonic() - asked.began)
            asked.job.tell(replace(chunk, index=asked.sample))

    def _give_up(self, refusal: EngineFailed | ShuttingDown) -> None:
        """Let go of all that is asked for."""
        with self._wake:
            everything = [*self._writing.values(), *self._waiting]
            self._writing.clear()
            self._waiting.clear()
        self._batch.clear()
        refuse((asked.job for asked in everything), refusal)


def _sequence(index: int, order: Order) -> Sequence:
    return Sequence(
        index, order.prompt, order.ids, order.sampling, seed=order.seed, sample=order.sample
    )


def _broken(error: Exception) -> EngineFailed:
    if is_out_of_memory(error):
        return EngineFailed("out of memory: lower batch_size or max_length of the server")
    # For who runs the server; a stranger is told nothing of its inside.
    traceback.print_exception(error)
    return EngineFailed("the model failed: ask again; the server's own log says why")
