"""Indexes for near-duplicate detection: short texts by character trigrams, long ones by shingles.

Uses NumPy only. Both indexes need two to four bytes per character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import regex
from numpy.typing import NDArray

from gpt2_helpers.evaluation.word_overlap import WordOverlap
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

COPY, NEAR_COPY, NOVEL = "copy", "near copy", "novel"
NEAR_COPY_SIMILARITY = 0.8  # with a short text
NEAR_COPY_SHARE = 0.5  # of a text's shingles that occur in long texts
SHINGLE_WORDS = 8
MIN_WORDS = 5  # shorter passages occur in any long text by chance
MAX_SHORT_TEXT = 1000  # characters; shingles work better for longer texts

_CHUNK = 1 << 20  # characters that are processed at once
_MAX_ROWS = 1 << 16  # texts per trigram table, so that a row number fits into two bytes
_MARKERS = regex.compile(f"{regex.escape(START_OF_TEXT)}|{regex.escape(END_OF_TEXT)}")
_END_PUNCTUATION = regex.compile(r"^[\W_]+|[\W_]+$")
# These scripts don't separate words by spaces: each character counts as a word.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"(?V1)[{_UNSPACED}]|[\w--[{_UNSPACED}]]+")
_NON_WORD = regex.compile(r"\W")
_MULTIPLIERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)


@dataclass(frozen=True)
class Match:
    """The closest match of a text in an index.

    Attributes:
        kind: "copy", "near copy" or "novel".
        nearest: The most similar short text, or the longest passage shared with a long text; may be
            empty.
        similarity: From 0 to 1.
        words: How many of the text's words occur in the training text, if they were counted.
    """

    kind: str
    nearest: str
    similarity: float
    words: WordOverlap | None = field(default=None, compare=False)


def normalize(text: str) -> str:
    """Return a text without case, markers, repeated whitespace and punctuation at both ends.

    >>> normalize("<|startoftext|>Why  NOT?")
    'why not'
    """
    text = " ".join(_MARKERS.sub(" ", text).casefold().split())
    return _END_PUNCTUATION.sub("", text) or text


class ShortTextIndex:
    """An index of short texts by their character trigrams.

    >>> titles = ShortTextIndex(["Why is the sky blue?", "What did you dream of last night?"])
    >>> titles.compare("What did you dream about last night?").nearest
    'What did you dream of last night?'
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: list[str] = []
        self._tables: list[_TrigramTable] = []
        pending, size = [], 0
        for text in texts:
            if not (normalized := normalize(text)):
                continue
            self._texts.append(text)
            pending.append(normalized)
            size += len(normalized)
            if size > _CHUNK or len(pending) == _MAX_ROWS:
                self._tables.append(_TrigramTable(pending))
                pending, size = [], 0
        if pending:
            self._tables.append(_TrigramTable(pending))

    def __len__(self) -> int:
        return len(self._texts)

    def compare(self, text: str) -> Match:
        """Return the most similar text.

        A copy is equal to an indexed text after `normalize`. The similarity is Dice's coefficient:
        twice the number of shared trigrams, divided by the sum of both texts' numbers of trigrams
        (with bigrams in Adamson and Boreham, "The use of an association measure based on character
        structure", 1974).
        """
        normalized = normalize(text)
        best = Match(NOVEL, "", 0.0)
        if not normalized or len(normalized) > 2 * MAX_SHORT_TEXT:
            return best
        trigrams = np.unique(_trigrams([normalized])[0])
        first = 0
        for table in self._tables:
            scores = table.scores(trigrams)
            highest = float(scores.max())
            if highest > best.similarity:
                row = first + int(scores.argmax())
                kind = NEAR_COPY if highest >= NEAR_COPY_SIMILARITY else NOVEL
                best = Match(kind, self._texts[row].strip(), highest)
            # Different texts can have the same trigrams: "ha ha" and "ha ha ha".
            for row in np.flatnonzero(scores == 1.0):
                if normalize(self._texts[first + row]) == normalized:
                    return Match(COPY, self._texts[first + row].strip(), 1.0)
            first += table.count
        return best


class _TrigramTable:
    """For each trigram, the rows of the texts that contain it."""

    def __init__(self, texts: list[str]) -> None:
        self.count = len(texts)
        trigrams, rows = _trigrams(texts)
        keys = np.unique(trigrams << np.uint64(16) | rows)  # sorted by trigram, without duplicates
        self._rows = (keys & np.uint64(0xFFFF)).astype(np.uint16)
        self._trigrams, starts = np.unique(keys >> np.uint64(16), return_index=True)
        self._starts = np.append(starts, len(keys))
        self._sizes = np.bincount(self._rows, minlength=self.count)

    def scores(self, trigrams: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the similarity of each text to one with these trigrams."""
        known = trigrams[_contains(self._trigrams, trigrams)]
        indexes = np.searchsorted(self._trigrams, known)
        found = [self._rows[self._starts[index] : self._starts[index + 1]] for index in indexes]
        shared = np.bincount(np.concatenate([self._rows[:0], *found]), minlength=self.count)
        return 2.0 * shared / (self._sizes + len(trigrams))


def _trigrams(texts: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return a 48-bit hash of each trigram, and the row of the text that contains it."""
    joined = "\n".join(f" {text} " for text in texts)
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    breaks = points == ord("\n")
    rows = np.cumsum(breaks, dtype=np.uint64)
    within_text = ~(breaks[:-2] | breaks[1:-1] | breaks[2:])
    first, second, third = _MULTIPLIERS
    hashes = points[:-2] * first + points[1:-1] * second + points[2:] * third
    return hashes[within_text] >> np.uint64(16), rows[:-2][within_text]


class LongTextIndex:
    """An index of long texts by their shingles: all sequences of eight words.

    Case and punctuation are ignored.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        parts: list[bytes] = []
        shingles = [np.empty(0, np.uint64)]
        for text in texts:
            overlap = np.empty(0, np.uint64)
            parts.append(b"\n")  # a passage must not cross from one text into the next
            for words in _word_chunks(text):
                parts.append(_joined(words))
                hashes = np.concatenate([overlap, _word_hashes(words)])
                shingles.append(_shingles(hashes))
                overlap = hashes[max(0, len(hashes) - SHINGLE_WORDS + 1) :]
        self._text = b"".join(parts)
        self._shingles = np.concatenate(shingles)
        self._shingles.sort()

    def compare(self, text: str) -> Match:
        """Return the longest passage that the text shares with the indexed texts.

        A copy has at least five words and occurs as a whole in an indexed text; its last word may
        be truncated. The similarity is the share of the text's shingles that occur in the index; a
        text of fewer than eight words has none.
        """
        words = list(_WORD.finditer(_MARKERS.sub(" ", text)))
        folded = [word[0].casefold() for word in words]
        if len(words) < MIN_WORDS or not self._text:
            return Match(NOVEL, "", 0.0)
        known = _contains(self._shingles, _shingles(_word_hashes(folded)))
        share = float(known.mean()) if len(known) else 0.0
        if (share >= NEAR_COPY_SHARE or not len(known)) and _joined(folded) in self._text:
            return Match(COPY, text.strip(), 1.0)
        kind = NEAR_COPY if share >= NEAR_COPY_SHARE else NOVEL
        return Match(kind, _longest_passage(known, words), share)


def _contains(table: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which values the sorted table contains. np.isin would sort the table every time."""
    if not len(table):
        return np.zeros(len(values), bool)
    return table[np.searchsorted(table, values).clip(max=len(table) - 1)] == values


def _word_chunks(text: str) -> Iterator[list[str]]:
    """Yield the words of a text in lower case, a chunk at a time."""
    start = 0
    while start < len(text):
        gap = _NON_WORD.search(text, start + _CHUNK)
        end = gap.start() if gap else len(text)
        yield [word.casefold() for word in _WORD.findall(text, start, end)]
        start = end


def _joined(words: list[str]) -> bytes:
    return "".join(f" {word}" for word in words).encode("utf-8", "surrogatepass")


def _word_hashes(words: list[str]) -> NDArray[np.uint64]:
    return np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)


def _shingles(word_hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of every eight words in a row; none for fewer words."""
    count = max(0, len(word_hashes) - SHINGLE_WORDS + 1)
    hashes = np.zeros(count, np.uint64)
    for offset in range(SHINGLE_WORDS):
        hashes = hashes * _MULTIPLIERS[0] + word_hashes[offset : offset + count]
    return hashes


def _longest_passage(known: NDArray[np.bool_], words: list[regex.Match[str]]) -> str:
    """Return the longest passage whose shingles are all in the index."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    if not len(edges):
        return ""
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    first, last = words[starts[longest]], words[ends[longest] - 1 + SHINGLE_WORDS - 1]
    return first.string[first.start() : last.end()]
