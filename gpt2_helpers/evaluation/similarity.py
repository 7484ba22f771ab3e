"""Texts to find copies and near copies in: short ones as wholes, long ones by their runs of words.

NumPy only: knows nothing of files or models. Both indexes take two to four bytes a character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import regex
from numpy.typing import NDArray

from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

COPY, NEAR_COPY, NOVEL = "copy", "near copy", "own"
NEAR_SHORT = 0.8  # similarity with a short text from which on another is a near copy
NEAR_LONG = 0.5  # share of a text's runs in a long one from which on it is a near copy
RUN = 8  # words
SHORTEST = 5  # words that say something when they stand in a long text: fewer stand in any
LONGEST_SHORT = 1000  # characters; for longer texts, runs of words tell more

_CHUNK = 1 << 20  # characters looked at together
_MOST_ROWS = 1 << 16  # short texts looked at together, so that their numbers take two bytes
_MARKS = regex.compile(f"{regex.escape(START_OF_TEXT)}|{regex.escape(END_OF_TEXT)}")
_ENDS = regex.compile(r"^[\W_]+|[\W_]+$")
# In scripts that put no spaces between words, each character counts as one.
_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"(?V1)[{_ALONE}]|[\w--[{_ALONE}]]+")
_GAP = regex.compile(r"\W")
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)


@dataclass(frozen=True)
class Match:
    """How a text compares: its `kind` is "copy", "near copy" or "own".

    `nearest` is the short training text that resembles it most, or the longest passage that it
    shares with a long one; it may be empty. `similarity` runs from 0 to 1.
    """

    kind: str
    nearest: str
    similarity: float


def plain(text: str) -> str:
    """A text without what makes no difference: marks, case, spaces, punctuation at the ends.

    >>> plain("<|startoftext|>Why  NOT?")
    'why not'
    """
    text = " ".join(_MARKS.sub(" ", text).casefold().split())
    return _ENDS.sub("", text) or text


class ShortTextIndex:
    """Short texts, found again by the sequences of three characters that they are made of.

    >>> titles = ShortTexts(["Why is the sky blue?", "What did you dream of last night?"])
    >>> titles.compare("What did you dream about last night?").nearest
    'What did you dream of last night?'
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: list[str] = []
        self._parts: list[_Part] = []
        waiting, size = [], 0
        for text in texts:
            if not (short := plain(text)):
                continue
            self._texts.append(text)
            waiting.append(short)
            size += len(short)
            if size > _CHUNK or len(waiting) == _MOST_ROWS:
                self._parts.append(_Part(waiting))
                waiting, size = [], 0
        if waiting:
            self._parts.append(_Part(waiting))

    def __len__(self) -> int:
        return len(self._texts)

    def compare(self, text: str) -> Match:
        """A copy equals one of the texts in its `plain` form. Similarity is twice the number of
        sequences of three characters that both have, divided by the sum of theirs: Dice's
        coefficient, as Adamson and Boreham compared titles of documents with it, "The use of an
        association measure based on character structure", 1974 (they took sequences of two)."""
        wanted = plain(text)
        best = Match(NOVEL, "", 0.0)
        if not wanted or len(wanted) > 2 * LONGEST_SHORT:
            return best
        codes, _ = _sequences([wanted])
        codes = np.unique(codes)
        first = 0
        for part in self._parts:
            scores = part.scores(codes)
            highest = float(scores.max())
            if highest > best.similarity:
                row = first + int(scores.argmax())
                kind = NEAR_COPY if highest >= NEAR_SHORT else NOVEL
                best = Match(kind, self._texts[row].strip(), highest)
            # "ha ha" and "ha ha ha" are made of the same sequences.
            for row in np.flatnonzero(scores == 1.0):
                if plain(self._texts[first + row]) == wanted:
                    return Match(COPY, self._texts[first + row].strip(), 1.0)
            first += part.count
        return best


class _Part:
    """Some short texts: for each sequence of three characters, the texts that have it."""

    def __init__(self, texts: list[str]) -> None:
        self.count = len(texts)
        codes, rows = _sequences(texts)
        keys = np.unique(codes << np.uint64(16) | rows)  # each once a text, in the codes' order
        self._rows = (keys & np.uint64(0xFFFF)).astype(np.uint16)
        self._codes, starts = np.unique(keys >> np.uint64(16), return_index=True)
        self._starts = np.append(starts, len(keys))
        self._sizes = np.bincount(self._rows, minlength=self.count)

    def scores(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        """The similarity of each text with one that has these sequences."""
        places = np.searchsorted(self._codes, codes[_among(codes, self._codes)])
        found = [self._rows[self._starts[place] : self._starts[place + 1]] for place in places]
        shared = np.bincount(np.concatenate([self._rows[:0], *found]), minlength=self.count)
        return 2.0 * shared / (self._sizes + len(codes))


def _sequences(texts: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """A number of 48 bits for each three characters in a row, and the text that they stand in."""
    joined = "\n".join(f" {text} " for text in texts)
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    breaks = points == ord("\n")
    rows = np.cumsum(breaks, dtype=np.uint64)
    whole = ~(breaks[:-2] | breaks[1:-1] | breaks[2:])
    mixed = points[:-2] * _ODD[0] + points[1:-1] * _ODD[1] + points[2:] * _ODD[2]
    return mixed[whole] >> np.uint64(16), rows[:-2][whole]


class LongTextIndex:
    """Long texts, found again by their runs of eight words. Case and punctuation do not count."""

    def __init__(self, texts: Iterable[str]) -> None:
        written: list[bytes] = []
        runs = [np.empty(0, np.uint64)]
        for text in texts:
            last = np.empty(0, np.uint64)
            written.append(b"\n")  # a passage does not run from one text into another
            for words in _words_of(text):
                written.append(_spaced(words))
                numbers = np.concatenate([last, _numbers(words)])
                runs.append(_runs(numbers))
                last = numbers[max(0, len(numbers) - RUN + 1) :]
        self._written = b"".join(written)
        self._runs = np.concatenate(runs)
        self._runs.sort()

    def compare(self, text: str) -> Match:
        """A copy, of five words or more, stands whole in one of the texts; the last word may be cut
        off. Similarity is the share of a text's runs of eight words that stand there; a shorter
        text has none."""
        places = list(_WORD.finditer(_MARKS.sub(" ", text)))
        words = [place[0].casefold() for place in places]
        if len(words) < SHORTEST or not self._written:
            return Match(NOVEL, "", 0.0)
        known = _among(_runs(_numbers(words)), self._runs)
        share = float(known.mean()) if len(known) else 0.0
        if (share >= NEAR_LONG or not len(known)) and _spaced(words) in self._written:
            return Match(COPY, text.strip(), 1.0)
        kind = NEAR_COPY if share >= NEAR_LONG else NOVEL
        return Match(kind, _longest(known, places), share)


def _among(few: NDArray[np.uint64], many: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of `few` are found in `many`, which is sorted: np.isin would sort it again."""
    if not len(many):
        return np.zeros(len(few), bool)
    return many[np.searchsorted(many, few).clip(max=len(many) - 1)] == few


def _words_of(text: str) -> Iterator[list[str]]:
    """The words of a text in small letters, some at a time."""
    start = 0
    while start < len(text):
        gap = _GAP.search(text, start + _CHUNK)
        end = gap.start() if gap else len(text)
        yield [word.casefold() for word in _WORD.findall(text, start, end)]
        start = end


def _spaced(words: list[str]) -> bytes:
    return "".join(f" {word}" for word in words).encode("utf-8", "surrogatepass")


def _numbers(words: list[str]) -> NDArray[np.uint64]:
    return np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)


def _runs(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One number for each eight words in a row, fewer words give none."""
    count = max(0, len(numbers) - RUN + 1)
    mixed = np.zeros(count, np.uint64)
    for place in range(RUN):
        mixed = mixed * _ODD[0] + numbers[place : place + count]
    return mixed


def _longest(known: NDArray[np.bool_], places: list[regex.Match[str]]) -> str:
    """The longest passage of a text whose runs are all known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    if not len(edges):
        return ""
    begins, ends = edges[::2], edges[1::2]
    longest = int((ends - begins).argmax())
    first, last = places[begins[longest]], places[ends[longest] - 1 + RUN - 1]
    return first.string[first.start() : last.end()]
