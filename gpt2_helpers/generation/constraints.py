"""Options that a text must match: a list of choices, or a regular expression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.errors import OptionError, brief, brief_repr, import_optional
from gpt2_helpers.generation.exclusions import EXCLUDED
from gpt2_helpers.generation.token_table import TokenTable
from gpt2_helpers.types import Floats

# Half a second for an expression and tenths for a token, since requests come from strangers: with
# llguidance's own limits `(a{1000}){1000}` takes seconds.
_LIMITS = {
    "initial_lexer_fuel": 200_000,  # expressions made while the automaton is built
    "step_lexer_fuel": 50_000,  # and for one token
    "max_lexer_states": 20_000,
}


class Choices:
    """Allows only texts that are one of `choices`; see `LogitsProcessor`.

    Args:
        choices: The texts. One may be the start of another.
        table: The tokens of the vocabulary.
    """

    def __init__(self, choices: Sequence[str], table: TokenTable) -> None:
        self._table = table
        # What is left of each choice that the text so far is the start of.
        self._rest = {choice.encode("utf-8", errors="surrogatepass") for choice in choices}

    def append(self, token: int) -> None:
        added = self._table.tokens[token]
        self._rest = {rest[len(added) :] for rest in self._rest if rest.startswith(added)}

    def apply(self, logits: Floats) -> None:
        ids = self._table.ids
        allowed = {
            ids[rest[:size]]
            for rest in self._rest
            for size in range(1, len(rest) + 1)
            if rest[:size] in ids
        }
        if b"" in self._rest:
            allowed.add(self._table.end_of_text)
        _keep_only(logits, np.array(sorted(allowed), np.int32))


class Regex:
    """Allows only texts that match a regular expression as a whole; see `LogitsProcessor`.

    The automaton is llguidance's, which works on the bytes of tokens.

    Args:
        pattern: The regular expression, in the syntax of Rust's `regex` without look-around.
        table: The tokens of the vocabulary.

    Raises:
        MissingPackageError: llguidance is not installed.
        OptionError: The expression is invalid, or too complex.
    """

    def __init__(self, pattern: str, table: TokenTable) -> None:
        self._n_vocab, self._end_of_text = len(table.tokens), table.end_of_text
        library = _llguidance()
        try:
            grammar = library.LLMatcher.grammar_from_regex(pattern)
        except UnicodeEncodeError:
            raise OptionError(
                f"regex {brief_repr(pattern)} cannot be used: it has a lone surrogate"
            ) from None
        limits = library.LLParserLimits(**_LIMITS)
        self._matcher = library.LLMatcher(_vocabulary(table), grammar, log_level=0, limits=limits)
        self._allowed()
        if error := self._matcher.get_error():
            # The last lines show the grammar that llguidance made of the expression.
            reason = re.search(r"^error: (.*)$", error, re.MULTILINE)
            text = reason[1] if reason else brief(error)
            raise OptionError(f"regex {brief_repr(pattern)} cannot be used: {text}")

    def append(self, token: int) -> None:
        self._matcher.consume_token(token)

    def apply(self, logits: Floats) -> None:
        _keep_only(logits, self._allowed())

    def _allowed(self) -> NDArray[np.intp]:
        """The ids that can follow. If llguidance gives up, the text ends, since other sequences
        of the batch must not fail."""
        mask = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.get_error():
            return np.array([self._end_of_text])
        return np.flatnonzero(np.unpackbits(mask, bitorder="little")[: self._n_vocab])


class _Vocabulary:
    """A tokenizer as llguidance expects it."""

    def __init__(self, table: TokenTable) -> None:
        self.tokens, self._ids = table.tokens, table.ids
        self.eos_token_id, self.bos_token_id = table.end_of_text, None
        self.special_token_ids = [table.end_of_text]

    def __call__(self, text: bytes) -> list[int]:
        return [self._ids[bytes([byte])] for byte in text]


_VOCABULARIES: WeakKeyDictionary[TokenTable, Any] = WeakKeyDictionary()


def _vocabulary(table: TokenTable) -> Any:
    """The tokens as an object of llguidance, which is made once."""
    if (found := _VOCABULARIES.get(table)) is None:
        library = _llguidance()
        wrapper = library.TokenizerWrapper(_Vocabulary(table))
        found = _VOCABULARIES[table] = library.LLTokenizer(wrapper)
    return found


def _llguidance() -> ModuleType:
    return import_optional("llguidance", "the option regex", "constrained")


def _keep_only(logits: Floats, ids: Any) -> None:
    """Exclude all but these ids."""
    kept = logits[ids]
    logits[:] = EXCLUDED
    logits[ids] = kept
