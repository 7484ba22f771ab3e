"""Log-probabilities of the tokens of texts, with windows that move over long texts.

A window of tokens moves over a text by a stride. Each token is scored once, in the first window
that contains it, so it has at least `window - stride` tokens of context once the text has that
many. Short texts and windows of similar lengths are computed together.
"""

from __future__ import annotations

import codecs
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.generation.decoder import Weights
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer

_BATCH_TOKENS = 1024  # in one pass, padding included
_READ_AHEAD_TOKENS = 8 * _BATCH_TOKENS  # of windows that are sorted by length


@dataclass(frozen=True)
class Measures:
    """How well a model predicts a text, or several texts together.

    Attributes:
        tokens: Number of scored tokens.
        bytes: Number of UTF-8 bytes of the scored text.
        total: Log-probability of the text: the sum of those of its tokens, in nats.
    """

    tokens: int = 0
    bytes: int = 0
    total: float = 0.0

    def __add__(self, other: Measures) -> Measures:
        return Measures(
            self.tokens + other.tokens, self.bytes + other.bytes, self.total + other.total
        )

    @property
    def loss(self) -> float:
        """Cross-entropy in nats per token, as in training."""
        return -self.total / self.tokens

    @property
    def perplexity(self) -> float:
        """The exponential of the loss: choosing uniformly from this many tokens is as uncertain."""
        try:
            return math.exp(self.loss)
        except OverflowError:
            return math.inf

    @property
    def bits_per_byte(self) -> float:
        """Cross-entropy in bits per UTF-8 byte, which does not depend on the vocabulary.

        >>> Measures(tokens=1, bytes=2, total=math.log(1 / 16)).bits_per_byte
        2.0
        """
        return -self.total / math.log(2) / self.bytes

    def as_json(self) -> dict[str, float | None]:
        """The numbers for JSON, which has no infinite perplexity."""
        perplexity = self.perplexity
        return {
            "tokens": self.tokens,
            "bytes": self.bytes,
            "loss": self.loss,
            "perplexity": perplexity if math.isfinite(perplexity) else None,
            "bits_per_byte": self.bits_per_byte,
        }


@dataclass(frozen=True)
class TextScore:
    """The log-probabilities of a text's tokens.

    Attributes:
        tokens: The text of each token; joined, they are the text. A token that ends inside a
            character is empty, and the token that completes the character has it.
        ids: Token ids.
        logprobs: Natural logarithm of the probability of each token, given those before it.
        measures: Loss, perplexity and bits per byte.
        top: The ids and log-probabilities of the likeliest tokens in the place of each token, the
            likeliest first, if they were asked for.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    measures: Measures
    top: tuple[tuple[tuple[int, float], ...], ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TextScore:
        """The score from its `dataclasses.asdict`, possibly after a round trip through JSON."""
        tokens, ids, logprobs = (tuple(values[name]) for name in ("tokens", "ids", "logprobs"))
        top = tuple(tuple((index, logprob) for index, logprob in place) for place in values["top"])
        return cls(tokens, ids, logprobs, Measures(**values["measures"]), top)

    @property
    def text(self) -> str:
        """The text."""
        return "".join(self.tokens)

    @property
    def total(self) -> float:
        """Log-probability of the text, in nats."""
        return self.measures.total

    @property
    def loss(self) -> float:
        """Cross-entropy in nats per token."""
        return self.measures.loss

    @property
    def perplexity(self) -> float:
        """The exponential of the loss."""
        return self.measures.perplexity

    @property
    def bits_per_byte(self) -> float:
        """Cross-entropy in bits per UTF-8 byte."""
        return self.measures.bits_per_byte

    @property
    def segments(self) -> list[tuple[str, float]]:
        """The parts to show, each with its probability: the tokens, of which those of one character
        are joined."""
        parts, waiting = [], 0.0
        for token, logprob in zip(self.tokens, self.logprobs, strict=True):
            waiting += logprob
            if token:
                parts.append((token, math.exp(waiting)))
                waiting = 0.0
        return parts


class _Pending:
    """A text whose tokens are being scored, and the ids before it, which are not."""

    def __init__(self, text: str, ids: Sequence[int], context: Sequence[int]) -> None:
        self.text, self.ids, self.context = text, ids, context
        self.logprobs: list[float] = []
        self.top: list[tuple[tuple[int, float], ...]] = []

    @property
    def is_finished(self) -> bool:
        return len(self.logprobs) == len(self.ids)


class _Window(NamedTuple):
    """Ids of a text with their context, of which those from `first` on are scored."""

    text: _Pending
    ids: Sequence[int]
    first: int

    @property
    def scored(self) -> tuple[int, int]:
        """The range of the ids that are scored."""
        return self.first, len(self.ids)


class _Found(NamedTuple):
    """What was computed for a window."""

    logprobs: list[float]
    top: list[tuple[tuple[int, float], ...]]


class Scorer:
    """Scores texts with one model.

    for score in Scorer(DecoderPool(model), tokenizer).score(["Once upon a time", "It was"]):
        print(score.perplexity)

    Args:
        decoders: The model's decoders, whose weights are used.
        tokenizer: The model's tokenizer.
        config: Window, stride and precision.
        prompt_prefix: Text before each text that is not scored, unless `config` has one.

    Attributes:
        window: Tokens of context at most.
        stride: Tokens that the window moves by.
        precision: The compute dtype.

    Raises:
        OptionError: The window, the stride or the prefix is too long.
    """

    def __init__(
        self,
        decoders: DecoderPool,
        tokenizer: Tokenizer,
        config: ScoreConfig | None = None,
        prompt_prefix: str = "",
    ) -> None:
        config = config or ScoreConfig()
        self._decoders, self._tokenizer = decoders, tokenizer
        model = decoders.model
        self.window, self.stride = config.sizes(model.config.n_ctx)
        precision = config.precision
        self.precision = model.decoding_precision if precision == "auto" else precision
        prefix = prompt_prefix if config.prompt_prefix is None else config.prompt_prefix
        # As in training, where each text follows an end of text.
        self._context = [tokenizer.end_of_text, *tokenizer.encode(prefix, special=True)]
        if len(self._context) > self.window:
            raise OptionError(
                f"prompt_prefix has {len(self._context) - 1} tokens, which leaves no room in a "
                f"window of {self.window}: shorten it"
            )

    def score(self, texts: Iterable[str], special: bool = False) -> Iterator[TextScore]:
        """Score texts one after another.

        Args:
            texts: The texts, read as needed.
            special: Whether `<|endoftext|>` in a text is a single token. Its bytes are not counted.

        Yields:
            The score of each text, in order.

        Raises:
            DatasetError: A text is empty.
        """
        for part in self.parts(texts, special):
            if isinstance(part, TextScore):
                yield part

    def parts(self, texts: Iterable[str], special: bool = False) -> Iterator[int | TextScore]:
        """Score texts like `score`, with progress.

        Yields:
            After each pass the number of tokens that it has scored, and the score of each text, in
            order, once it is complete.
        """
        return self._parts((self._encode(text, special) for text in texts), special)

    def parts_of_ids(
        self, ids: Sequence[int], context: Sequence[int], top: int = 0
    ) -> Iterator[int | TextScore]:
        """Score token ids that follow others, in place of a text.

        Args:
            ids: The token ids to score, at least one.
            context: The token ids before them, at least one, of which the last `window` are used.
            top: How many of the likeliest tokens to find in each place. Defaults to none.

        Yields:
            See `parts`.
        """
        text = self._tokenizer.decode(ids)
        return self._parts([_Pending(text, ids, context[-self.window :])], False, top)

    def _parts(
        self, texts: Iterable[_Pending], special: bool, top: int = 0
    ) -> Iterator[int | TextScore]:
        weights = self._decoders.weights(self.precision)
        pending: deque[_Pending] = deque()
        windows: list[_Window] = []
        waiting = 0
        for text in texts:
            pending.append(text)
            for window in self._windows(text):
                windows.append(window)
                waiting += len(window.ids)
                if waiting >= _READ_AHEAD_TOKENS:
                    yield from _compute(weights, windows, top)
                    windows, waiting = [], 0
            while pending and pending[0].is_finished:
                yield self._result(pending.popleft(), special)
        yield from _compute(weights, windows, top)
        for finished in pending:
            yield self._result(finished, special)

    def _encode(self, text: str, special: bool) -> _Pending:
        ids = self._tokenizer.encode(text, special)
        if not text or (special and not text.replace(END_OF_TEXT, "")):
            raise DatasetError("cannot score an empty text")
        return _Pending(text, ids, self._context)

    def _windows(self, text: _Pending) -> Iterator[_Window]:
        ids = [*text.context, *text.ids]
        scored = len(text.context)
        end = min(len(ids), self.window + 1)
        while scored < len(ids):
            start = max(0, end - self.window - 1)
            yield _Window(text, ids[start:end], scored - start)
            scored, end = end, min(len(ids), end + self.stride)

    def _result(self, text: _Pending, special: bool) -> TextScore:
        size = len(text.text.encode())
        if special:
            size -= len(END_OF_TEXT) * text.text.count(END_OF_TEXT)
        measures = Measures(len(text.ids), size, math.fsum(text.logprobs))
        tokens = token_texts(text.ids, self._tokenizer)
        return TextScore(
            tuple(tokens), tuple(text.ids), tuple(text.logprobs), measures, tuple(text.top)
        )


def _compute(weights: Weights, windows: Sequence[_Window], top: int = 0) -> Iterator[int]:
    """Add the log-probabilities of windows to their texts; yields numbers of scored tokens."""
    by_length = sorted(range(len(windows)), key=lambda index: len(windows[index].ids))
    found: dict[int, _Found] = {}
    for batch in _batches(by_length, [len(window.ids) for window in windows]):
        time = len(windows[batch[-1]].ids)
        ids = np.zeros((len(batch), time), np.int32)  # causal attention ignores the padding
        for row, index in enumerate(batch):
            ids[row, : len(windows[index].ids)] = windows[index].ids
            found[index] = _Found([], [])
        start = 1  # the first id of each row has no probability
        for part in weights.log_probabilities(ids, top):
            end, count = start + part.targets.shape[1], 0
            for row, index in enumerate(batch):
                first, last = (min(max(at, start), end) for at in windows[index].scored)
                places = slice(first - start, last - start)
                found[index].logprobs.extend(part.targets[row, places].tolist())
                if top:
                    pairs = part.top_ids[row, places].tolist(), part.top[row, places].tolist()
                    found[index].top.extend(
                        tuple(zip(*place, strict=True)) for place in zip(*pairs, strict=True)
                    )
                count += last - first
            start = end
            yield count
    for index, window in enumerate(windows):
        window.text.logprobs += found[index].logprobs
        window.text.top += found[index].top


def token_texts(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """The text of each token; see `TextScore.tokens`.

    >>> from gpt2_helpers.config import BUNDLED_FOLDER
    >>> tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    >>> token_texts(tokenizer.encode("It was \u6c34"), tokenizer)
    ['It', ' was', ' ', '', '', '\u6c34']
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    last = len(ids) - 1
    return [
        decoder.decode(tokenizer.decode_bytes([index]), order == last)
        for order, index in enumerate(ids)
    ]


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group indices, sorted by length, into batches of few tokens with their padding."""
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * lengths[index] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
