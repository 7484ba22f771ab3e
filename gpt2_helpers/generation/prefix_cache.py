"""Keys and values of prompts, from which later prompts start.

The rows of decoders hold the keys and values of their last prompts. What another prompt would
overwrite is copied, and kept until prompts that were used later need the room. A new prompt starts
from the longest prefix that any of them has in common with it.

Only what prefill computed is used again, not the tokens of decode steps: their attention is summed
in another order (`kv_cache`), while that of prompts is the same to the last bit however a prompt is
read (`prompt_attention`). So a text is the same with and without the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from numpy.typing import NDArray

from gpt2_helpers.generation.kv_cache import KeyValueCache
from gpt2_helpers.types import Floats

KEPT_ROWS = 2  # copies have at most as many tokens as so many rows
MIN_KEPT = 32  # tokens that are lost without a copy; fewer are computed again as fast


class Prefix(NamedTuple):
    """The first tokens of a prompt.

    Its keys and values (layer, 2, head, token, head_dim) may be a view of a row, with more tokens.
    """

    ids: tuple[int, ...]
    keys_values: Floats


class PrefixCache:
    """The prefixes in the rows of all decoders of one model, and copies of former ones.

    The copies that were not used for the longest time are dropped first.
    """

    def __init__(self) -> None:
        self._rows: WeakSet[PrefixRows] = WeakSet()
        self._copies: list[Prefix] = []  # the most recently used is last

    @property
    def max_tokens(self) -> int:
        """Tokens of all copies at most."""
        return KEPT_ROWS * max((rows.cache.capacity for rows in self._rows), default=0)

    @property
    def tokens(self) -> int:
        """Tokens of all copies."""
        return sum(len(copy.ids) for copy in self._copies)

    def add_rows(self, rows: PrefixRows) -> None:
        """Use the prefixes of a decoder's rows, as long as it exists."""
        self._rows.add(rows)

    def others(self, rows: PrefixRows, row: int) -> list[Prefix]:
        """All prefixes but that of one row."""
        found = [
            each[number]
            for each in self._rows
            for number in range(each.cache.batch_size)
            if (each, number) != (rows, row)
        ]
        return [*found, *self._copies]

    def keep(self, prefix: Prefix) -> None:
        """Copy a prefix, unless it has more than `max_tokens` tokens."""
        size = len(prefix.ids)
        if size > self.max_tokens:
            return
        # Those that the new one starts with have nothing more.
        self._copies = [
            copy for copy in self._copies if common_length(copy.ids, prefix.ids) < len(copy.ids)
        ]
        while self.tokens + size > self.max_tokens:
            del self._copies[0]
        self._copies.append(Prefix(prefix.ids, prefix.keys_values[..., :size, :].copy()))

    def note_use(self, prefix: Prefix) -> None:
        """Make a copy the most recently used one. The prefix of a row needs no note."""
        for index, copy in enumerate(self._copies):
            if copy is prefix:
                self._copies.append(self._copies.pop(index))
                return

    def clear(self) -> None:
        """Forget all prefixes, after the weights have changed."""
        self._copies.clear()
        for rows in self._rows:
            rows.clear()


class PrefixRows:
    """The prefixes in the rows of one decoder.

    Args:
        cache: The decoder's keys and values.
        kept: The prefixes of all decoders of the model.

    Attributes:
        cache: The decoder's keys and values.
    """

    def __init__(self, cache: KeyValueCache, kept: PrefixCache) -> None:
        self.cache, self._kept = cache, kept
        self._ids: list[tuple[int, ...]] = [()] * cache.batch_size
        kept.add_rows(self)

    def __getitem__(self, row: int) -> Prefix:
        return Prefix(self._ids[row], self.cache.row(row))

    def clear(self) -> None:
        """Forget the prefixes of all rows."""
        self._ids = [()] * self.cache.batch_size

    def set(self, row: int, ids: Sequence[int]) -> None:
        """Note that prefill has computed `ids` at the start of a row."""
        self._ids[row] = tuple(ids)

    def cut(self, positions: NDArray[Any]) -> None:
        """Note that other tokens will be stored at these positions (row) of the first rows."""
        for row, position in enumerate(positions.tolist()):
            if position < len(self._ids[row]):
                self._ids[row] = self._ids[row][:position]

    def start(self, row: int, ids: Sequence[int]) -> int:
        """Put the longest known prefix of a prompt into a row.

        Args:
            row: The row. Its former prefix is kept if much of it is lost.
            ids: Token ids of the prompt.

        Returns:
            The length of the prefix, 0 if none is known.
        """
        own, others = self[row], self._kept.others(self, row)
        length, best = longest_common([own, *others], ids)
        shared = common_length(own.ids, ids)
        elsewhere, _ = longest_common(others, own.ids)
        del others  # so that a dropped copy is freed before the next one is made
        if len(own.ids) - max(shared, elsewhere) >= MIN_KEPT:
            self._kept.keep(own)
        self.set(row, ids[:shared])  # before the row changes, in case of an interrupt
        if length > shared and best is not None:
            target = self.cache.row(row)
            target[..., shared:length, :] = best.keys_values[..., shared:length, :]
            self._kept.note_use(best)
            self.set(row, ids[:length])
        return length


def longest_common(prefixes: Iterable[Prefix], ids: Sequence[int]) -> tuple[int, Prefix | None]:
    """Find the prefix that shares most with a prompt.

    Args:
        prefixes: Prefixes, of which the first is preferred among equals.
        ids: Token ids of the prompt.

    Returns:
        The number of tokens that both start with, and the prefix; 0 and None without any.
    """
    length, best = 0, None
    for prefix in prefixes:
        if len(prefix.ids) > length and (common := common_length(prefix.ids, ids)) > length:
            length, best = common, prefix
    return length, best


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """The number of tokens that both start with.

    >>> common_length([1, 2, 3], [1, 2, 4, 5])
    2
    """
    length = min(len(first), len(second))
    return next((at for at in range(length) if first[at] != second[at]), length)
