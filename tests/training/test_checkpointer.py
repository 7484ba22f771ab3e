"""Checkpoints of a run: when they are saved, which are kept, and the return to the best one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.training.callbacks import Backup
from gpt2_helpers.training.run import FinetuneRun
from toy_runs import RUN1, assert_same, open_run, saved_steps, saved_weights, train, weights_of

pytestmark = pytest.mark.usefixtures("workplace", "eager")


@pytest.mark.parametrize(
    ("save_every", "max_checkpoints", "kept", "saved"),
    [
        (0, 1, {5}, []),
        (2, 1, {5}, [2, 4]),
        (2, 2, {4, 5}, [2, 4]),
        (2, 0, {2, 4, 5}, [2, 4]),
        (5, 1, {5}, [5]),
    ],
)
def test_save_every_and_max_checkpoints(
    save_every: int, max_checkpoints: int, kept: set[int], saved: list[int]
) -> None:
    _, steps = train(steps=5, save_every=save_every, max_checkpoints=max_checkpoints)
    assert saved_steps() == kept
    assert {int(p.stem.split("-")[1]) for p in RUN1.glob("optimizer-*.index")} == kept
    assert [step.step for step in steps if step.saved] == saved
    assert json.loads((RUN1 / "run.json").read_text())["checkpoints"] == sorted(kept)


def test_overwrite_deletes_the_old_checkpoints_after_the_first_save() -> None:
    train(steps=4, save_every=2, max_checkpoints=0)
    (RUN1 / "notes of mine.txt").touch()
    (old_events,) = RUN1.glob("events*")
    for step in open_run(steps=4, save_every=2, max_checkpoints=2, overwrite=True):
        assert saved_steps() == ({2, 4} if step.step < 6 else {6, 8} if step.step == 8 else {6})
        assert old_events.exists() == (step.step < 6)
    assert saved_steps() == {6, 8}
    assert (RUN1 / "notes of mine.txt").exists()
    assert RunFolder("checkpoint", "run1").read().record.checkpoints == [6, 8]
    assert [step.step for step in open_run(steps=1)] == [9]


@pytest.mark.parametrize("restore_from", ["fresh", "latest"])
def test_overwrite_deletes_nothing_if_nothing_is_saved(restore_from: str) -> None:
    train(steps=2)
    old = saved_weights()
    run = open_run(overwrite=True, restore_from=restore_from)
    run.model.variables["model/wte"].assign(run.model.variables["model/wte"] * np.nan)
    with pytest.raises(Gpt2Error, match="loss is nan"):
        list(run)
    assert saved_steps() == {2}
    assert_same(saved_weights(), old)


def test_early_stopping_restores_the_best_checkpoint(worsening: dict[str, Any]) -> None:
    run, steps, at_best = open_run(**worsening), [], {}
    copied: list[int] = []
    run.callbacks.append(Backup(lambda folder: copied.append(folder.read().step)))
    for step in run:
        steps.append(step)
        if step.is_best:
            at_best[step.step] = weights_of(run.model)
            assert step.saved
    assert list(at_best) == [2]
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert_same(weights_of(run.model), at_best[2])
    assert_same(saved_weights(), at_best[2])
    assert saved_steps() == {2}
    assert (RUN1 / "counter").read_text() == "2\n"
    assert run.notes[-1] == "stopped early: restored the best checkpoint, step 2"
    assert copied == [1, 2, 3, 4, 5, 6, 2]  # by save_every, and the restored best
    # The losses after the best step are kept, and the run is resumed from its best step.
    assert [step for step, _ in run.folder.read().record.validation_losses] == [2, 4, 6]
    assert [step.step for step in open_run(**{**worsening, "steps": 1})] == [3]
    assert [step for step, _ in RunFolder("checkpoint", "run1").read().record.losses] == [1, 2, 3]


def test_resumed_run_stops_early_at_its_earlier_best(
    worsening: dict[str, Any],
) -> None:
    at_best = {}
    for step in (run := open_run(**worsening)):
        if step.is_best:
            at_best = weights_of(run.model)
        if step.step == 4:
            break
    assert saved_steps() == {2, 4}
    run, steps = train(**worsening)
    assert [step.step for step in steps] == [5, 6]
    assert saved_steps() == {2}
    assert_same(saved_weights(), at_best)


def train_and_change(run: FinetuneRun, at: int, change: Callable[[], Any]) -> None:
    """Train to the end; call `change` after step `at`."""
    for step in run:
        if step.step == at:
            change()


def test_nan_loss_stops_training_and_keeps_the_last_checkpoint() -> None:
    run = open_run(steps=9, save_every=2)
    positions = run.model.variables["model/wpe"]
    with pytest.raises(Gpt2Error) as caught:
        train_and_change(run, 3, lambda: positions.assign(positions * np.inf))
    assert str(caught.value) == (
        "loss is nan at step 4 (last checkpoint: step 2): lower learning_rate (now 0.1) or set "
        "max_grad_norm=1"
    )
    assert saved_steps() == {2}
    assert all(np.isfinite(array).all() for array in saved_weights().values())
    assert [step.step for step in open_run(steps=1)] == [3]


def test_nan_weights_are_never_saved() -> None:
    # A step's loss is computed before its update, so the next loss would be the first NaN.
    run = open_run(steps=4, save_every=3)
    positions = run.model.variables["model/wpe"]
    with pytest.raises(Gpt2Error, match=r"weights are NaN .* at step 4 \(last checkpoint: step 3"):
        train_and_change(run, 4, lambda: positions.assign(positions * np.nan))
    assert saved_steps() == {3}
    assert all(np.isfinite(array).all() for array in saved_weights().values())
