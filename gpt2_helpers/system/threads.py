"""Parallel loops over slices of an array."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from gpt2_helpers.system import device


def parallel_for(function: Callable[[slice], None], count: int, worth_threads: bool) -> None:
    """Call `function` for slices that together cover `range(count)`, on one thread per core.

    NumPy releases the GIL while it computes.

    Args:
        function: Processes one slice. An exception is raised here.
        count: Number of elements.
        worth_threads: Whether the work is large enough for threads; else there is one slice.

    Example:
        squares = np.empty(len(numbers))

        def square(part: slice) -> None:
            np.square(numbers[part], out=squares[part])

        parallel_for(square, len(numbers), worth_threads=len(numbers) > 100_000)
    """
    parts = min(count, device.cores()) if worth_threads else 1
    bounds = [count * part // parts for part in range(parts + 1)]
    first, *others = [slice(start, stop) for start, stop in itertools.pairwise(bounds)]
    futures = [_executor().submit(function, part) for part in others]
    function(first)
    for future in futures:
        future.result()


@lru_cache(maxsize=1)
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, device.cores() - 1), thread_name_prefix="parallel_for")
