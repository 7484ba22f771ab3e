"""Arrays worked on in parts, a thread for each core. Knows nothing of what is done with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from gpt2_helpers.system import device


def parallel_for(function: Callable[[slice], None], count: int, worth_threads: bool) -> None:
    """Call `function` for slices that make up all of `count`: one for each core where that is worth
    waking them, else one. NumPy lets others run while it computes.

    squares = np.empty(len(numbers))

    def square(part: slice) -> None:
        np.square(numbers[part], out=squares[part])

    in_parts(square, len(numbers), worth_threads=len(numbers) > 100_000)
    """
    parts = min(count, device.cores()) if worth_threads else 1
    bounds = [count * part // parts for part in range(parts + 1)]
    slices = [slice(first, last) for first, last in itertools.pairwise(bounds)]
    others = [_threads().submit(function, part) for part in slices[1:]]
    function(slices[0])
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, device.cores() - 1), thread_name_prefix="parts")
