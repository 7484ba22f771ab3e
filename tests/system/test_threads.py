"""Parallel loops: every element exactly once, errors included."""

from __future__ import annotations

import numpy as np
import pytest

from gpt2_helpers.system import device
from gpt2_helpers.system.threads import parallel_for


@pytest.mark.parametrize("cores", [1, 2, 3, 16])
@pytest.mark.parametrize("count", [1, 2, 10, 1000])
@pytest.mark.parametrize("worth_threads", [True, False])
def test_every_element_is_processed_once(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int, worth_threads: bool
) -> None:
    monkeypatch.setattr(device, "cores", lambda: cores)
    calls = np.zeros(count, int)

    def add(part: slice) -> None:
        calls[part] += 1

    parallel_for(add, count, worth_threads)
    assert calls.tolist() == [1] * count


def test_small_work_is_not_split() -> None:
    slices: list[slice] = []
    parallel_for(slices.append, 100, worth_threads=False)
    assert slices == [slice(0, 100)]


def test_an_error_of_a_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cores", lambda: 2)

    def fail(part: slice) -> None:
        if part.start > 0:
            raise ValueError("the second slice")

    with pytest.raises(ValueError, match="the second slice"):
        parallel_for(fail, 2, worth_threads=True)
