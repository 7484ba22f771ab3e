"""Finds the longest runs of words that texts have in common with indexed ones.

A run has at least three words. Places where three words in a row occur on both sides are sorted
together by the words that follow; the longest run of a place in common with the other side is then
that with one of the nearest places of the other side, before or after it in this order. The order
is that of a suffix array, made by prefix doubling (Manber and Myers, "Suffix arrays: a new method
for on-line string searches", 1993).

Uses NumPy only, which releases the GIL: several threads may search an index at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.evaluation.sorting import ranges, stable_order
from gpt2_helpers.evaluation.words import GAP, Vocabulary, batches_of_words
from gpt2_helpers.types import Ids, Indexes

MIN_RUN = 3  # words; shorter ones are in common by chance
_FILTER_BITS = 26  # at most, of a table that rules out most sequences which are not indexed
_HASH = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class CommonRuns:
    """The longest run of words in common with the other side, for each place that has one.

    Attributes:
        places: Where the runs start, as indexes of words, in order.
        lengths: Their numbers of words.
        others: Where they start on the other side.
    """

    places: Indexes
    lengths: Indexes
    others: Indexes

    def longest(self, texts: Indexes) -> CommonRuns:
        """The longest run of each text, and of several the first. `texts` has the text of each."""
        starts = np.flatnonzero(np.diff(texts, prepend=-1))
        if not len(starts):
            return self
        most = np.repeat(
            np.maximum.reduceat(self.lengths, starts), np.diff(starts, append=len(texts))
        )
        best = np.flatnonzero(self.lengths == most)
        best = best[np.diff(texts[best], prepend=-1) != 0]
        return CommonRuns(self.places[best], self.lengths[best], self.others[best])


class RunIndex:
    """An index of the words of texts.

    Attributes:
        vocabulary: The words.
        words: The ids of all words, with a GAP between two texts.
        starts: Where each text starts in `words`.

    >>> index = RunIndex(["The cat sat on the mat.", "Who sat there?"])
    >>> words = index.vocabulary.find("a cat sat on the table".split())
    >>> runs = index.in_indexed(words)
    >>> runs.places.tolist(), runs.lengths.tolist()
    ([1, 2], [4, 3])
    """

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary | None = None) -> None:
        self.vocabulary = Vocabulary() if vocabulary is None else vocabulary
        ids = [self.vocabulary.add(words) for words in batches_of_words(texts)]
        self.words = np.concatenate([*ids, np.empty(0, np.int32)])[:-1]  # no GAP at the end
        gaps = np.flatnonzero(self.words == GAP)
        self.starts = np.concatenate([[0], gaps + 1]) if len(texts) else gaps
        self._count = len(self.vocabulary)
        places, keys = self._sequences(self.words)
        order = np.argsort(keys, kind="stable")
        self._places = places[order]  # of all sequences of three words
        first = np.flatnonzero(np.diff(keys[order], prepend=~keys[order][:1]) != 0)
        self._keys = keys[order][first]
        self._first = np.append(first, len(order))
        bits = min(_FILTER_BITS, max(8, len(self._keys).bit_length() + 3))
        self._shift = np.uint64(64 - bits)
        self._filter = np.zeros(1 << bits, bool)
        self._filter[(self._keys * _HASH) >> self._shift] = True

    def text_of(self, places: Indexes) -> Indexes:
        """The numbers of the texts that these words are in."""
        return self.starts.searchsorted(places, side="right") - 1

    @property
    def counts(self) -> Indexes:
        """The number of words of each text."""
        return np.diff(np.append(self.starts, len(self.words) + 1)) - 1

    def in_indexed(self, words: Ids) -> CommonRuns:
        """For each place of a text, the longest run that occurs in an indexed text.

        Args:
            words: Ids of `vocabulary`, with a GAP between two texts.
        """
        return self._common(words, of_indexed=False)

    def in_other(self, words: Ids) -> CommonRuns:
        """For each place of the indexed texts, the longest run that occurs in these words."""
        return self._common(words, of_indexed=True)

    def _sequences(self, words: Ids) -> tuple[Indexes, NDArray[np.uint64]]:
        """Where three known words follow each other, and a key of each such sequence."""
        known = (words >= 0) & (words < self._count)  # the vocabulary may have grown since
        places = np.flatnonzero(known[:-2] & known[1:-1] & known[2:])
        # Distinct for up to two million different words; beyond, two sequences have the same key
        # with a chance that is as good as none.
        keys = words[places].astype(np.uint64)
        for offset in range(1, MIN_RUN):
            keys = keys * np.uint64(self._count + 1) + words[places + offset].astype(np.uint64)
        return places, keys

    def _common(self, words: Ids, of_indexed: bool) -> CommonRuns:
        places, keys = self._sequences(words)
        likely = self._filter[(keys * _HASH) >> self._shift]
        places, keys = places[likely], keys[likely]
        found = self._keys.searchsorted(keys)
        found[found == len(self._keys)] = 0
        exact = self._keys[found] == keys if len(keys) else likely[:0]
        places, found = places[exact], found[exact]
        # The sequences that are on both sides; their numbers are the symbols.
        numbers, symbols = np.unique(found, return_inverse=True)
        counts = self._first[numbers + 1] - self._first[numbers]
        indexed = self._places[ranges(self._first[numbers], counts)]
        order = stable_order(indexed)
        indexed, total = indexed[order], len(indexed)
        both = np.concatenate([np.repeat(np.arange(len(numbers)), counts)[order], symbols])
        starts = np.concatenate([indexed, places])
        # The words of both sides, one side after the other.
        joined = starts.copy()
        joined[total:] += len(self.words) + 1
        own = (np.arange(len(starts)) < total) == of_indexed
        lengths, nearest = _longest_common(joined, both, own)
        return CommonRuns(starts[own], lengths[own] + MIN_RUN - 1, starts[nearest[own]])


def _longest_common(
    places: Indexes, symbols: Indexes, own: NDArray[np.bool_]
) -> tuple[Indexes, Indexes]:
    """For each place of one side, the longest sequence of symbols that starts there and also occurs
    on the other side.

    Args:
        places: Sorted places. Symbols follow each other if their places do.
        symbols: The symbol at each place, numbers from 0. Each occurs on both sides.
        own: Whether each place is on the side whose sequences are searched for.

    Returns:
        The length for each place of that side, and the index of the place on the other side.
    """
    count = len(places)
    indexes = np.arange(count)
    if not count:
        return indexes, indexes
    # How many symbols follow each other from each place on.
    ends = np.flatnonzero(np.diff(places, append=places[-1] + 2) != 1)
    remaining = np.repeat(ends, np.diff(ends, prepend=-1)) - indexes + 1
    ranks, order = symbols, stable_order(symbols)
    levels = [ranks]  # equal ranks: the same next 1, 2, 4 ... symbols, or all that remain
    step, longest = 1, int(remaining.max())
    while step < longest:
        follows = np.zeros(count, np.int64)
        inside = remaining > step
        follows[inside] = ranks[indexes[inside] + step] + 1
        keys = ranks * np.int64(count + 1) + follows
        order = stable_order(keys)
        ranks = np.empty(count, np.int64)
        ranks[order] = np.cumsum(np.diff(keys[order], prepend=keys[order[0]]) != 0)
        levels.append(ranks)
        step *= 2
        n_own = np.bincount(ranks[own], minlength=int(ranks[order[-1]]) + 1)
        if not ((n_own > 0) & (n_own < np.bincount(ranks))).any():
            break  # no more sequence of this length is on both sides
    best = np.zeros(count, np.int64)
    nearest = np.zeros(count, np.int64)
    for direction in (order, order[::-1]):
        # The nearest place of the other side before each place, in this direction.
        is_own = own[direction]
        last = np.maximum.accumulate(np.where(is_own, -1, indexes))
        have = is_own & (last >= 0)
        here, there = direction[have], direction[last[have]]
        lengths = _common_length(levels, remaining, here, there)
        longer = lengths > best[here]
        best[here[longer]], nearest[here[longer]] = lengths[longer], there[longer]
    return best, nearest


def _common_length(
    levels: list[Indexes], remaining: Indexes, first: Indexes, second: Indexes
) -> Indexes:
    """How many symbols are the same from two places on, for several pairs of places."""
    limit = np.minimum(remaining[first], remaining[second])
    length = np.zeros(len(first), np.int64)
    active = np.arange(len(first))
    for level in range(len(levels) - 1, -1, -1):
        a, b = first[active] + length[active], second[active] + length[active]
        same = levels[level][a] == levels[level][b]
        length[active[same]] += 1 << level
        active = active[length[active] < limit[active]]
    return np.minimum(length, limit)
