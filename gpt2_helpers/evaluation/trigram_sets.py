"""Sets of character trigrams of texts, as arrays. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.types import Indexes

_MAX_TABLE = 1 << 24  # entries of a table of all trigrams; larger alphabets are searched
_SORTED = 1 << 15  # values that are sorted at a time
_NO_VALUE = np.iinfo(np.int32).max
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
        has_table = self._base**3 <= _MAX_TABLE
        if has_table:
            self._known = np.flatnonzero(np.bincount(codes, minlength=self._base**3))
            inverse = np.zeros(self._base**3, np.int64)
            inverse[self._known] = np.arange(len(self._known))
            inverse = inverse[codes]
        else:
            self._known, inverse = np.unique(codes, return_inverse=True)
        self.count = len(self._known)
        _, once = distinct_in_rows(rows, inverse, len(texts))
        frequencies = np.bincount(once, minlength=self.count)
        self._ranks = np.empty(self.count, np.int32)
        self._ranks[np.argsort(frequencies, kind="stable")] = np.arange(self.count)
        self._table: NDArray[np.int32] | None = None
        if has_table:
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
        return TrigramSets(*distinct_in_rows(rows, ranks, len(texts)), len(texts))


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


def distinct_in_rows(
    rows: Indexes, values: Indexes, count: int
) -> tuple[Indexes, NDArray[np.int32]]:
    """Sort the values of each row, and leave out those that occur again in it.

    Args:
        rows: The row of each value, in order.
        values: Numbers from 0 to 2**31 - 2.
        count: Number of rows.

    Returns:
        The rows and the values that are left.

    >>> rows, values = distinct_in_rows(np.array([0, 0, 0, 2]), np.array([7, 5, 7, 7]), 3)
    >>> rows.tolist(), values.tolist()
    ([0, 0, 2], [5, 7, 7])
    """
    sizes = np.bincount(rows, minlength=count)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    found: list[tuple[Indexes, NDArray[np.int32]]] = []
    first = 0
    while first < count:
        # Short rows are sorted as rows of a matrix, several times as fast as all together.
        last = max(first + 1, int(ends.searchsorted(starts[first] + _SORTED, side="right")))
        own, width = sizes[first:last], int(sizes[first:last].max(initial=0))
        part = slice(int(starts[first]), int(ends[last - 1]))
        matrix = np.full((last - first, width), _NO_VALUE, np.int32)
        column = np.arange(part.start, part.stop) - np.repeat(starts[first:last], own)
        matrix[rows[part] - first, column] = values[part]
        matrix.sort(axis=1)
        kept = matrix != _NO_VALUE
        kept[:, 1:] &= matrix[:, 1:] != matrix[:, :-1]
        found.append((np.repeat(np.arange(first, last), kept.sum(axis=1)), matrix[kept]))
        first = last
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int32)
    left = zip(*found, strict=True)
    return np.concatenate(next(left)), np.concatenate(next(left))


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
