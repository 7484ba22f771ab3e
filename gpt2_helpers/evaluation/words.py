"""Splits texts into words, without case and punctuation, and numbers the words.

In scripts that do not separate words by spaces, each character is a word.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import regex

from gpt2_helpers.types import Ids

GAP = -2  # between two texts
UNKNOWN = -1  # a word that is not in the vocabulary

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORD = regex.compile(rf"(?V1)[{_UNSPACED}]|[\w--[{_UNSPACED}]]+")
# A character that no word contains and that `str.split` does not take for a space.
_SEPARATOR = "\0"
_BATCH = 1 << 20  # characters
_MAX_WORD = 1 << 16  # characters that are searched for the end of a word
_NON_WORD = regex.compile(r"(?r)\W")
_IS_WORD = regex.compile(r"\w", regex.ASCII)
_ASCII_SPACES = {code: " " for code in range(1, 128) if not _IS_WORD.match(chr(code))}


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case.

    >>> split_words("Don't go, 2nd time!")
    ['don', 't', 'go', '2nd', 'time']
    """
    return _split(text.replace(_SEPARATOR, " "))


def _split(text: str) -> list[str]:
    text = text.casefold()
    if text.isascii():  # several times as fast as the pattern, with the same result
        return text.translate(_ASCII_SPACES).split()
    return WORD.findall(text)


def split_texts(texts: Iterable[str]) -> list[str]:
    """Return the words of several texts, with a separator between two texts."""
    words: list[str] = []
    # One text in another script must not slow down all others.
    for is_ascii, group in itertools.groupby(texts, str.isascii):
        if is_ascii:
            words += _split(f" {_SEPARATOR} ".join(text.replace(_SEPARATOR, " ") for text in group))
            words.append(_SEPARATOR)
        else:
            for text in group:
                words += split_words(text)
                words.append(_SEPARATOR)
    return words[:-1]


def batches_of_words(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the words of texts, with a separator after each text, about a million characters of
    text at a time."""
    pending: list[str] = []
    size = 0
    for text in texts:
        if len(text) <= _BATCH:
            pending.append(text)
            size += len(text)
        if pending and (size > _BATCH or len(text) > _BATCH):
            yield [*split_texts(pending), _SEPARATOR]
            pending, size = [], 0
        start = 0
        while len(text) > _BATCH and start < len(text):
            end = len(text)
            if end - start > _BATCH:
                end = start + last_gap(text[start : start + _BATCH])
            words = split_texts([text[start:end]])
            yield [*words, _SEPARATOR] if end == len(text) else words
            start = end
    if pending:
        yield [*split_texts(pending), _SEPARATOR]


def last_gap(text: str) -> int:
    """Where a text can be cut between two words; at its end if the last word is very long."""
    gap = _NON_WORD.search(text, max(0, len(text) - _MAX_WORD))
    return gap.start() if gap and gap.start() else len(text)


class Vocabulary:
    """Numbers for words, in the order of their appearance.

    >>> vocabulary = Vocabulary()
    >>> vocabulary.add(split_texts(["One two", "Two three"])).tolist()
    [0, 1, -2, 1, 2]
    >>> vocabulary.find(["three", "four"]).tolist()
    [2, -1]
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {_SEPARATOR: GAP}

    def __len__(self) -> int:
        return len(self._ids) - 1

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def words(self) -> list[str]:
        """The words by their numbers."""
        return list(self._ids)[1:]

    def add(self, words: list[str]) -> Ids:
        """The ids of the words of `split_texts`; new words are added."""
        for word in dict.fromkeys(words):
            if word not in self._ids:
                self._ids[word] = len(self._ids) - 1
        return np.fromiter(map(self._ids.__getitem__, words), np.int32, len(words))

    def find(self, words: list[str]) -> Ids:
        """The ids of the words of `split_texts`; UNKNOWN for words that were not added."""
        ids = map(self._ids.get, words, itertools.repeat(UNKNOWN))
        return np.fromiter(ids, np.int32, len(words))
