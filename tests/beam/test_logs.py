"""What is hidden of Beam's log."""

from __future__ import annotations

import logging

import pytest

from gpt2_helpers.beam.logs import hide_own_errors, hide_warnings
from gpt2_helpers.errors import DatasetError

LOGGER = logging.getLogger("apache_beam.runners.common")


def log_error(error: Exception) -> None:
    try:
        raise error
    except Exception:
        LOGGER.exception("a step failed")


def test_only_the_errors_of_this_package_are_hidden(caplog: pytest.LogCaptureFixture) -> None:
    with hide_own_errors():
        log_error(DatasetError("the file is damaged"))
        LOGGER.error("Original traceback is\ngpt2_helpers.errors.DatasetError: damaged")
        assert not caplog.records
        log_error(ZeroDivisionError())
        LOGGER.error("a bundle failed")
    log_error(DatasetError("the file is damaged"))
    assert len(caplog.records) == 3


def test_warnings_are_hidden_for_a_time(caplog: pytest.LogCaptureFixture) -> None:
    with hide_warnings():
        LOGGER.warning("an optional package is missing")
    LOGGER.warning("a warning")
    assert caplog.messages == ["a warning"]
