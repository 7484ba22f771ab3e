"""Generates another text in place of each one that is not accepted, such as a duplicate.

Texts are accepted in the order of their numbers, whatever the order in which they finish, so that
the result depends neither on the batch size nor on an interruption.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from gpt2_helpers.generation.result import GenerationResult

# Far from the seeds that users choose, so that seeds 1 and 2 have no tries in common.
_SEED_STEP = 0x1E3779B97F4A7C15


class TextFilter(Protocol):
    """Decides which texts are accepted."""

    def is_copy(self, text: str) -> bool:
        """Whether a text must be left out, whatever the other texts are."""

    def is_duplicate(self, text: str) -> bool:
        """Whether a text repeats one that was accepted."""

    def accept(self, text: str) -> None:
        """Called with each accepted text."""


def seed_of_try(seed: int, tries: int) -> int:
    """The seed of a text after a number of tries that were not accepted.

    >>> seed_of_try(7, 0)
    7
    """
    return (seed + tries * _SEED_STEP) % 2**63


class Selection:
    """The texts of a call that are accepted, and those to generate again.

    Args:
        text_filter: Decides which texts are accepted.
        max_tries: Number of tries for each text, after which it is left out.
        first: Number of the first text. Defaults to 0.

    Attributes:
        n_missing: Number of texts that were left out.

    selection = Selection(NoveltyFilter(), max_tries=10)
    for result in generate(decoders, tokenizer, "Once", config, selection=selection):
        print(result.text)
    """

    def __init__(self, text_filter: TextFilter, max_tries: int, first: int = 0) -> None:
        self._filter, self._max_tries = text_filter, max_tries
        self._next = first  # the first text that is not decided
        self._finished: dict[int, GenerationResult | None] = {}  # None: every try failed
        self._tries: dict[int, int] = {}  # failed ones of the texts that are not decided
        self._again: deque[int] = deque()
        self.n_missing = 0

    def next_retry(self) -> tuple[int, int] | None:
        """The number of a text to generate again, and how often it failed. None if there is none
        now; a text that is still being generated may fail too."""
        if not self._again:
            return None
        index = self._again.popleft()
        return index, self._tries[index]

    def add(self, result: GenerationResult, seed: int) -> Iterator[GenerationResult]:
        """Add a finished text, and yield those that can be accepted now, in order.

        Args:
            result: The text.
            seed: The seed of the call.

        Yields:
            Accepted texts, each with its own seed.
        """
        index = result.index
        if self._filter.is_duplicate(result.text) or self._filter.is_copy(result.text):
            self._fail(index)
        else:
            seed = seed_of_try(seed, self._tries.get(index, 0))
            self._finished[index] = dataclasses.replace(result, seed=seed)
        while self._next in self._finished:
            found = self._finished.pop(self._next)
            if found is None:
                self.n_missing += 1
            elif self._filter.is_duplicate(found.text):
                self._fail(self._next)
                continue
            else:
                self._filter.accept(found.text)
                yield found
            self._tries.pop(self._next, None)
            self._next += 1

    def _fail(self, index: int) -> None:
        """Generate another text in place of this one, unless it was the last try."""
        self._tries[index] = self._tries.get(index, 0) + 1
        if self._tries[index] < self._max_tries:
            self._again.append(index)
        else:
            self._finished[index] = None
