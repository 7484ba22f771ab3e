"""Runs a pipeline with Beam's own options: locally unless another runner is named."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gpt2_helpers.beam.logs import hide_own_errors, hide_warnings
from gpt2_helpers.errors import (
    Gpt2Error,
    MissingPackageError,
    OptionError,
    brief,
    import_optional,
    nearest,
)
from gpt2_helpers.system import device

_LOCAL_RUNNERS = ("direct", "fnapi")  # as Beam accepts them: in any case, with or without "runner"


def make_options(arguments: Sequence[str]) -> Any:
    """Beam's PipelineOptions.

    Args:
        arguments: As for a Beam pipeline, such as `--runner=DataflowRunner`.

    Returns:
        The options.

    Raises:
        MissingPackageError: apache-beam is not installed.
        OptionError: Neither Beam nor this package knows an option.
    """
    with hide_warnings():
        import_optional("apache_beam", "a Beam job", "beam")
        from apache_beam.options.pipeline_options import PipelineOptions

    known = _known_options(PipelineOptions)
    for argument in arguments:
        name = argument.partition("=")[0]
        if argument.startswith("--") and name.replace("-", "_").strip("_") not in known:
            hint = nearest(name[2:], sorted(known))
            raise OptionError(f"unknown option {name}{hint}: neither this command nor Beam has it")
    given = [_with_underscores(argument) for argument in arguments]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            options = PipelineOptions(given, save_main_session=False)
            options.get_all_options()
    except SystemExit:  # argparse has printed the usage, and in the last line the error
        problem = printed.getvalue().strip().rpartition("error: ")[2]
        raise OptionError(f"an option of Beam is invalid: {brief(problem)}") from None
    if _is_local(options):
        from apache_beam.options.pipeline_options import WorkerOptions

        # Worker processes print to the same terminal, by default a dozen lines each.
        workers = options.view_as(WorkerOptions)
        workers.default_sdk_harness_log_level = workers.default_sdk_harness_log_level or "ERROR"
    return options


def _is_local(options: Any) -> bool:
    from apache_beam.options.pipeline_options import StandardOptions

    name = options.view_as(StandardOptions).runner
    return name is None or name.lower().removesuffix("runner") in _LOCAL_RUNNERS


def _with_underscores(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}" if name.startswith("--") else argument


def _known_options(base: Any) -> set[str]:
    """The names of the options of all runners."""
    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    pending = [*base.__subclasses__()]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        with contextlib.suppress(argparse.ArgumentError):
            kind._add_argparse_args(parser)
    return {name.strip("-") for action in parser._actions for name in action.option_strings}


def n_processes(options: Any) -> int:
    """The number of processes on this machine, as far as the options of the local runner say it.

    Other runners start one Python process per core by default.
    """
    from apache_beam.options.pipeline_options import DirectOptions

    if not _is_local(options):
        return device.cores()
    direct = options.view_as(DirectOptions)
    workers = direct.direct_num_workers
    return device.cores() if workers == 0 else workers or 1


def run_pipeline(options: Any, build: Callable[[Any], Any]) -> dict[str, int]:
    """Build and run a pipeline, and wait for its end.

    The local runner is Beam's FnApiRunner. `DirectRunner` would first try to download another one,
    Prism.

    Args:
        options: See `make_options`.
        build: Called with the pipeline.

    Returns:
        The counters of this package, by name.

    Raises:
        Gpt2Error: The error of a worker, or that a worker process ended.
        MissingPackageError: The runner is not installed.
        OptionError: The runner is unknown, or lacks an option.
    """
    from apache_beam import Pipeline
    from apache_beam.metrics import MetricsFilter

    with hide_own_errors(), _short_errors():
        try:
            pipeline = Pipeline(_local_runner(options) if _is_local(options) else None, options)
        except ImportError as error:
            raise MissingPackageError(f"the runner needs another package: {brief(error)}") from None
        except (RuntimeError, ValueError) as error:  # an unknown runner, or one of its options
            raise OptionError(f"the pipeline cannot be run: {brief(error, 1000)}") from None
        build(pipeline)
        result = pipeline.run()
        result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_namespace("gpt2_helpers"))["counters"]
    totals: dict[str, int] = {}
    for counter in counters:
        value = counter.committed if counter.committed is not None else counter.attempted
        totals[counter.key.metric.name] = totals.get(counter.key.metric.name, 0) + (value or 0)
    return totals


def _local_runner(options: Any) -> Any:
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner import fn_runner
    from apache_beam.runners.portability.portable_runner import JobServiceHandle

    from gpt2_helpers.beam import local_workers

    local_workers.register()
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    return fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))


@contextlib.contextmanager
def _short_errors() -> Iterator[None]:
    """Raise errors of this package as they are, without the names of Beam's steps and the stack of
    the worker process, which Beam adds to the message."""
    try:
        yield
    except Gpt2Error as error:
        raise type(error)(str(error).partition(" [while running ")[0]) from error
    except Exception as error:  # each runner raises other types
        line = _line_of_own_error(str(error))
        if line is None:
            raise
        raise Gpt2Error(line) from error


def _line_of_own_error(message: str) -> str | None:
    """The message of an error of this package in the stack of a worker process."""
    for line in reversed(message.splitlines()):
        name, colon, text = line.partition(": ")
        if colon and name.startswith("gpt2_helpers.errors."):
            return brief(text.partition(" [while running ")[0], 1000)
    return None
