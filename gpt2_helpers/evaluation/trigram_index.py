"""Finds pairs of similar short texts: those that share most of their character trigrams.

Neither side is compared with all of the other. Sort the trigrams of every text by how rare they
are. If two texts share at least o of their a and b trigrams, then one of the a - o + 1 rarest of
the first is among the b - o + 1 rarest of the second (prefix filtering: Chaudhuri, Ganti and
Kaushik, "A primitive operator for similarity joins in data cleaning", 2006). Of the texts that
have such a trigram in common, most are ruled out by signatures, in which each trigram flips a bit,
so that two differ in at most as many places as the sets of trigrams do: first short ones, then long
ones. The rest is compared exactly.

Uses NumPy only, which releases the GIL: several threads may search an index at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpt2_helpers.evaluation.sorting import ranges, stable_order
from gpt2_helpers.evaluation.trigram_sets import Alphabet, TrigramSets, fold
from gpt2_helpers.types import Indexes

# Texts with up to so many trigrams are compared by signatures of so many 64-bit words, and then by
# those of so many.
_TIERS = ((112, 2, 8), (400, 8, 16), (1 << 14, 32, 64))
_CELLS = 3 << 16  # pairs of a group at a time; a third are near in size and fit in the cache
_FEW = 1 << 11  # pairs of a group that are compared together with those of other groups
_VERIFIED = 1 << 22  # trigrams of pairs that are compared exactly at a time
_BUFFER = 16  # elements of NumPy's buffer, the fewest it allows
_PAIRS = 1 << 16  # that are compared at a time if they are not all pairs of two lists

_Bounds: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]


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
        self._alphabet = Alphabet(texts)
        self._sets = self._alphabet.sets(texts)
        sizes = self._sets.sizes
        self._tiers = []
        smallest = 0
        for largest, *words in _TIERS:
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
            indexed, rows = tier.candidates(sets, at_least)
            found.append(indexed * count + rows)
        # A pair is a candidate once for each rare trigram that it shares.
        indexed, rows = np.divmod(np.unique(np.concatenate(found)), count)
        similarity = self._similarity(sets, indexed, rows)
        similar = similarity >= self._threshold
        return SimilarPairs(rows[similar], indexed[similar], similarity[similar])

    def similarity(self, texts: Sequence[str], indexed: Indexes) -> NDArray[np.float64]:
        """Return the similarity of each text to the indexed one of that number."""
        return self._similarity(self._alphabet.sets(texts), indexed, np.arange(len(texts)))

    def _similarity(
        self, sets: TrigramSets, indexed: Indexes, rows: Indexes
    ) -> NDArray[np.float64]:
        sizes = self._sets.sizes[indexed] + sets.sizes[rows]
        shared = np.zeros(len(rows), np.int64)
        bounds = _parts(sizes, _VERIFIED)
        for start, end in zip(bounds[:-1], bounds[1:], strict=True):
            part = slice(start, end)
            shared[part] = _shared(self._sets, indexed[part], sets, rows[part])
        return 2.0 * shared / np.maximum(sizes, 1)


class _Groups:
    """Entries of texts, grouped by a rare trigram that they share.

    Attributes:
        places: The text of each entry, by trigram and then by size.
        sizes: The number of its trigrams.
        bounds: The lowest and highest size of a similar text for each entry.
        ranks: The trigram of each group.
        starts, ends: Where each group starts and ends.
    """

    def __init__(self, places: Indexes, ranks: Indexes, sizes: Indexes, bounds: _Bounds) -> None:
        order = stable_order(ranks << 17 | sizes)  # sizes have at most 17 bits
        self.places, self.sizes = places[order].astype(np.int32), sizes[order]
        self.bounds = bounds[0][order], bounds[1][order]
        self.starts = np.flatnonzero(np.diff(ranks[order], prepend=-1))
        self.ends = np.append(self.starts[1:], len(order))
        self.ranks = ranks[order][self.starts]

    @classmethod
    def of(cls, sets: TrigramSets, rows: Indexes, threshold: float, is_larger: bool) -> _Groups:
        """The groups of some texts, for similar texts of at most their size, or of a larger one.

        Of a and b trigrams, similar texts share at least t * (a + b) / 2. That is at least t * a if
        b is not smaller, and at least t / (2 - t) * a otherwise, since b itself is as large.
        """
        ratio = threshold / (2 - threshold)
        places, ranks, positions = sets.prefixes(rows, ratio if is_larger else threshold)
        sizes = sets.sizes[rows][places]
        # If the rarest shared trigram is at position j, at most a - j are shared. This bounds b.
        high = (sizes - positions) * 2 / threshold - sizes + 1e-6
        low = sizes * ratio - 1e-6 if is_larger else sizes.astype(np.float64)
        return cls(places, ranks, sizes, (low, np.minimum(high, sizes) if is_larger else high))

    def may_match(self, entries: Indexes, sizes: Indexes) -> NDArray[np.bool_]:
        """Whether these entries may be similar to texts of these sizes."""
        low, high = self.bounds
        return (low[entries] <= sizes) & (sizes <= high[entries])


class _Tier:
    """Indexed texts of similar size: groups that share a rare trigram, and signatures."""

    def __init__(
        self, sets: TrigramSets, rows: Indexes, words: Sequence[int], threshold: float
    ) -> None:
        self._rows, self._words, self._threshold = rows, words, threshold
        self._sizes = sets.sizes[rows]
        self._signatures, self._long_signatures = self._signatures_of(sets, rows)
        self._groups = [_Groups.of(sets, rows, threshold, larger) for larger in (False, True)]

    def _signatures_of(
        self, sets: TrigramSets, rows: Indexes
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The short signatures, (words, texts), and the long ones, (texts, words)."""
        short, long = self._words
        signatures = sets.signatures(rows, long)
        return np.ascontiguousarray(fold(signatures, short).T), signatures

    def candidates(
        self, sets: TrigramSets, at_least: NDArray[np.float64] | None
    ) -> tuple[Indexes, Indexes]:
        """Pairs that may be similar: numbers of indexed texts and of other texts."""
        ratio = self._threshold / (2 - self._threshold)
        smallest, largest = self._sizes.min() * ratio - 1, self._sizes.max() / ratio + 1
        rows = np.flatnonzero((sets.sizes >= smallest) & (sets.sizes <= largest))
        signatures, long_signatures = self._signatures_of(sets, rows)
        margin = np.full(len(self._rows), 1 - self._threshold)
        if at_least is not None:
            margin = np.minimum(margin, 1 - at_least[self._rows])
        sizes = sets.sizes[rows]
        comparer = _Comparer(self._signatures, margin, signatures)
        found = [np.empty((2, 0), np.int32)]
        # Pairs in which the indexed text is not the larger one, and then those in which it is.
        for indexed, is_larger in zip(self._groups, (True, False), strict=True):
            others = _Groups.of(sets, rows, self._threshold, is_larger)
            found += comparer.compare_groups(indexed, others)
        own, other = np.concatenate(found, axis=1)
        limits = margin[own] * (self._sizes[own] + sizes[other]) + 1e-6
        kept = np.zeros(len(own), bool)
        for first in range(0, len(own), _PAIRS):
            part = slice(first, first + _PAIRS)
            bits = self._long_signatures[own[part]] ^ long_signatures[other[part]]
            kept[part] = np.bitwise_count(bits).sum(axis=1, dtype=np.int64) <= limits[part]
        return self._rows[own[kept]], rows[other[kept]]


class _Comparer:
    """Finds pairs that may be similar by their short signatures.

    Args:
        signatures: The signatures of the indexed texts, (words, texts).
        margin: The share of the trigrams of a pair that may differ, for each of them.
        other_signatures: As `signatures`, of the other texts.
    """

    def __init__(
        self,
        signatures: NDArray[np.uint64],
        margin: NDArray[np.float64],
        other_signatures: NDArray[np.uint64],
    ) -> None:
        self._signatures, self._margin = signatures, margin
        self._other_signatures = other_signatures
        # At most 64 times the words, so that small numbers are compared.
        self._dtype = np.uint8 if len(signatures) < 4 else np.uint16
        # New arrays for each comparison would take longer than the comparison.
        n_cells = max(_CELLS, len(margin))
        self._bits = np.empty(n_cells, np.uint64)
        self._counts = np.empty((2, n_cells), self._dtype)

    def compare_groups(self, indexed: _Groups, others: _Groups) -> Iterator[NDArray[np.int32]]:
        """Yield pairs of texts that are in the same group: the places of both, (2, pairs)."""
        _, own, theirs = np.intersect1d(
            indexed.ranks, others.ranks, assume_unique=True, return_indices=True
        )
        spans = np.stack(
            [indexed.starts[own], indexed.ends[own], others.starts[theirs], others.ends[theirs]]
        )
        is_small = (spans[1] - spans[0]) * (spans[3] - spans[2]) <= _FEW
        yield from self._compare_small(indexed, others, spans[:, is_small])
        for span in spans[:, ~is_small].T.tolist():
            yield from self._compare_group(indexed, others, *span)

    def _compare_small(
        self, indexed: _Groups, others: _Groups, spans: Indexes
    ) -> Iterator[NDArray[np.int32]]:
        """Compare the pairs of many groups together; see `_compare_group`. `spans` has one column
        for each group."""
        begins, stops, starts, ends = spans
        entries = ranges(starts, ends - starts)
        groups = np.repeat(np.arange(len(starts)), ends - starts)
        counts = (stops - begins)[groups]  # of pairs, for each entry
        bounds = _parts(counts, _PAIRS)
        for first, last in zip(bounds[:-1], bounds[1:], strict=True):
            part = slice(first, last)
            own = ranges(begins[groups[part]], counts[part])
            theirs = np.repeat(entries[part], counts[part])
            own_sizes, their_sizes = indexed.sizes[own], others.sizes[theirs]
            near = np.flatnonzero(
                indexed.may_match(own, their_sizes) & others.may_match(theirs, own_sizes)
            )
            places, other = indexed.places[own[near]], others.places[theirs[near]]
            differing = np.zeros(len(near), np.int64)
            for signatures, other_signatures in zip(
                self._signatures, self._other_signatures, strict=True
            ):
                differing += np.bitwise_count(signatures[places] ^ other_signatures[other])
            limit = self._margin[places] * (own_sizes[near] + their_sizes[near]) + 1e-6
            kept = differing <= limit
            yield np.stack([places[kept], other[kept]])

    def _compare_group(
        self, indexed: _Groups, others: _Groups, begin: int, stop: int, start: int, end: int
    ) -> Iterator[NDArray[np.int32]]:
        """Compare the entries `begin` to `stop` of the indexed texts with the entries `start` to
        `end` of the others."""
        places, group_sizes = indexed.places[begin:stop], indexed.sizes[begin:stop]
        group_signatures = self._signatures.take(places, axis=1)
        lowest, highest = (bound[begin:stop] for bound in indexed.bounds)
        step = max(1, _CELLS // len(places))
        for first in range(start, end, step):
            part = slice(first, min(first + step, end))
            sizes = others.sizes[part]
            low, high = others.bounds[0][first], others.bounds[1][part].max()
            left, right = group_sizes.searchsorted(low), group_sizes.searchsorted(high, "right")
            near = np.flatnonzero(
                (highest[left:right] >= sizes[0]) & (lowest[left:right] <= sizes[-1])
            )
            if not len(near):
                continue
            near += left
            pairs = self._compare(
                places[near],
                group_sizes[near],
                group_signatures.take(near, axis=1),
                others.places[part],
                sizes[-1],
            )
            if pairs is not None:
                yield pairs

    def _compare(
        self,
        places: NDArray[np.int32],
        sizes: Indexes,
        signatures: NDArray[np.uint64],
        others: NDArray[np.int32],
        largest: np.int64,
    ) -> NDArray[np.int32] | None:
        """Compare some indexed texts with some others, of which `largest` is the largest size."""
        words, shape = len(signatures), (len(others), len(places))
        limit = self._margin[places] * (sizes + largest) + 1e-6
        limit = np.minimum(limit, 64 * words).astype(self._dtype)
        bits = self._bits[: shape[0] * shape[1]].reshape(shape)
        differing, more = (row[: bits.size].reshape(shape) for row in self._counts)
        other_signatures = self._other_signatures.take(others, axis=1)
        first = min(words, max(2, words // 2))  # words that already rule out most pairs
        for word in range(first):
            _xor(signatures[word], other_signatures[word, :, None], bits)
            np.bitwise_count(bits, out=more if word else differing, casting="unsafe")
            if word:
                differing += more
        close = np.flatnonzero(differing <= limit)  # of (other texts, indexed texts)
        if not len(close):
            return None
        row, column = np.divmod(close.astype(np.int32), np.int32(shape[1]))
        count = differing.ravel()[close]
        for word in range(first, words):
            count += np.bitwise_count(signatures[word, column] ^ other_signatures[word, row])
        kept = count <= limit[column]
        return np.stack([places[column[kept]], others[row[kept]]])


def _xor(row: NDArray[np.uint64], column: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    """Combine a row (n,) with a column (m, 1) -> (m, n)."""
    # NumPy would copy short rows that are combined with single numbers into its buffer, which takes
    # longer than combining them.
    size = np.setbufsize(_BUFFER)
    try:
        np.bitwise_xor(row, column, out=out)
    finally:
        np.setbufsize(size)


def _shared(
    first: TrigramSets, first_rows: Indexes, second: TrigramSets, second_rows: Indexes
) -> Indexes:
    """The number of shared trigrams of each pair of texts."""
    keys = []
    for sets, rows in ((first, first_rows), (second, second_rows)):
        counts = sets.indexed[rows]  # others are never shared
        ranks = sets.ranks[ranges(sets.starts[rows], counts)].astype(np.int64)
        keys.append(np.repeat(np.arange(len(rows)), counts) << 32 | ranks)
    # Both are sorted, and a stable sort merges them, in a tenth of the time.
    both = np.sort(np.concatenate(keys), kind="stable")
    twice = both[1:][both[1:] == both[:-1]]
    return np.bincount(twice >> 32, minlength=len(first_rows))


def _parts(sizes: Indexes, limit: int) -> list[int]:
    """Bounds of parts whose sizes add up to about `limit`."""
    total = np.cumsum(sizes)
    steps = np.arange(1, (int(total[-1]) if len(total) else 0) // limit + 1) * limit
    inner = np.searchsorted(total, steps).tolist()
    return [0, *(bound for bound in dict.fromkeys(inner) if 0 < bound < len(sizes)), len(sizes)]
