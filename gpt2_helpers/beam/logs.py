"""What Beam logs: not what is of no use to the users of this package's commands."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from gpt2_helpers.errors import Gpt2Error

# They log the error of a worker with its stack: where it is raised, where the bundle ends, and what
# a worker process has logged.
_ERROR_LOGGERS = (
    "apache_beam.runners.common",
    "apache_beam.runners.worker.sdk_worker",
    "apache_beam.runners.portability.local_job_service",
)
_FORMATTER = logging.Formatter()


@contextlib.contextmanager
def hide_warnings() -> Iterator[None]:
    """Hide Beam's messages about optional packages while it is imported."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def hide_own_errors() -> Iterator[None]:
    """Hide the stacks of this package's errors, whose messages are printed by the command. Other
    errors are logged as usual."""
    loggers = [logging.getLogger(name) for name in _ERROR_LOGGERS]
    for logger in loggers:
        logger.addFilter(_is_other)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_other)


def _is_other(record: logging.LogRecord) -> bool:
    return f"{Gpt2Error.__module__}." not in _FORMATTER.format(record)
