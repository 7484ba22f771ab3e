"""Texts in the making, side by side in one decoder: which stands in which row, and how each grows.

A text may begin at any step, with a sampling of its own, and leaves its row when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.generation.decoder import Decoder
from gpt2_helpers.generation.detokenizer import StreamingDetokenizer
from gpt2_helpers.tokenizer import Tokenizer

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


class Draft:
    """One text in the making. `seed` and `sample` say which of all texts it will be, whatever
    stands beside it; `index` is what its pieces are told by."""

    def __init__(
        self,
        index: int,
        prompt: str,
        prompt_ids: list[int],
        config: SamplingConfig,
        seed: int,
        sample: int,
    ) -> None:
        self.index, self.prompt, self.prompt_ids, self.config = index, prompt, prompt_ids, config
        # A stream of its own.
        self.random = np.random.Generator(np.random.Philox(key=[seed, sample]))
        self.assembly = StreamingDetokenizer(prompt, config)
        self.ids: list[int] = []  # the start token or prompt, and all since
        self.position = 0  # of the newest id in the decoder's window; while it reads, of the next
        self.unread: list[int] | None = None  # of which the first `position` are read
        self.tries = 0

    @property
    def is_reading(self) -> bool:
        """Whether the decoder has not seen all of its beginning yet."""
        return self.unread is not None


class Rows:
    """The rows of one decoder, which nobody else uses until `close`.

    rows = Rows(decoder, tokenizer)
    rows.begin(draft)
    while rows.busy:
        rows.read()
        for piece in rows.advance(): ...
    """

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer) -> None:
        self._decoder, self._tokenizer = decoder, tokenizer
        self._n_ctx = decoder.config.n_ctx
        self._drafts: list[Draft | None] = [None] * decoder.batch_size
        decoder.in_use = True

    def close(self) -> None:
        """Leave the decoder to others."""
        self._decoder.in_use = False

    @property
    def busy(self) -> int:
        """How many texts are being written."""
        return sum(draft is not None for draft in self._drafts)

    @property
    def ready(self) -> int:
        """How many texts get a token with the next `advance`."""
        return sum(draft is not None and not draft.is_reading for draft in self._drafts)

    @property
    def free(self) -> int:
        """How many texts could begin."""
        return len(self._drafts) - self.busy

    def begin(self, draft: Draft) -> None:
        """Give a text a free row; once its beginning is read, each `advance` brings a token."""
        place = self._drafts.index(None)  # the lowest: see `advance`
        self._drafts[place] = draft
        self._start(draft)

    def drop(self, draft: Draft) -> None:
        """Let go of a text that nobody waits for any longer."""
        self._drafts[self._drafts.index(draft)] = None

    def clear(self) -> None:
        """Let go of all texts."""
        self._drafts = [None] * len(self._drafts)

    def read(self, at_most: int | None = None) -> None:
        """Read the beginnings of texts that have begun: all, or `at_most` about so many tokens,
        so that others need not wait for a long one."""
        left = at_most
        for place, draft in enumerate(self._drafts):
            while draft and draft.unread is not None and (left is None or left > 0):
                before = draft.position
                draft.position = self._decoder.read(place, draft.unread, before, left)
                left = None if left is None else left - (draft.position - before)
                if draft.position == len(draft.unread):
                    draft.unread = None

    def advance(self) -> Iterator[Piece]:
        """One more token for every text whose beginning is read."""
        # Rows above the last text's are not computed.
        drafts = self._drafts[: 1 + max(place for place, draft in enumerate(self._drafts) if draft)]
        ids, positions = np.zeros(len(drafts), np.int32), np.zeros(len(drafts), np.int32)
        uniforms = np.zeros(len(drafts), np.float32)
        some = next(draft for draft in drafts if draft).config
        configs = [draft.config if draft else some for draft in drafts]
        for place, draft in enumerate(drafts):
            if draft is not None:
                positions[place] = draft.position  # where a row that reads may be written to
                if not draft.is_reading:
                    ids[place] = draft.ids[-1]
                    uniforms[place] = draft.random.random(dtype=np.float32)
        chosen = self._decoder.step(ids, positions, uniforms, configs)
        for place, draft in enumerate(drafts):
            if draft is not None and not draft.is_reading:
                yield from self._append(place, draft, int(chosen[place]))

    def _start(self, draft: Draft) -> None:
        draft.ids = list(draft.prompt_ids) or [self._tokenizer.end_of_text]
        draft.assembly = StreamingDetokenizer(draft.prompt, draft.config)
        # A prompt that fills the window, as a text that has grown to its end, keeps its last part.
        fits = len(draft.ids) <= self._n_ctx
        _let_see(draft, draft.ids if fits else self._recent(draft))

    def _recent(self, draft: Draft) -> list[int]:
        return draft.ids[-max(1, self._n_ctx // 2) :]

    def _append(self, place: int, draft: Draft, token: int) -> Iterator[Piece]:
        draft.ids.append(token)
        draft.position += 1
        config = draft.config
        generated = len(draft.ids) - max(1, len(draft.prompt_ids))
        if token == self._tokenizer.end_of_text:
            draft.assembly.end()
        elif token < self._tokenizer.n_vocab:  # a model may have ids that its vocabulary lacks
            draft.assembly.add(self._tokenizer.decode_bytes([token]))
        ended = draft.assembly.ended
        # The likeliest token would be the same again.
        if ended and draft.assembly.is_blank and draft.tries < EMPTY_TRIES and config.temperature:
            draft.tries += 1
            self._start(draft)
            return
        if ended or generated >= config.length - len(draft.prompt_ids):
            draft.assembly.end()
            last = draft.assembly.take()
            text = Text(draft.assembly.taken())
            text.index, text.prompt = draft.index, draft.prompt
            text.tokens, text.ended = generated, ended
            self._drafts[place] = None
            yield Piece(draft.index, last, text)
            return
        if fresh := draft.assembly.take():
            yield Piece(draft.index, fresh)
        if draft.position >= self._n_ctx:
            _let_see(draft, self._recent(draft))


def _let_see(draft: Draft, ids: list[int]) -> None:
    """Let the draft read all of `ids` but the last, with which it then steps."""
    draft.unread, draft.position = ids[:-1], 0


def check_room(prompt_ids: list[int], length: int) -> None:
    """OptionError where a prompt leaves no room in `length`, which counts it in."""
    if len(prompt_ids) >= length:
        raise OptionError(
            f"the prefix has {len(prompt_ids)} tokens, and length={length} counts them in: "
            f"give a length over {len(prompt_ids)}"
        )
