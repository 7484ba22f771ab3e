"""Finds pairs of similar short texts: those that share most of their character trigrams.

Neither side is compared with all of the other. Sort the trigrams of every text by how rare they
are. If two texts share at least o of their a and b trigrams, then one of the a - o + 1 rarest of
the first is among the b - o + 1 rarest of the second (prefix filtering: Chaudhuri, Ganti and
Kaushik, "A primitive operator for similarity joins in data cleaning", 2006). Of the texts that
have such a trigram in common, most are ruled out by signatures, sets of bits that differ in at
most as many places as the sets of trigrams do. The rest is compared exactly.

Uses NumPy only, which releases the GIL: several threads may search an index at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.types import Indexes

# Texts with up to this many trigrams are compared by signatures of so many 64-bit words.
_TIERS = ((96, 2), (400, 8), (1 << 14, 32))
_MAX_TABLE = 1 << 24  # entries of a table of all trigrams; larger alphabets are searched
_CELLS = 1 << 17  # pairs that are compared at a time
_SIZE_BITS = 20  # of a number of trigrams
_VERIFIED = 1 << 22  # trigrams of pairs that are compared exactly at a time
_LAST_POINT = 0x110000
_HASH = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class SimilarPairs:
    """Pairs of a text that was searched for and an indexed one.

    Attributes:
        rows: Numbers of the texts that were searched for.
        indexed: Numbers of the indexed texts.
        similarity: Dice's coefficient of each pair.
    """

    rows: Indexes
    indexed: Indexes
    similarity: NDArray[np.float64]


class TrigramIndex:
    """An index of short texts by their sets of trigrams.

    The similarity of two texts is Dice's coefficient of these sets: twice the number of shared
    trigrams, divided by the sum of both numbers (with bigrams in Adamson and Boreham, "The use of
    an association measure based on character structure", 1974). A text has a space added at both
    ends, so that its first and last letters weigh as much as those of words inside.

    Args:
        texts: The texts, already normalized. They need about 400 bytes for a title.
        threshold: The lowest similarity that is found.

    >>> index = TrigramIndex(["why is the sky blue", "who are you"], threshold=0.8)
    >>> pairs = index.search(["why is the sky so blue"])
    >>> pairs.indexed.tolist(), [round(value, 2) for value in pairs.similarity.tolist()]
    ([0], [0.88])
    """

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        self._threshold = threshold
        self._alphabet = _Alphabet(texts)
        self._sets = self._alphabet.sets(texts)
        sizes = self._sets.sizes
        self._tiers = []
        smallest = 0
        for largest, words in _TIERS:
            rows = np.flatnonzero((sizes > smallest) & (sizes <= largest))
            if len(rows):
                self._tiers.append(_Tier(self._sets, rows, words, threshold))
            smallest = largest

    def search(
        self, texts: Sequence[str], at_least: NDArray[np.float64] | None = None
    ) -> SimilarPairs:
        """Find all pairs of these texts and indexed ones whose similarity reaches the threshold.

        Args:
            texts: Normalized texts.
            at_least: A higher threshold for each indexed text. Pairs below may be left out.

        Returns:
            The pairs, by the number of the indexed text and then of the text.
        """
        sets = self._alphabet.sets(texts)
        count = max(1, len(texts))
        found = [np.empty(0, np.int64)]
        for tier in self._tiers:
            found += [indexed * count + rows for indexed, rows in tier.candidates(sets, at_least)]
        # A pair is a candidate once for each rare trigram that it shares.
        indexed, rows = np.divmod(np.unique(np.concatenate(found)), count)
        similarity = self._similarity(sets, indexed, rows)
        similar = similarity >= self._threshold
        return SimilarPairs(rows[similar], indexed[similar], similarity[similar])

    def similarity(self, texts: Sequence[str], indexed: Indexes) -> NDArray[np.float64]:
        """Return the similarity of each text to the indexed one of that number."""
        return self._similarity(self._alphabet.sets(texts), indexed, np.arange(len(texts)))

    def _similarity(
        self, sets: _TrigramSets, indexed: Indexes, rows: Indexes
    ) -> NDArray[np.float64]:
        sizes = self._sets.sizes[indexed] + sets.sizes[rows]
        shared = np.zeros(len(rows), np.int64)
        bounds = _parts(sizes, _VERIFIED)
        for start, end in zip(bounds[:-1], bounds[1:], strict=True):
            part = slice(start, end)
            shared[part] = _shared(self._sets, indexed[part], sets, rows[part])
        return 2.0 * shared / np.maximum(sizes, 1)


class _Alphabet:
    """Numbers the trigrams of the indexed texts, the rarest first."""

    def __init__(self, texts: Sequence[str]) -> None:
        rows, points = _windows(texts)
        characters = np.unique(points)
        self._numbers = np.zeros(_LAST_POINT, np.int32)  # 0 is a character that is not indexed
        self._numbers[characters] = np.arange(1, len(characters) + 1)
        self._base = len(characters) + 1
        codes = self._codes(points)
        self._known, inverse = np.unique(codes, return_inverse=True)
        self.count = len(self._known)
        once = np.sort(inverse << 32 | rows)
        once = once[np.diff(once, prepend=-1) != 0]
        frequencies = np.bincount(once >> 32, minlength=self.count)
        self._ranks = np.empty(self.count, np.int32)
        self._ranks[np.argsort(frequencies, kind="stable")] = np.arange(self.count)
        self._table: NDArray[np.int32] | None = None
        if self._base**3 <= _MAX_TABLE:
            self._table = np.full(self._base**3, -1, np.int32)
            self._table[self._known] = self._ranks

    def _codes(self, points: NDArray[np.uint32]) -> NDArray[np.int64]:
        """A number for each trigram, without collisions. Points (3, trigrams)."""
        numbers = self._numbers[points]
        base = np.int64(self._base)
        codes: NDArray[np.int64] = (numbers[0] * base + numbers[1]) * base + numbers[2]
        return codes

    def sets(self, texts: Sequence[str]) -> _TrigramSets:
        """The trigrams of each text."""
        rows, points = _windows(texts)
        codes = self._codes(points)
        if self._table is not None:
            ranks: NDArray[np.int64] = self._table[codes].astype(np.int64)
            # A code with a 0 in it may also be that of a trigram which is not indexed.
        else:
            places = np.searchsorted(self._known, codes).clip(max=max(0, self.count - 1))
            ranks = np.full(len(codes), -1, np.int64)
            if self.count:
                hit = self._known[places] == codes
                ranks[hit] = self._ranks[places[hit]]
        unknown = ranks < 0
        if unknown.any():
            # They match nothing, but count: distinct ones must stay distinct, but for a chance of
            # one in a billion. The product mixes the three code points.
            hashes = points[0, unknown].astype(np.uint64)
            for row in points[1:, unknown]:
                hashes = (hashes * _HASH) ^ row
            hashes = (hashes * _HASH) >> np.uint64(34)
            ranks[unknown] = np.int64(1 << 30) + hashes.astype(np.int64)
        keys = np.sort((rows << 32) | ranks)
        keys = keys[np.diff(keys, prepend=-1) != 0]
        return _TrigramSets(keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32), len(texts))


class _TrigramSets:
    """Sets of trigrams, as arrays.

    Attributes:
        rows, ranks: The number of the text, and the rank of the trigram: ranks of 2**30 and more
            are trigrams that are not indexed. Sorted by both.
        sizes: The number of trigrams of each text.
        starts: Where each text starts in the arrays.
        indexed: How many trigrams of each text are indexed. They come first.
    """

    def __init__(self, rows: NDArray[np.int64], ranks: NDArray[np.int32], count: int) -> None:
        self.rows, self.ranks = rows.astype(np.int32), ranks
        self.sizes = np.bincount(rows, minlength=count)
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.indexed = np.bincount(rows[ranks < 1 << 30], minlength=count)

    def prefixes(self, rows: Indexes, threshold: float) -> tuple[Indexes, Indexes, Indexes]:
        """The rarest trigrams of some texts, of which similar texts share one.

        Returns:
            For each trigram: the place of its text in `rows`, its rank, and its position among the
            trigrams of the text. Those that are not indexed are left out, although they are the
            rarest.
        """
        sizes = self.sizes[rows]
        missing = sizes - self.indexed[rows]
        # The smallest similar text has threshold / (2 - threshold) times as many trigrams, which
        # are all shared.
        length = sizes - _ceil(sizes * (threshold / (2 - threshold))) + 1
        taken = np.clip(length - missing, 0, self.indexed[rows])
        places = np.repeat(np.arange(len(rows)), taken)
        order = np.arange(len(places)) - np.repeat(np.cumsum(taken) - taken, taken)
        ranks = self.ranks[self.starts[rows][places] + order]
        return places, ranks.astype(np.int64), order + missing[places]

    def signatures(self, rows: Indexes, words: int) -> NDArray[np.uint64]:
        """Bits of each text, (words, texts): bit `rank % (64 * words)` of each trigram."""
        found = np.zeros((words, len(rows)), np.uint64)
        sizes = self.sizes[rows]
        if not sizes.sum():
            return found
        filled = np.flatnonzero(sizes)
        starts = np.cumsum(sizes[filled]) - sizes[filled]
        ranks = self.ranks[_ranges(self.starts[rows][filled], sizes[filled])]
        bits = np.uint64(1) << (ranks % 64).astype(np.uint64)
        word = ranks // 64 % words
        for number in range(words):
            own = np.where(word == number, bits, np.uint64(0))
            found[number, filled] = np.bitwise_or.reduceat(own, starts)
        return found


class _Tier:
    """Indexed texts of similar size: groups that share a rare trigram, and signatures."""

    def __init__(self, sets: _TrigramSets, rows: Indexes, words: int, threshold: float) -> None:
        self._rows, self._words, self._threshold = rows, words, threshold
        self._sizes = sets.sizes[rows]
        self._signatures = sets.signatures(rows, words)
        places, ranks, _ = sets.prefixes(rows, threshold)
        order = np.argsort(ranks << _SIZE_BITS | self._sizes[places])
        self._places = places[order].astype(np.int32)
        self._starts = np.flatnonzero(np.diff(ranks[order], prepend=-1))
        self._ends = np.append(self._starts[1:], len(order))
        self._ranks = ranks[order][self._starts]

    def candidates(
        self, sets: _TrigramSets, at_least: NDArray[np.float64] | None
    ) -> list[tuple[Indexes, Indexes]]:
        """Pairs that may be similar: numbers of indexed texts and of other texts."""
        ratio = self._threshold / (2 - self._threshold)
        smallest, largest = self._sizes.min() * ratio - 1, self._sizes.max() / ratio + 1
        rows = np.flatnonzero((sets.sizes >= smallest) & (sets.sizes <= largest))
        signatures = sets.signatures(rows, self._words)
        margin = np.full(len(self._rows), 1 - self._threshold)
        if at_least is not None:
            margin = np.minimum(margin, 1 - at_least[self._rows])
        places, ranks, positions = sets.prefixes(rows, self._threshold)
        sizes = sets.sizes[rows][places]
        # Of a and b trigrams, at least t * (a + b) / 2 are shared. If the rarest shared one is at
        # position j, at most a - j are. This bounds b.
        high = ((sizes - positions) * 2 / self._threshold - sizes + 1e-6).astype(np.int64)
        order = np.argsort(ranks << _SIZE_BITS | high)
        places, ranks, sizes, high = places[order], ranks[order], sizes[order], high[order]

        bounds = [ranks.searchsorted(self._ranks, side=side) for side in ("left", "right")]
        common = np.flatnonzero(bounds[0] < bounds[1])
        spans = (self._starts, self._ends, *bounds)
        found = []
        for begin, stop, start, end in zip(*(span[common].tolist() for span in spans), strict=True):
            indexed = self._places[begin:stop]
            group = _Group(self._sizes[indexed], self._signatures[:, indexed], margin[indexed])
            step = max(1, _CELLS // len(indexed))
            for first in range(start, end, step):
                part = slice(first, min(first + step, end))
                low = sizes[part].min() * ratio
                near = group.compare(
                    low, high[part.stop - 1], sizes[part], signatures[:, places[part]]
                )
                if near is not None:
                    found.append((self._rows[indexed[near[0]]], rows[places[part][near[1]]]))
        return found


@dataclass(frozen=True)
class _Group:
    """Indexed texts that have a trigram in common, in the order of their sizes.

    Attributes:
        sizes: The numbers of their trigrams.
        signatures: Their signatures, (words, texts).
        margin: The share of the trigrams of a pair that may differ.
    """

    sizes: Indexes
    signatures: NDArray[np.uint64]
    margin: NDArray[np.float64]

    def compare(
        self, low: float, high: float, sizes: Indexes, signatures: NDArray[np.uint64]
    ) -> tuple[Indexes, Indexes] | None:
        """Return the pairs that may be similar, if any, by their signatures.

        Args:
            low, high: The sizes of the indexed texts that may be similar.
            sizes: The sizes of the other texts.
            signatures: Their signatures, (words, other texts).

        Returns:
            The places of indexed texts and of other texts.
        """
        start = self.sizes.searchsorted(low - 1e-6)
        end = self.sizes.searchsorted(high, side="right")
        if start >= end:
            return None
        own, words = self.signatures[:, start:end], len(signatures)
        # At most 64 times the words, so that small numbers are compared.
        dtype = np.uint8 if words < 4 else np.uint16
        limit = self.margin[start:end] * (self.sizes[start:end] + sizes.max()) + 1e-6
        limit = np.minimum(limit, 64 * words).astype(dtype)
        differing = np.bitwise_count(own[0] ^ signatures[0, :, None]).astype(dtype, copy=False)
        for word in range(1, words):
            differing += np.bitwise_count(own[word] ^ signatures[word, :, None])
        close = differing <= limit  # (other texts, indexed texts)
        if not close.any():
            return None
        others, indexed = close.nonzero()
        return indexed + start, others


def _shared(
    first: _TrigramSets, first_rows: Indexes, second: _TrigramSets, second_rows: Indexes
) -> Indexes:
    """The number of shared trigrams of each pair of texts."""
    keys = []
    for sets, rows in ((first, first_rows), (second, second_rows)):
        counts = sets.indexed[rows]  # others are never shared
        ranks = sets.ranks[_ranges(sets.starts[rows], counts)].astype(np.int64)
        keys.append(np.repeat(np.arange(len(rows)), counts) << 32 | ranks)
    both = np.sort(np.concatenate(keys))
    twice = both[1:][both[1:] == both[:-1]]
    return np.bincount(twice >> 32, minlength=len(first_rows))


def _windows(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The trigrams of texts with a space at both ends: rows, and code points (3, trigrams)."""
    joined = "\n".join(f" {text} " for text in texts)
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    breaks = points == ord("\n")
    rows = np.cumsum(breaks, dtype=np.int32)
    inside = ~(breaks[:-2] | breaks[1:-1] | breaks[2:])
    windows = np.stack([points[:-2][inside], points[1:-1][inside], points[2:][inside]])
    return rows[:-2][inside].astype(np.int64), windows


def _ranges(starts: Indexes, counts: Indexes) -> Indexes:
    """All indexes of several ranges, one range after the other."""
    shift = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return shift + np.arange(len(shift))


def _parts(sizes: Indexes, limit: int) -> list[int]:
    """Bounds of parts whose sizes add up to about `limit`."""
    total = np.cumsum(sizes)
    steps = np.arange(1, (int(total[-1]) if len(total) else 0) // limit + 1) * limit
    inner = np.searchsorted(total, steps).tolist()
    return [0, *(bound for bound in dict.fromkeys(inner) if 0 < bound < len(sizes)), len(sizes)]


def _ceil(values: NDArray[np.float64]) -> Indexes:
    """Round up, but not for a rounding error."""
    return np.ceil(values - 1e-6).astype(np.int64)
