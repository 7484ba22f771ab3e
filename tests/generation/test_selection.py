"""Which texts are accepted, and which are generated again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from gpt2_helpers.generation.result import GenerationResult
from gpt2_helpers.generation.selection import Selection, seed_of_try


class Words:
    """A filter that accepts each text once, and never one in capitals."""

    def __init__(self) -> None:
        self.accepted: list[str] = []

    def is_copy(self, text: str) -> bool:
        return text.isupper()

    def is_duplicate(self, text: str) -> bool:
        return text in self.accepted

    def accept(self, text: str) -> None:
        self.accepted.append(text)


# The tries of each of four texts, in the order of their seeds.
TRIES = (("a", "x"), ("B", "a", "b"), ("a", "A", "a"), ("b", "a", "c"))


def select(order: Iterable[int], max_tries: int = 3) -> tuple[list[str], Selection]:
    """Finish the texts in an order: the first tries in that of `order`, then each retry at once."""
    selection = Selection(Words(), max_tries)
    accepted = []
    waiting = [(index, 0) for index in order]
    while waiting:
        index, tries = waiting.pop(0)
        result = GenerationResult(TRIES[index][tries], "", index, 1, "stop")
        for found in selection.add(result, seed=5):
            assert found.seed == seed_of_try(5, TRIES[found.index].index(found.text))
            accepted.append(f"{found.index}{found.text}")
        while (retry := selection.next_retry()) is not None:
            waiting.append(retry)
    return accepted, selection


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_the_order_in_which_texts_finish_changes_nothing(order: tuple[int, ...]) -> None:
    accepted, selection = select(order)
    assert accepted == ["0a", "1b", "3c"]
    assert selection.n_missing == 1


@pytest.mark.parametrize(
    ("max_tries", "expected"), [(1, ["0a", "3b"]), (2, ["0a", "3b"]), (3, ["0a", "1b", "3c"])]
)
def test_a_text_is_left_out_after_the_last_try(max_tries: int, expected: list[str]) -> None:
    accepted, selection = select(range(4), max_tries)
    assert accepted == expected
    assert selection.n_missing == 4 - len(expected)


def test_the_seeds_of_tries_differ_and_are_valid() -> None:
    seeds = {seed_of_try(seed, tries) for seed in (0, 1, 2**63 - 1) for tries in range(1000)}
    assert len(seeds) == 3000
    assert all(0 <= seed < 2**63 for seed in seeds)
