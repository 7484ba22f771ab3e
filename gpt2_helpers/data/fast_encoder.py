"""Encodes large texts with tiktoken, with the same ids as `Tokenizer.encode`.

tiktoken has the same algorithm in Rust, several times as fast, and releases Python's global lock.
It needs three things:

- A vocabulary as a map of bytes to ranks, where any two adjacent tokens are merged whose
  concatenation is in the map, the lowest rank first. `expressible_tokens` finds this order, which
  exists for every vocabulary that was learned by byte-pair encoding.
- A pattern for words. Its character classes are listed explicitly, as the `regex` module defines
  them: the two libraries may know different versions of Unicode.
- No extremely long words: older versions of tiktoken need quadratic time for them, or overflow the
  stack. Texts with such words are encoded by `Tokenizer.encode`.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import regex

from gpt2_helpers.data.tokenize import token_dtype
from gpt2_helpers.tokenizer import END_OF_TEXT, Tokenizer, bytes_to_unicode, token_bytes
from gpt2_helpers.types import AnyIds

if TYPE_CHECKING:
    from tiktoken import Encoding

# tiktoken gets no word of more than twice this many characters (at most 8 KB of UTF-8): at that
# length its slowest versions are still as fast as `Tokenizer.encode`.
_LONG_RUN = 1000
_RUN = regex.compile(r"\p{L}+|\p{N}+|\s+|[^\s\p{L}\p{N}]+")  # a word is within two of these
_KINDS = regex.compile(r"(?P<L>\p{L}+)|(?P<N>\p{N}+)|(?P<S>\s+)|[^\s\p{L}\p{N}]+")


class FastEncoder:
    """Encodes texts with tiktoken. Can be used by several threads at the same time.

    Args:
        tokenizer: Encodes the texts that tiktoken should not get.
        encoding: tiktoken's encoding, with ranks in place of ids.
        ids: The id of each rank, in the dtype of the result.
    """

    def __init__(self, tokenizer: Tokenizer, encoding: Encoding, ids: AnyIds) -> None:
        self._tokenizer = tokenizer
        self._encoding = encoding
        self._ids = ids

    def encode(self, text: str, special: bool) -> AnyIds:
        """The ids of `Tokenizer.encode`, as an array of `token_dtype`, with the same errors."""
        if not _is_unicode(text) or _has_long_run(text):
            return np.array(self._tokenizer.encode(text, special), self._ids.dtype)
        allowed = {END_OF_TEXT} if special else set()
        ranks = self._encoding.encode_to_numpy(text, allowed_special=allowed, disallowed_special=())
        return self._ids[ranks]


def fast_encoder(tokenizer: Tokenizer) -> FastEncoder | None:
    """The fast encoder for a tokenizer.

    Returns:
        The encoder, or None if tiktoken is not installed, is too old, or cannot represent the
        vocabulary.
    """
    try:
        import tiktoken
    except ImportError:  # also if it does not match this version of Python
        return None
    merged = expressible_tokens(tokenizer.merges)
    if merged is None:
        return None
    tokens = [*bytes_to_unicode().values(), *merged]
    ids = [*map(tokenizer.vocabulary.__getitem__, tokens), tokenizer.end_of_text]
    encoding = tiktoken.Encoding(
        "gpt2-helpers",
        pat_str=_word_pattern(),
        mergeable_ranks={raw: rank for rank, raw in enumerate(token_bytes(tokens))},
        special_tokens={END_OF_TEXT: len(tokens)},
    )
    fast = FastEncoder(tokenizer, encoding, np.array(ids, token_dtype(tokenizer.n_vocab)))
    # tiktoken 0.9 and older find special tokens also when they should not.
    text = f" a{END_OF_TEXT}"
    equal = [fast.encode(text, on).tolist() == tokenizer.encode(text, on) for on in (False, True)]
    return fast if all(equal) else None


class _Merge(NamedTuple):
    """The merge that creates a token."""

    rank: int
    left: int
    right: int


def expressible_tokens(merges: list[tuple[str, str]]) -> list[str] | None:
    """The merged tokens in the order in which tiktoken has to merge them.

    A token that no text can contain, because other merges always come first, is left out: tiktoken
    would merge any two tokens that add up to it.

    Args:
        merges: Different pairs of tokens, in the order in which they are merged.

    Returns:
        The tokens; None if a token would have to be merged before one of its parts exists, which
        tiktoken's algorithm does differently.

    Example:
        >>> expressible_tokens([("a", "b"), ("b", "c"), ("ab", "c"), ("a", "bc")])
        ['ab', 'bc', 'abc']
        >>> expressible_tokens([("ab", "c"), ("a", "b")])
    """
    # Tokens are numbered in the order in which they are created, the bytes first.
    numbers = {character: byte for byte, character in bytes_to_unicode().items()}
    created = [_Merge(-1, -1, -1)] * len(numbers)
    ranks: dict[tuple[int, int], int] = {}
    missing: set[str] = set()  # parts of merges that did not exist when it was their turn
    for rank, (left_token, right_token) in enumerate(merges):
        left, right = numbers.get(left_token), numbers.get(right_token)
        if left is None or right is None:
            missing.update(part for part in (left_token, right_token) if part not in numbers)
            continue
        ranks[left, right] = rank
        token = left_token + right_token
        if token not in numbers and _stay_apart(left, right, ranks, created):
            if token in missing:
                return None
            numbers[token] = len(numbers)
            created.append(_Merge(rank, left, right))
    return list(numbers)[256:]


def _stay_apart(
    left: int, right: int, ranks: dict[tuple[int, int], int], created: list[_Merge]
) -> bool:
    """Whether no earlier merge joins an end of the token `left` with a start of `right`.

    Only then do the bytes of both become these two tokens. Undoes the merges of both, the last one
    first, and looks up the two tokens at the border each time. Of two overlapping pairs with the
    same rank, the first is merged.
    """
    limit = created[max(left, right)].rank + 1
    while left > 255 or right > 255:
        if left >= right:
            rank, _, left = created[left]
            limit = min(limit, rank)
        else:
            rank, right, _ = created[right]
            limit = min(limit, rank + 1)
        if ranks.get((left, right), limit) < limit:
            return False
    return True


def _is_unicode(text: str) -> bool:
    """Whether the text contains no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _has_long_run(text: str) -> bool:
    """Whether a run of one kind of character fills one of the blocks into which it is divided.

    Looking only at the first run of each block is a hundred times as fast as looking at all.
    """
    for start in range(0, len(text) - _LONG_RUN + 1, _LONG_RUN):
        run = _RUN.match(text, start, start + _LONG_RUN)
        if run is not None and run.end() == start + _LONG_RUN:
            return True
    return False


@lru_cache(maxsize=1)
def _word_pattern() -> str:
    """`WORD_PATTERN` for Rust, with possessive quantifiers, which need no stack."""
    ranges: dict[str | None, list[str]] = {"L": [], "N": [], "S": [], None: []}
    for start in range(0, sys.maxunicode + 1, 0x800):  # in blocks, to save memory
        if 0xD800 <= start < 0xE000:  # surrogates are not characters
            continue
        for run in _KINDS.finditer("".join(map(chr, range(start, start + 0x800)))):
            first, last = ord(run[0][0]), ord(run[0][-1])
            ranges[run.lastgroup].append(rf"\x{{{first:x}}}-\x{{{last:x}}}")
    letters, numbers, spaces = ("".join(ranges[kind]) for kind in "LNS")
    return (
        rf"'(?:[sdmt]|ll|ve|re)| ?[{letters}]++| ?[{numbers}]++| ?[^{spaces}{letters}{numbers}]++"
        rf"|[{spaces}]++$|[{spaces}]+(?![^{spaces}])|[{spaces}]"
    )
