"""The program of a worker process."""

from __future__ import annotations

import signal

import pytest

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from apache_beam.runners.worker import sdk_worker, sdk_worker_main  # noqa: E402

from gpt2_helpers.beam import local_worker_process  # noqa: E402


def test_an_interrupt_ends_the_process_without_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: list[object] = []
    monkeypatch.setattr(
        sdk_worker_main, "main", lambda _: handlers.append(signal.getsignal(signal.SIGINT))
    )
    monkeypatch.setattr(sdk_worker, "print", print, raising=False)
    before = signal.getsignal(signal.SIGINT)
    try:
        local_worker_process.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert handlers == [signal.SIG_DFL]
