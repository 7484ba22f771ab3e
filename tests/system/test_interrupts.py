"""Deferred interrupts, with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from gpt2_helpers.system.interrupts import deferred_interrupts
from paths import ROOT

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def handlers() -> Iterator[list[int]]:
    """Signal handlers that record the signals they receive."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    yield noted
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_interrupt_is_deferred_and_the_second_raises(
    handlers: list[int], number: signal.Signals
) -> None:
    with deferred_interrupts() as interruption:
        assert not interruption.requested
        signal.raise_signal(number)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert handlers == []


def test_previous_handlers_are_restored(handlers: list[int]) -> None:
    with deferred_interrupts():
        pass
    for number in SIGNALS:
        signal.raise_signal(number)
    assert handlers == SIGNALS


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_previous_handlers_are_restored_after_an_error(
    handlers: list[int], kind: type[BaseException]
) -> None:
    with pytest.raises(kind), deferred_interrupts():
        raise kind
    signal.raise_signal(signal.SIGINT)
    assert handlers == [signal.SIGINT]


def test_each_block_starts_without_a_request(handlers: list[int]) -> None:
    with deferred_interrupts() as first:
        signal.raise_signal(signal.SIGINT)
    with deferred_interrupts() as second:
        assert (first.requested, second.requested) == (True, False)


def test_other_threads_are_not_affected(handlers: list[int]) -> None:
    inside, leave = threading.Event(), threading.Event()
    wishes: list[bool] = []

    def work() -> None:
        with deferred_interrupts() as interruption:
            inside.set()
            leave.wait(timeout=300)
            wishes.append(interruption.requested)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(timeout=300)
    signal.raise_signal(signal.SIGINT)  # reaches the main thread, as without the other thread
    leave.set()
    thread.join(timeout=300)
    assert (handlers, wishes) == ([signal.SIGINT], [False])


LOOP = """
from gpt2_helpers.system.interrupts import deferred_interrupts
rounds = 0
with deferred_interrupts() as interruption:
    print("ready", flush=True)
    while True:
        rounds += 1
        if interruption.requested and {until}:
            break
        if rounds % 1000 == 0 and interruption.requested:
            print("asked", flush=True)
print("saved", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to one process alone")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_process_finishes_its_step_after_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-c", LOOP.format(until=True)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        rest, _ = process.communicate(timeout=300)
    assert rest.endswith("saved\n")
    assert process.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to one process alone")
def test_a_second_signal_stops_a_process() -> None:
    command = [sys.executable, "-c", LOOP.format(until=False)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=300)
    assert "saved" not in rest
    assert "KeyboardInterrupt" in error
    assert process.returncode != 0
