"""Prompts -> streams of ids -> texts: batching, early stop, prefix, truncate, sliding window.

An iterator that knows nothing of printing or files. A row whose text has ended takes the next
text, so that short texts cost what they are long.
"""

from __future__ import annotations

import codecs
import secrets
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.decoder import Decoder, Model
from gpt2_helpers.decoding import decoder_for
from gpt2_helpers.errors import OptionError, OutOfMemoryError, is_out_of_memory
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer

EMPTY_TRIES = 20  # how often a text that came out empty is drawn again


class Text(str):
    """A finished text, with what is known of it.

    `index` counts texts in the order of the prompts, `tokens` those that were generated, and
    `ended` is True where the model or `truncate` ended the text, False where `length` did.
    """

    index: int  # type: ignore[assignment]  # in place of str.index, which nobody looks for here
    prompt: str
    tokens: int
    ended: bool


@dataclass(frozen=True)
class Piece:
    """Some more of text `index`. With the last one, `finished` is that whole text."""

    index: int
    text: str
    finished: Text | None = None


def stream(
    model: Model,
    tokenizer: Tokenizer,
    prompts: str | Sequence[str],
    config: SamplingConfig,
    batch_alike: bool = True,
) -> Iterator[Text]:
    """Texts as they finish: `config.nsamples` for each prompt, not always in order (see
    `Text.index`). An empty prompt begins a new document.

    A seed gives the same texts for any batch size, for which 16-bit models are multiplied in fp32;
    without `batch_alike` they stay as they are, and it gives the same texts for the same batch.

    Raises OptionError where a prompt leaves no room in `config.length`, and OutOfMemoryError that
    says what to lower.

    for text in stream(model, tokenizer, ["Once upon a time"], SamplingConfig(length=50)):
        print(text)
    """
    for piece in pieces(model, tokenizer, prompts, config, batch_alike):
        if piece.finished is not None:
            yield piece.finished


def pieces(
    model: Model,
    tokenizer: Tokenizer,
    prompts: str | Sequence[str],
    config: SamplingConfig,
    batch_alike: bool = True,
) -> Iterator[Piece]:
    """The same texts piece by piece as they come, those of a batch interleaved. The pieces of one
    text joined are that text."""
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    with _out_of_memory_told(config):
        rows = _Rows(model, tokenizer, prompts, config, batch_alike)
    try:
        while True:
            with _out_of_memory_told(config):
                if not rows.fill():
                    break
                fresh = list(rows.advance())
            yield from fresh
    finally:
        rows.close()


@contextmanager
def _out_of_memory_told(config: SamplingConfig) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"out of memory for texts of length {config.length}, {config.batch_size} side by side: "
            "lower batch_size or length, or take a smaller model"
        ) from error


def in_order(texts: Iterable[Text]) -> Iterator[Text]:
    """Texts in the order of their prompts, which is not always that in which they finish."""
    early: dict[int, Text] = {}
    following = 0
    try:
        for text in texts:
            early[text.index] = text
            while following in early:
                yield early.pop(following)
                following += 1
    except KeyboardInterrupt:  # what is finished is not lost
        yield from (early[index] for index in sorted(early))
        raise


@dataclass
class _Row:
    """One text in the making."""

    index: int
    prompt: str
    prompt_ids: list[int]
    random: np.random.Generator
    assembly: _Assembly
    ids: list[int] = field(default_factory=list)  # the start token or prompt, and all since
    position: int = 0  # of the newest id in the decoder's window
    tries: int = 0


class _Rows:
    """The rows of one call: which text stands where, and what is still to come."""

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        prompts: list[str],
        config: SamplingConfig,
        batch_alike: bool,
    ) -> None:
        self._tokenizer, self._config = tokenizer, config
        self._n_ctx = model.config.n_ctx
        seed = secrets.randbits(63) if config.seed is None else config.seed
        encoded = [self._prompt_ids(prompt) for prompt in prompts]
        self._waiting = self._texts(prompts, encoded, seed)
        batch_size = max(1, min(config.batch_size, len(prompts) * config.nsamples))
        self._rows: list[_Row | None] = [None] * batch_size
        longest = max((len(ids) for ids in encoded), default=0)
        room = 1 + max(config.length, longest)
        precision = model.decoding_precision
        if batch_alike and config.seed is not None and precision in ("bfloat16", "float16"):
            # Products of 16-bit numbers depend a little on the batch's size.
            precision = "float32"
        self._decoder: Decoder = decoder_for(model, batch_size, room, precision)
        self._decoder.in_use = True

    def close(self) -> None:
        """Leave the decoder to others."""
        self._decoder.in_use = False

    def _texts(self, prompts: list[str], encoded: list[list[int]], seed: int) -> Iterator[_Row]:
        """Every text that is asked for, in order, before it begins."""
        for order, (prompt, ids) in enumerate(zip(prompts, encoded, strict=True)):
            for sample in range(self._config.nsamples):
                index = order * self._config.nsamples + sample
                # Each text has a stream of its own: the same, whatever stands beside it.
                random = np.random.Generator(np.random.Philox(key=[seed, index]))
                yield _Row(index, prompt, ids, random, _Assembly(prompt, self._config))

    def _prompt_ids(self, prompt: str) -> list[int]:
        ids = self._tokenizer.encode(prompt, special=True)
        length = self._config.length
        if len(ids) >= length:
            raise OptionError(
                f"the prefix has {len(ids)} tokens, and length={length} counts them in: "
                f"give a length over {len(ids)}"
            )
        if len(ids) > self._n_ctx:
            warnings.warn(
                f"the prefix has {len(ids)} tokens, the model sees {self._n_ctx}: "
                "the text goes on from its last part",
                stacklevel=4,
            )
        return ids

    def fill(self) -> bool:
        """Give free rows the next texts; False when nothing is left to do."""
        for place, row in enumerate(self._rows):
            if row is None and (following := next(self._waiting, None)) is not None:
                self._rows[place] = following
                self._begin(place)
        return any(row is not None for row in self._rows)

    def _begin(self, place: int) -> None:
        row = self._rows[place]
        assert row is not None
        row.ids = list(row.prompt_ids) or [self._tokenizer.end_of_text]
        row.assembly = _Assembly(row.prompt, self._config)
        # A prompt that fills the window, as a row that has grown to its end, keeps its last part.
        self._window(place, row.ids if len(row.ids) <= self._n_ctx else self._recent(row))

    def _recent(self, row: _Row) -> list[int]:
        return row.ids[-max(1, self._n_ctx // 2) :]

    def _window(self, place: int, ids: list[int]) -> None:
        """Let row `place` have seen all of `ids` but the last, which the next step reads."""
        row = self._rows[place]
        assert row is not None
        self._decoder.prefill(place, ids[:-1])
        row.position = len(ids) - 1

    def advance(self) -> Iterator[Piece]:
        """One more token for every row."""
        rows, size = self._rows, len(self._rows)
        ids, positions = np.zeros(size, np.int32), np.zeros(size, np.int32)
        uniforms = np.zeros(size, np.float32)
        for place, row in enumerate(rows):
            if row is not None:
                ids[place], positions[place] = row.ids[-1], row.position
                uniforms[place] = row.random.random(dtype=np.float32)
        chosen = self._decoder.step(ids, positions, uniforms, self._config)
        for place, row in enumerate(rows):
            if row is not None:
                yield from self._append(place, row, int(chosen[place]))

    def _append(self, place: int, row: _Row, token: int) -> Iterator[Piece]:
        row.ids.append(token)
        row.position += 1
        generated = len(row.ids) - max(1, len(row.prompt_ids))
        if token == self._tokenizer.end_of_text:
            row.assembly.end()
        elif token < self._tokenizer.n_vocab:  # a model may have ids that its vocabulary lacks
            row.assembly.add(self._tokenizer.decode_bytes([token]))
        ended = row.assembly.ended
        # The likeliest token would be the same again.
        if ended and row.assembly.is_blank and row.tries < EMPTY_TRIES and self._config.temperature:
            row.tries += 1
            self._begin(place)
            return
        if ended or generated >= self._config.length - len(row.prompt_ids):
            row.assembly.end()
            last = row.assembly.take()
            text = Text(row.assembly.taken())
            text.index, text.prompt = row.index, row.prompt
            text.tokens, text.ended = generated, ended
            self._rows[place] = None
            yield Piece(row.index, last, text)
            return
        if fresh := row.assembly.take():
            yield Piece(row.index, fresh)
        if row.position >= self._n_ctx:
            self._window(place, self._recent(row))


class _Assembly:
    """Bytes -> the text to show: ends at a stop text, waits for whole characters, skips leading
    newlines. What was taken is never taken back; so nothing can be, until it is sure that the text
    is not blank, since a blank one is written anew."""

    def __init__(self, prompt: str, config: SamplingConfig) -> None:
        # Runs of gpt-2-simple end their texts with the plain characters of the end token.
        stops = [END_OF_TEXT] + ([config.truncate] if config.truncate else [])
        self._stops = [stop.encode("utf-8", errors="surrogatepass") for stop in stops]
        self._held = b""  # what may become part of a stop text
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._fresh = prompt if config.include_prefix else ""
        self._taken: list[str] = []
        self.is_blank = True  # what was generated, the prompt left aside
        self.ended = False

    def add(self, fresh: bytes) -> None:
        """Take in a token's bytes; sets `ended` where a stop text is complete."""
        held = self._held + fresh
        places = [place for stop in self._stops if (place := held.find(stop)) >= 0]
        settled = min(places) if places else len(held) - self._stop_begun(held)
        self._settle(held[:settled])
        self._held = b"" if places else held[settled:]
        if places:
            self.end()

    def end(self) -> None:
        """No more is to come: nothing is held back any longer."""
        self._settle(self._held, final=True)
        self._held = b""
        self.ended = True

    def take(self) -> str:
        """What can be shown now and was not yet."""
        if self.is_blank and not self.ended:
            return ""
        fresh, self._fresh = self._fresh, ""
        if not self._taken:
            fresh = fresh.lstrip("\n")
        self._taken.append(fresh)
        return fresh

    def taken(self) -> str:
        """All that was shown."""
        return "".join(self._taken)

    def _settle(self, certain: bytes, final: bool = False) -> None:
        text = self._characters.decode(certain, final)
        self._fresh += text
        self.is_blank = self.is_blank and not text.strip()

    def _stop_begun(self, held: bytes) -> int:
        """How many of the last bytes are the beginning of a stop text."""
        return max(
            size
            for stop in self._stops
            for size in range(min(len(stop), len(held) + 1))
            if held.endswith(stop[:size])
        )
