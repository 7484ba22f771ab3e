"""The `logprobs` of a choice: tokens, their log-probabilities, the likeliest ones and offsets."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Any

from gpt2_helpers.generation.result import TokenLogprob
from gpt2_helpers.tokenizer import Tokenizer

NAMES = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


def token_name(tokenizer: Tokenizer, token: int) -> str:
    """The text of a token, or its bytes in OpenAI's notation if they are not whole characters.

    >>> from gpt2_helpers.config import BUNDLED_FOLDER
    >>> tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    >>> [token_name(tokenizer, token) for token in tokenizer.encode("It \\u6c34")]
    ['It', ' ', 'bytes:\\\\xe6', 'bytes:\\\\xb0', 'bytes:\\\\xb4']
    """
    if token >= tokenizer.n_vocab:  # a model may have ids that its vocabulary lacks
        return f"token:{token}"
    content = tokenizer.decode_bytes([token])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in content)


class ChoiceLogprobs:
    """The tokens of a choice in the order of its text, of which some may not have been sent yet.

    A token whose text is held back, because it may become part of a stop string, is held back too.

    Args:
        tokenizer: The model's tokenizer.
        offset: Characters of the prompt before the first token.
    """

    def __init__(self, tokenizer: Tokenizer, offset: int) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._end = offset  # characters before the next token
        self._waiting: list[tuple[TokenLogprob, int]] = []  # with their offsets

    def add(self, tokens: Iterable[TokenLogprob]) -> None:
        """Add generated tokens."""
        for token in tokens:
            self._waiting.append((token, self._end))
            if token.id < self._tokenizer.n_vocab and token.id != self._tokenizer.end_of_text:
                text = self._decoder.decode(self._tokenizer.decode_bytes([token.id]))
                self._end += len(text)

    def take(self, end: int, is_last: bool) -> dict[str, Any]:
        """Return the tokens that have become part of the text.

        Args:
            end: Characters of the prompt and the text so far.
            is_last: Whether the text is complete. Tokens of a stop string are left out; an
                end-of-text token is returned.

        Returns:
            The `logprobs` of the choice.
        """
        ready = [entry for entry in self._waiting if entry[1] < end]
        self._waiting = self._waiting[len(ready) :]
        if is_last and self._waiting:
            token, offset = self._waiting[0]
            if token.id == self._tokenizer.end_of_text and offset == end:
                ready.append((token, offset))
        found: dict[str, Any] = {name: [] for name in NAMES}
        for token, offset in ready:
            _append(found, self._tokenizer, token, offset)
        return found


def prompt_logprobs(
    tokenizer: Tokenizer, ids: Sequence[int], scored: Sequence[TokenLogprob]
) -> dict[str, Any]:
    """The `logprobs` of the tokens of a prompt.

    Args:
        tokenizer: The model's tokenizer.
        ids: The token ids of the prompt.
        scored: The last of them that follow others, with their log-probabilities.
    """
    found: dict[str, Any] = {name: [] for name in NAMES}
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    n_unscored, offset = len(ids) - len(scored), 0
    for order, token in enumerate(ids):
        if order < n_unscored:
            values = (token_name(tokenizer, token), None, None, offset)
            for name, value in zip(NAMES, values, strict=True):
                found[name].append(value)
        else:
            _append(found, tokenizer, scored[order - n_unscored], offset)
        offset += len(decoder.decode(tokenizer.decode_bytes([token])))
    return found


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The `logprobs` of two parts of a text."""
    return {name: first[name] + second[name] for name in NAMES}


def _append(found: dict[str, Any], tokenizer: Tokenizer, token: TokenLogprob, offset: int) -> None:
    name = token_name(tokenizer, token.id)
    likeliest = {token_name(tokenizer, other): logprob for other, logprob in token.top}
    likeliest.setdefault(name, token.logprob)  # OpenAI's API always has it
    for key, value in zip(NAMES, (name, token.logprob, likeliest, offset), strict=True):
        found[key].append(value)
