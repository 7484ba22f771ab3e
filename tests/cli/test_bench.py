"""gpt2-helpers bench."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from command_line import run
from gpt2_helpers.bench import measure
from gpt2_helpers.bench.measure import LibraryResult, WorkloadResult
from gpt2_helpers.bench.workload import Workload

WORK = Workload("generate-1", "generate", "generate", "tokens/s")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def bench(config: Any, run: Any) -> Iterator[Workload | WorkloadResult]:
        yield WORK
        yield WorkloadResult(WORK, {"gpt2-helpers": LibraryResult([{"units": 10, "seconds": 2}])})
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "bench", bench)


@pytest.mark.usefixtures("measured")
def test_the_table_and_its_machine_also_after_an_interrupt() -> None:
    result = run("bench", "--quick", "--model-name", "tiny")
    assert result.code == 0
    first, _, *table = result.out.splitlines()
    assert first.startswith("tiny on ")
    assert table[-1].split() == ["generate", "5", "tokens/s"]
    assert "measuring: generate" in result.err
    assert "stopped: these are the results so far" in result.err


@pytest.mark.usefixtures("measured")
def test_json_has_the_versions_and_the_rounds() -> None:
    values = json.loads(run("bench", "--json").out)
    assert values["model"] == "124M"
    assert "numpy" in values["machine"]["versions"]
    assert values["results"][0]["libraries"]["gpt2-helpers"]["median"] == 5.0


def test_an_unknown_model_is_one_line() -> None:
    result = run("bench", "--model-name", "tinny")
    assert result.code == 2
    assert "tinny" in result.err
    assert "Traceback" not in result.err
