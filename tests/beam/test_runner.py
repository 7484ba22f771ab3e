"""Beam's options, and running pipelines."""

from __future__ import annotations

import pytest

from gpt2_helpers.errors import DatasetError, Gpt2Error, OptionError
from gpt2_helpers.system import device

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

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
def test_an_error_of_a_worker_is_one_line(
    options: list[str], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Gpt2Error) as error:
        run_pipeline(make_options(options), lambda p: p | beam.Create([1]) | beam.Map(fail))
    assert str(error.value) == "the file is damaged: copy it again"
    assert "Traceback" not in capfd.readouterr().err  # of the workers
    assert not caplog.records, "nothing is logged in this process"


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(Exception, match="division by zero"):
        run_pipeline(make_options([]), lambda p: p | beam.Create([0]) | beam.Map(lambda n: 1 / n))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (["--runner=NoRunner"], OptionError, "NoRunner"),
        (["--runner=DataflowRunner"], Gpt2Error, "apache_beam.gcp.|[Dd]ataflow|project|region"),
    ],
)
def test_a_runner_that_cannot_start_is_one_line(
    options: list[str], kind: type[Gpt2Error], message: str
) -> None:
    with pytest.raises(kind, match=message) as error:
        run_pipeline(make_options(options), lambda p: p | beam.Create([1]))
    assert "\n" not in str(error.value)


def test_an_invalid_value_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match="direct_num_workers: invalid int value: 'two'"):
        make_options(["--direct_num_workers=two"])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["DirectRunner", "directrunner", "direct", "FnApiRunner"])
def test_the_local_runner_has_several_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cores", lambda: 8)  # the number of processes of other runners
    assert n_processes(make_options([f"--runner={name}", *PROCESSES])) == 2
