"""The bytes of all tokens of a vocabulary, indexed for searching."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.types import Ids

_MAX_CACHED_SEARCHES = 4096


class TokenTable:
    """Finds tokens by their bytes. The end-of-text token has none.

    Attributes:
        tokens: The bytes of each token, by id.
        ids: The id of each token, by its bytes.
        end_of_text: The id of `<|endoftext|>`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.end_of_text = tokenizer.end_of_text
        self.tokens = list(tokenizer.tokens)
        self.tokens[self.end_of_text] = b""
        self.ids = {token: index for index, token in enumerate(self.tokens) if token}
        order = sorted(range(len(self.tokens)), key=self.tokens.__getitem__)
        self._sorted = [self.tokens[index] for index in order]
        self._order = np.array(order, np.int32)
        self.containing = lru_cache(_MAX_CACHED_SEARCHES)(self._containing)

    def starting_with(self, start: bytes) -> Ids:
        """The ids of the tokens whose bytes start with `start`, which must not be empty."""
        first = bisect_left(self._sorted, start)
        last = bisect_left(self._sorted, start + b"\xff" * 256, first)
        return self._order[first:last]

    def _containing(self, text: bytes) -> Ids:
        """The ids of the tokens that contain all of `text`."""
        return np.array([n for n, token in enumerate(self.tokens) if text in token], np.int32)


_TABLES: WeakKeyDictionary[Tokenizer, TokenTable] = WeakKeyDictionary()


def token_table(tokenizer: Tokenizer) -> TokenTable:
    """The table of a tokenizer, which is made once.

    >>> from gpt2_helpers.config import BUNDLED_FOLDER
    >>> table = token_table(Tokenizer.load(BUNDLED_FOLDER))
    >>> {table.tokens[index] for index in table.containing(b" winter")}
    {b' winter'}
    """
    table = _TABLES.get(tokenizer)
    if table is None:
        table = _TABLES[tokenizer] = TokenTable(tokenizer)
    return table
