"""The worker processes of Beam's local runner."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from gpt2_helpers.errors import Gpt2Error

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam import local_workers  # noqa: E402
from gpt2_helpers.beam.local_workers import LocalWorker  # noqa: E402
from gpt2_helpers.beam.runner import make_options, run_pipeline  # noqa: E402

PROCESSES = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]


def end_the_process(number: int) -> int:
    if number == 3:  # as the kernel does if memory runs out
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_was_killed_ends_the_job_with_one_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Gpt2Error, match="^a worker process ended too early") as error:
        run_pipeline(
            make_options(PROCESSES),
            lambda p: p | beam.Create([*range(8)]) | beam.Reshuffle() | beam.Map(end_the_process),
        )
    assert "\n" not in str(error.value)
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_that_does_not_stop_does_not_block_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_workers, "STOP_SECONDS", 0.01)
    handler, end = LocalWorker.__new__(LocalWorker), threading.Event()
    handler.worker_thread = threading.Thread(target=end.wait)
    handler.worker_thread.start()
    try:
        handler.stop_worker()
        assert handler.worker_thread.is_alive()
    finally:
        end.set()
        handler.worker_thread.join()
