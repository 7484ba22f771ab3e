"""The choice between a graph and its compiled form, with programs on a simulated clock."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from gpt2_helpers.system import xla
from gpt2_helpers.training import faster_program
from gpt2_helpers.training.faster_program import MIN_SECONDS_LEFT, TIMED_CALLS, FasterProgram

CALLS = 2 * (1 + TIMED_CALLS)  # of a comparison


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr(xla, "_failed", [])
    clock = SimpleNamespace(now=0.0, called=[])
    monkeypatch.setattr(faster_program, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def program(
    clock: SimpleNamespace, name: str, first: float, later: float
) -> Callable[[float], float]:
    """A program that takes `first` seconds when it is called first, and `later` each time after."""

    def call(x: float) -> float:
        clock.now += later if name in clock.called else first
        clock.called.append(name)
        return 2 * x

    return call


@pytest.mark.parametrize(("graph", "compiled", "faster"), [(3, 2, "xla"), (2, 3, "graph")])
def test_the_faster_one_is_used_after_both_were_timed(
    clock: SimpleNamespace, graph: float, compiled: float, faster: str
) -> None:
    notes: list[str] = []
    choice = FasterProgram(
        program(clock, "graph", 10, graph), program(clock, "xla", 90, compiled), notes
    )
    choosing = []
    for number in range(CALLS + 3):
        assert choice(float(number)) == 2 * number
        choosing.append(choice.is_choosing)
    half = CALLS // 2
    assert clock.called == ["graph"] * half + ["xla"] * half + [faster] * 3
    assert choosing == [True] * CALLS + [False] * 3
    used = "used" if faster == "xla" else "not used"
    assert notes == [
        f"training steps compiled by XLA take {compiled} s instead of {graph} s: {used}"
    ]


@pytest.mark.parametrize(("factor", "compiles"), [(0.9, False), (1.1, True)])
def test_a_short_training_is_not_compiled(
    clock: SimpleNamespace, factor: float, compiles: bool
) -> None:
    choice = FasterProgram(program(clock, "graph", 5, 1), program(clock, "xla", 90, 0.5), [])
    total = round(factor * MIN_SECONDS_LEFT) + 1 + TIMED_CALLS
    for left in range(total, total - CALLS, -1):
        choice(1.0, calls_left=left)
    assert ("xla" in clock.called) is compiles


def test_without_a_compiled_form_nothing_is_timed(clock: SimpleNamespace) -> None:
    choice = FasterProgram(program(clock, "graph", 5, 1), None, [])
    assert not choice.is_choosing
    assert choice(4.0) == 8.0


def failing(error: Exception) -> Callable[..., Any]:
    def call(_: float) -> float:
        raise error

    return call


def test_where_it_cannot_be_compiled_the_graph_computes_the_same_call(
    clock: SimpleNamespace,
) -> None:
    error = tf.errors.InternalError(None, None, "libdevice not found at ./libdevice.10.bc")
    notes: list[str] = []
    choice = FasterProgram(program(clock, "graph", 5, 1), failing(error), notes)
    with pytest.warns(UserWarning, match="libdevice not found"):
        results = [choice(1.0) for _ in range(CALLS)]
    assert results == [2.0] * CALLS
    assert clock.called == ["graph"] * CALLS
    assert not notes


def test_a_compiled_form_that_does_not_fit_in_memory_is_not_used(clock: SimpleNamespace) -> None:
    error = tf.errors.ResourceExhaustedError(None, None, "Out of memory while trying to allocate")
    notes: list[str] = []
    choice = FasterProgram(program(clock, "graph", 5, 1), failing(error), notes)
    assert [choice(1.0) for _ in range(CALLS)] == [2.0] * CALLS
    assert notes == ["training steps compiled by XLA do not fit in memory: not used"]


def test_an_error_of_a_later_call_is_raised(clock: SimpleNamespace) -> None:
    compiled = program(clock, "xla", 90, 1)
    choice = FasterProgram(
        program(clock, "graph", 5, 2),
        lambda x: compiled(x) if clock.called.count("xla") < 2 else failing(KeyError())(x),
        [],
    )
    for _ in range(CALLS // 2 + 2):
        choice(1.0)
    with pytest.raises(KeyError):
        choice(1.0)
