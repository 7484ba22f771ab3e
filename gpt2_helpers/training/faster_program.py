"""Chooses the faster of two programs that compute the same, by timing both where they are used."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gpt2_helpers.errors import is_out_of_memory
from gpt2_helpers.system import xla

TIMED_CALLS = 3  # of each program, after a first call that traces or compiles it
# Compiling takes longer than it can save if less time than this is left, in seconds.
MIN_SECONDS_LEFT = 120.0


class FasterProgram:
    """Calls a graph, then its form compiled by XLA, a few times each, and then only the faster.

    Both must have the same effect, since every call counts. A compiled form that fails, or that
    does not fit in memory, is not used.

    Attributes:
        is_choosing: Whether the last call was part of the comparison.

    step = FasterProgram(graph, compiled, notes)
    loss = step(windows, seed, calls_left=1000)
    """

    def __init__(
        self, graph: Callable[..., Any], compiled: Callable[..., Any] | None, notes: list[str]
    ) -> None:
        """Call nothing yet.

        Args:
            graph: Returns a scalar.
            compiled: The same; None without a choice.
            notes: Gets a line for the user when the choice is made.
        """
        self._graph, self._compiled, self._notes = graph, compiled, notes
        self._times: tuple[list[float], list[float]] = ([], [])  # of the graph, compiled
        self.is_choosing = compiled is not None

    def __call__(self, *arguments: Any, calls_left: int | None = None) -> float:
        """Call one of the two.

        Args:
            arguments: Those of the programs.
            calls_left: Expected number of calls, including this one; None if it is not known.

        Returns:
            The result.
        """
        compiled = self._compiled
        if compiled is None:
            self.is_choosing = False
            return float(self._graph(*arguments))
        graph_times, compiled_times = self._times
        if len(compiled_times) > TIMED_CALLS:  # it was faster
            self.is_choosing = False
            return float(compiled(*arguments))
        if len(graph_times) <= TIMED_CALLS:
            return _timed(self._graph, arguments, graph_times)
        seconds_left = None if calls_left is None else calls_left * min(graph_times[1:])
        if not compiled_times and seconds_left is not None and seconds_left < MIN_SECONDS_LEFT:
            self._compiled = None
            return self(*arguments)
        try:
            result = _timed(compiled, arguments, compiled_times)
        except Exception as error:  # at the first call, before anything was changed
            if compiled_times:
                raise
            self._compiled = None
            if is_out_of_memory(error):
                self._notes.append("training steps compiled by XLA do not fit in memory: not used")
            else:
                xla.give_up(error)
            return self(*arguments)
        if len(compiled_times) > TIMED_CALLS:
            self._choose()
        return result

    def _choose(self) -> None:
        graph, compiled = (min(times[1:]) for times in self._times)
        used = "used" if compiled < graph else "not used"
        self._notes.append(
            f"training steps compiled by XLA take {compiled:.3g} s instead of {graph:.3g} s: {used}"
        )
        if compiled >= graph:
            self._compiled = None


def _timed(program: Callable[..., Any], arguments: tuple[Any, ...], times: list[float]) -> float:
    started = time.monotonic()
    result = float(program(*arguments))  # waits until it is computed
    times.append(time.monotonic() - started)
    return result
