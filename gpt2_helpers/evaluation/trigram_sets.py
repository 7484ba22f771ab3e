"""Sets of character trigrams of texts, as arrays. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.evaluation.sorting import ranges
from gpt2_helpers.types import Indexes

_MAX_TABLE = 1 << 24  # entries of a table of all trigrams; larger alphabets are searched
_SORTED = 1 << 15  # values that are sorted at a time
_SIGNED = 1 << 19  # bits of signatures that are computed at a time
_NO_VALUE = np.iinfo(np.int32).max
_LAST_POINT = 0x110000
_HASH = np.uint64(0x9E3779B97F4A7C15)


class Alphabet:
    """Numbers the trigrams of the indexed texts, the rarest first."""

    def __init__(self, texts: Sequence[str]) -> None:
        points, rows, places = _windows(texts)
        characters = np.unique(points)
        self._numbers = np.zeros(_LAST_POINT, np.int32)  # 0 is a character that is not indexed
        self._numbers[characters] = np.arange(1, len(characters) + 1)
        self._base = len(characters) + 1
        codes = self._codes(points)[places]
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
        """A number without collisions for the three characters from each point on; the last two
        points have none."""
        numbers, base = self._numbers[points].astype(np.int64), self._base
        codes: NDArray[np.int64] = (numbers[:-2] * base + numbers[1:-1]) * base + numbers[2:]
        return codes

    def sets(self, texts: Sequence[str]) -> TrigramSets:
        """The trigrams of each text."""
        points, rows, places = _windows(texts)
        codes = self._codes(points)[places]
        if self._table is not None:
            ranks: NDArray[np.int64] = self._table[codes].astype(np.int64)
            # A code with a 0 in it may also be that of a trigram which is not indexed.
        else:
            found = np.searchsorted(self._known, codes).clip(max=max(0, self.count - 1))
            ranks = np.full(len(codes), -1, np.int64)
            if self.count:
                hit = self._known[found] == codes
                ranks[hit] = self._ranks[found[hit]]
        unknown = ranks < 0
        if unknown.any():
            # They match nothing, but count: distinct ones must stay distinct, but for a chance of
            # one in a billion. The product mixes the three code points.
            first = places[unknown]
            hashes = points[first].astype(np.uint64)
            for offset in (1, 2):
                hashes = (hashes * _HASH) ^ points[first + offset]
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
        """Bits of each text, (texts, words): each trigram flips bit `rank % (64 * words)`.

        The bits of two texts differ in at most as many places as their sets of trigrams do.
        """
        found = np.empty((len(rows), words), np.uint64)
        bits = 64 * words
        step = max(1, _SIGNED // bits)
        for first in range(0, len(rows), step):
            part = rows[first : first + step]
            sizes = self.sizes[part]
            ranks = self.ranks[ranges(self.starts[part], sizes)]
            cells = np.repeat(np.arange(len(part)) * bits, sizes) + ranks % bits
            flips = np.bincount(cells, minlength=len(part) * bits).astype(np.uint8) & 1
            packed = np.packbits(flips).view(np.uint64)
            found[first : first + step] = packed.reshape(len(part), words)
        return found


def fold(signatures: NDArray[np.uint64], words: int) -> NDArray[np.uint64]:
    """Shorten signatures, (texts, words), to `words`, which divides their number.

    >>> fold(np.array([[1, 2, 3, 4]], np.uint64), 2).tolist()
    [[2, 6]]
    """
    count, all_words = signatures.shape
    parts = signatures.reshape(count, all_words // words, words)
    folded: NDArray[np.uint64] = np.bitwise_xor.reduce(parts, axis=1)
    return folded


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


def _windows(texts: Sequence[str]) -> tuple[NDArray[np.uint32], Indexes, Indexes]:
    """The trigrams of texts with a space added at both ends.

    Returns:
        The code points of all texts, and for each trigram the row of its text and where it starts.
    """
    joined = "\n".join(f" {text} " for text in texts)
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    breaks = points == ord("\n")
    rows = np.cumsum(breaks)
    places = np.flatnonzero(~(breaks[:-2] | breaks[1:-1] | breaks[2:]))
    return points, rows[places], places


def _ceil(values: NDArray[np.float64]) -> Indexes:
    """Round up, but not for a rounding error."""
    return np.ceil(values - 1e-6).astype(np.int64)
