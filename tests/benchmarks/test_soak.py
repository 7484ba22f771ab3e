"""What `make soak` calls flat, what it plots, and that its tasks run."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

import soak
from gpt2_helpers.checkpoint import model_files, model_folders
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.system.threads import parallel_for
from soak import MemoryCurve, draw, leftovers, watch
from toy import toy_model, toy_tokenizer


def test_growth_is_distinguished_from_warm_up() -> None:
    warm_up = [0.1 * n for n in range(10)] + [1.0] * 30
    assert MemoryCurve("generating", "texts", 40, warm_up).is_flat
    assert MemoryCurve("generating", "texts", 40, warm_up).growth == 0
    creeping = [1 + 0.01 * n for n in range(40)]
    assert not MemoryCurve("generating", "texts", 40, creeping).is_flat
    assert "grows" in str(MemoryCurve("generating", "texts", 40, creeping))


def test_memory_is_measured_along_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    monkeypatch.setattr(soak, "resident_memory", lambda: float(next(numbers)))
    curve = watch("counting", "numbers", 1000, lambda: iter(range(1000)))
    assert curve.gigabytes == [float(n) for n in range(soak.POINTS)]


def test_a_panel_is_plotted_for_each_task(tmp_path: Path) -> None:
    curves = [MemoryCurve(name, "steps", 10, [1.0, 1.5, 1.4]) for name in ("one", "two")]
    draw(curves, tmp_path / "new" / "soak.png")
    assert (tmp_path / "new" / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_remaining_threads_are_reported() -> None:
    before = {thread.name for thread in threading.enumerate()}
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    thread.start()
    try:
        assert leftovers(before) == ["thread forgotten"]
    finally:
        end.set()
        thread.join()
    assert leftovers(before) == []


def test_the_permanent_thread_pool_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt2_helpers.system.device.cores", lambda: 2)
    before = {thread.name for thread in threading.enumerate()}
    before -= {name for name in before if name.startswith("parallel_for")}  # of earlier tests
    done: list[slice] = []
    parallel_for(done.append, 2, worth_threads=True)
    assert len(done) == 2
    assert any(thread.name.startswith("parallel_for") for thread in threading.enumerate())
    assert leftovers(before) == []


def test_every_task_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A toy in place of the bundled model: what the tasks call is the same, and it is much faster.
    tokenizer = toy_tokenizer()
    shape = ModelConfig(n_vocab=tokenizer.n_vocab, n_ctx=64, n_embd=16, n_head=2, n_layer=1)
    model_files.save_model(toy_model(shape), tmp_path / "toy")
    tokenizer.save(tmp_path / "toy")
    monkeypatch.setattr(model_folders, "BUNDLED_FOLDER", tmp_path / "toy")
    monkeypatch.chdir(tmp_path)
    assert sum(1 for _ in soak.texts(25, length=28)) == 25
    assert sum(1 for _ in soak.steps(1)) == 1
    assert list(soak.models(1)) == [0]
