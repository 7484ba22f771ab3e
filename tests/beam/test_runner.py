"""Beam's options, and running pipelines."""

from __future__ import annotations

import threading

import pytest

from gpt2_helpers.errors import DatasetError, Gpt2Error, OptionError
from gpt2_helpers.system import device

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam import runner  # noqa: E402
from gpt2_helpers.beam.runner import make_options, n_processes, run_pipeline  # noqa: E402

PROCESSES = ["--direct-num-workers=2", "--direct_running_mode=multi_processing"]


def test_unknown_options_are_rejected_with_a_suggestion() -> None:
    with pytest.raises(OptionError, match=r"--runer \(did you mean 'runner'\?\)"):
        make_options(["--runer=DirectRunner"])
    assert make_options(["--temp-location=gs://bucket/tmp"]).get_all_options()["temp_location"]


def test_processes_are_counted() -> None:
    assert n_processes(make_options([])) == 1
    assert n_processes(make_options(PROCESSES)) == 2
    assert n_processes(make_options(["--direct_num_workers=0"])) == device.cores()
    assert n_processes(make_options(["--runner=DataflowRunner"])) == device.cores()


def fail(_: int) -> None:
    raise DatasetError("the file is damaged: copy it again")


@pytest.mark.parametrize("options", [[], PROCESSES])
def test_an_error_of_a_worker_is_one_line(options: list[str]) -> None:
    with pytest.raises(Gpt2Error) as error:
        run_pipeline(make_options(options), lambda p: p | beam.Create([1]) | beam.Map(fail))
    assert str(error.value) == "the file is damaged: copy it again"


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(Exception, match="division by zero"):
        run_pipeline(make_options([]), lambda p: p | beam.Create([0]) | beam.Map(lambda n: 1 / n))


def test_a_worker_that_does_not_stop_does_not_block_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from apache_beam.portability import python_urns
    from apache_beam.runners.portability.fn_api_runner.worker_handlers import WorkerHandler

    monkeypatch.setattr(runner, "STOP_SECONDS", 0.01)
    run_pipeline(make_options([]), lambda p: p | beam.Create([0]))
    kind, _ = WorkerHandler._registered_environments[python_urns.SUBPROCESS_SDK]
    handler, end = kind.__new__(kind), threading.Event()
    handler.worker_thread = threading.Thread(target=end.wait)
    handler.worker_thread.start()
    try:
        handler.stop_worker()
        assert handler.worker_thread.is_alive()
    finally:
        end.set()
        handler.worker_thread.join()
