"""Results in the order of the prompts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpt2_helpers.generation.result import GenerationResult, in_order


def result(index: int) -> GenerationResult:
    return GenerationResult(f"text {index}", "", index, n_tokens=3, finish_reason="stop")


def test_results_that_finish_early_wait_for_their_turn() -> None:
    ordered = in_order(iter([result(2), result(0), result(1), result(3)]))
    assert [one.index for one in ordered] == [0, 1, 2, 3]
    finishing = iter([result(0), result(2)])
    assert next(in_order(finishing)) == result(0)  # before the next one is requested
    assert next(finishing) == result(2)


def test_an_interrupt_loses_no_finished_result() -> None:
    def interrupted() -> Iterator[GenerationResult]:
        yield from (result(0), result(3), result(2))
        raise KeyboardInterrupt

    seen: list[GenerationResult] = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(in_order(interrupted()))
    ordered = in_order(interrupted())
    assert [next(ordered).index for _ in range(3)] == [0, 2, 3]


def test_a_result_prints_as_its_text() -> None:
    assert str(result(0)) == "text 0"
