"""Progress bars: count, rate and remaining time, with a fake clock."""

from __future__ import annotations

import pytest

from gpt2_helpers.forms.widgets import progress
from gpt2_helpers.forms.widgets.progress import ProgressBar
from widget_texts import words


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def shown(bar: ProgressBar) -> str:
    return words(bar.widget).strip()


def test_the_rate_leaves_out_the_warm_up_steps(clock: Clock) -> None:
    bar = ProgressBar(101, "step", warm_up=1)
    clock.now += 60  # compiling
    assert bar.update(1)
    assert shown(bar) == "1 of 101 steps"
    clock.now += 2
    assert bar.update(2)
    assert shown(bar) == "2 of 101 steps, 2.0 s per step, about 3 min 18 s left"
    clock.now += 18
    bar.update(42)
    assert shown(bar) == "42 of 101 steps, 2.1 steps per second, about 29 s left"


def test_the_display_is_refreshed_a_few_times_per_second(clock: Clock) -> None:
    bar = ProgressBar(1000, "text")
    refreshed = 0
    for done in range(1, 501):
        clock.now += 0.01
        refreshed += bar.update(done)
    assert 10 < refreshed < 25
    assert bar.done == 500
    bar.update(1000)
    assert shown(bar).startswith("1,000 of 1,000 texts")  # the last one is always shown


def test_without_a_total_there_is_no_bar_and_no_remaining_time(clock: Clock) -> None:
    bar = ProgressBar(None, "step", warm_up=1)
    assert bar.widget.children[0].layout.display == "none"
    for done in (1, 2):
        clock.now += 4
        bar.update(done)
    assert shown(bar) == "2 steps, 4.0 s per step"


def test_the_final_line_has_the_duration(clock: Clock) -> None:
    bar = ProgressBar(1, "text")
    clock.now += 75
    bar.update(1)
    bar.finish("warning")
    assert shown(bar) == "1 of 1 text in 1 min 15 s"
    assert bar.widget.children[0].bar_style == "warning"
