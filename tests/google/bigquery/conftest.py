"""A fake BigQuery server, and a client that is connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bigquery_options import PROJECT
from bigquery_stand_in import StandIn, running
from gpt2_helpers.google.bigquery.client import sign_in


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with running() as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        yield server


@pytest.fixture
def client(stand_in: StandIn) -> Any:
    return sign_in(PROJECT)
