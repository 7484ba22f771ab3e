"""What `make soak` calls flat, what it draws, and that its works still run."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

import soak
from gpt2_helpers.system.threads import parallel_for
from soak import Held, draw, left_behind, watched


def test_what_grows_is_told_from_what_warms_up() -> None:
    warm = [0.1 * n for n in range(10)] + [1.0] * 30
    assert Held("writing", "texts", 40, warm).is_flat
    assert Held("writing", "texts", 40, warm).growth == 0
    creeping = [1 + 0.01 * n for n in range(40)]
    assert not Held("writing", "texts", 40, creeping).is_flat
    assert "it grows" in str(Held("writing", "texts", 40, creeping))


def test_what_is_held_is_measured_along_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    monkeypatch.setattr(soak, "held", lambda: float(next(numbers)))
    found = watched("counting", "numbers", 1000, lambda: iter(range(1000)))
    assert found.gigabytes == [float(n) for n in range(soak.POINTS)]


def test_a_curve_is_drawn_for_each(tmp_path: Path) -> None:
    all_ = [Held(name, "steps", 10, [1.0, 1.5, 1.4]) for name in ("one", "two")]
    draw(all_, tmp_path / "new" / "soak.png")
    assert (tmp_path / "new" / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_threads_that_stay_are_told() -> None:
    before = {thread.name for thread in threading.enumerate()}
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    thread.start()
    try:
        assert left_behind(before) == ["thread forgotten"]
    finally:
        end.set()
        thread.join()
    assert left_behind(before) == []


def test_threads_that_wait_for_the_next_text_may_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt2_helpers.system.device.cores", lambda: 2)
    before = {thread.name for thread in threading.enumerate()}
    before -= {name for name in before if name.startswith("parallel_for")}  # of earlier tests
    done: list[slice] = []
    parallel_for(done.append, 2, worth_threads=True)
    assert len(done) == 2
    assert any(thread.name.startswith("parallel_for") for thread in threading.enumerate())
    assert left_behind(before) == []


def test_each_work_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sum(1 for _ in soak.texts(25, length=9)) == 25
    assert sum(1 for _ in soak.steps(1)) == 1
    assert list(soak.models(1)) == [0]
