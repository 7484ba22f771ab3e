"""Options that exclude tokens or change their logits: n-grams, banned words, logit bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gpt2_helpers.errors import OptionError, brief_repr
from gpt2_helpers.generation.token_table import TokenTable
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import Floats

EXCLUDED = np.float32(-np.inf)


class NoRepeatNgrams:
    """Excludes tokens that would complete an n-gram that the prompt or the text contains already
    (Paulus et al. 2017), as transformers does; see `LogitsProcessor`.

    Args:
        size: The length of n-grams, in tokens.
        prompt_ids: The token ids of the prompt.
    """

    def __init__(self, size: int, prompt_ids: Sequence[int]) -> None:
        self._size = size
        self._last: tuple[int, ...] = ()  # at most size - 1 tokens
        self._followers: dict[tuple[int, ...], list[int]] = {}
        for token in prompt_ids:
            self.append(token)

    def append(self, token: int) -> None:
        if len(self._last) == self._size - 1:
            self._followers.setdefault(self._last, []).append(token)
        self._last = (*self._last, token)[-(self._size - 1) :] if self._size > 1 else ()

    def apply(self, logits: Floats) -> None:
        logits[self._followers.get(self._last, [])] = EXCLUDED


class BannedWords:
    """Excludes tokens that would complete a banned text; see `LogitsProcessor`.

    The text is compared as bytes, so it is found however it is split into tokens, even if it starts
    in the prompt.

    Args:
        words: The banned texts.
        table: The tokens of the vocabulary.
        prompt_ids: The token ids of the prompt.
    """

    def __init__(self, words: Sequence[str], table: TokenTable, prompt_ids: Sequence[int]) -> None:
        self._table = table
        self._words = [word.encode("utf-8", errors="surrogatepass") for word in words]
        self._always = np.concatenate([table.containing(word) for word in self._words])
        self._room = max(map(len, self._words)) - 1  # bytes before a token that matter
        self._last = b""
        for token in prompt_ids:
            self.append(token)

    def append(self, token: int) -> None:
        added = self._table.tokens[token] if token < len(self._table.tokens) else b""
        self._last = (self._last + added)[-self._room :] if self._room else b""

    def apply(self, logits: Floats) -> None:
        logits[self._always] = EXCLUDED
        for word in self._words:
            for size in range(1, min(len(word), len(self._last) + 1)):
                if self._last.endswith(word[:size]):
                    logits[self._table.starting_with(word[size:])] = EXCLUDED


class LogitBias:
    """Adds numbers to the logits of tokens; see `LogitsProcessor`.

    A bias belongs to a token id, as in OpenAI's API, or to a text. That of a text of several tokens
    is added to the last one if the others are the last of the prompt and text so far, as the
    sequence bias of transformers is.

    Args:
        biases: Biases by token id, in decimal digits, or by text.
        tokenizer: The model's tokenizer.
        prompt_ids: The token ids of the prompt.

    Raises:
        OptionError: A token id is not in the vocabulary.
    """

    def __init__(
        self, biases: Mapping[str, float], tokenizer: Tokenizer, prompt_ids: Sequence[int]
    ) -> None:
        self._single: dict[int, float] = {}
        self._longer: list[tuple[tuple[int, ...], int, float]] = []
        for text, bias in biases.items():
            *before, token = _token_ids(text, tokenizer)
            if before:
                self._longer.append((tuple(before), token, bias))
            else:
                self._single[token] = self._single.get(token, 0.0) + bias
        self._ids = np.array([*self._single], np.int32)
        self._biases = np.array([*self._single.values()], np.float32)
        self._room = max((len(before) for before, _, _ in self._longer), default=0)
        self._last = tuple(prompt_ids[-self._room :]) if self._room else ()

    def append(self, token: int) -> None:
        if self._room:
            self._last = (*self._last, token)[-self._room :]

    def apply(self, logits: Floats) -> None:
        logits[self._ids] += self._biases
        for before, token, bias in self._longer:
            if self._last[-len(before) :] == before:
                logits[token] += np.float32(bias)


def _token_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of an entry of `logit_bias`: of a text, or a single id."""
    if not (text.isascii() and text.isdigit()):
        return tokenizer.encode(text, special=True)
    if len(text) > 9 or int(text) >= tokenizer.n_vocab:
        raise OptionError(
            f"logit_bias: token ids must be between 0 and {tokenizer.n_vocab - 1}, got "
            f"{brief_repr(text)}: a number in a text has a space before it"
        )
    return [int(text)]
