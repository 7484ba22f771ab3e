"""The button that measures this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gpt2_helpers.bench.measure import LibraryResult, WorkloadResult
from gpt2_helpers.bench.workload import Workload
from gpt2_helpers.forms import bench as form
from gpt2_helpers.forms.widgets import buttons
from widget_texts import button, words

WORK = Workload("generate-1", "generate <fast>", "generate", "tokens/s")


def test_the_button_measures_and_shows_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def bench(config: Any, run: Any) -> Iterator[Workload | WorkloadResult]:
        asked.append((config.quick, run.model_name))
        yield WORK
        yield WorkloadResult(WORK, {"gpt2-helpers": LibraryResult([{"units": 10, "seconds": 2}])})

    monkeypatch.setattr(form, "bench", bench)
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", 0.0)
    box = form.measure_speed("tiny")
    assert "two minutes" in words(box)
    button(box, "Measure this machine").click()
    assert asked == [(True, "tiny")]
    assert "generate &lt;fast&gt;" in box.children[-1].value
    assert "tiny on " in words(box)
