"""Sets of character trigrams of texts, as arrays. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.types import Indexes

_MAX_TABLE = 1 << 24  # entries of a table of all trigrams; larger alphabets are searched
_LAST_POINT = 0x110000
_HASH = np.uint64(0x9E3779B97F4A7C15)


class Alphabet:
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

    def sets(self, texts: Sequence[str]) -> TrigramSets:
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
        return TrigramSets(keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32), len(texts))


class TrigramSets:
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

    def prefixes(self, rows: Indexes, share: float) -> tuple[Indexes, Indexes, Indexes]:
        """The rarest trigrams of some texts. Texts that share this share of the trigrams of one of
        them share one of its prefix.

        Returns:
            For each trigram: the place of its text in `rows`, its rank, and its position among the
            trigrams of the text. Those that are not indexed are left out, although they are the
            rarest.
        """
        sizes = self.sizes[rows]
        missing = sizes - self.indexed[rows]
        length = sizes - _ceil(sizes * share) + 1
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
        ranks = self.ranks[ranges(self.starts[rows][filled], sizes[filled])]
        bits = np.uint64(1) << (ranks % 64).astype(np.uint64)
        word = ranks // 64 % words
        for number in range(words):
            own = np.where(word == number, bits, np.uint64(0))
            found[number, filled] = np.bitwise_or.reduceat(own, starts)
        return found


def _windows(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The trigrams of texts with a space at both ends: rows, and code points (3, trigrams)."""
    joined = "\n".join(f" {text} " for text in texts)
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    breaks = points == ord("\n")
    rows = np.cumsum(breaks, dtype=np.int32)
    inside = ~(breaks[:-2] | breaks[1:-1] | breaks[2:])
    windows = np.stack([points[:-2][inside], points[1:-1][inside], points[2:][inside]])
    return rows[:-2][inside].astype(np.int64), windows


def ranges(starts: Indexes, counts: Indexes) -> Indexes:
    """All indexes of several ranges, one range after the other."""
    shift = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return shift + np.arange(len(shift))


def _ceil(values: NDArray[np.float64]) -> Indexes:
    """Round up, but not for a rounding error."""
    return np.ceil(values - 1e-6).astype(np.int64)
