"""Run folders: saving, reading, pruning, and replacing a run."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.checkpoint.run_folder import (
    CHECKSUM_FILE,
    RunFolder,
    starts_from_base_model,
)
from gpt2_helpers.checkpoint.run_record import RunRecord, installed_versions
from gpt2_helpers.checkpoint.run_search import run_names
from gpt2_helpers.checkpoint.weights import PART, WeightsReader
from gpt2_helpers.config import FinetuneConfig, RunConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.model.lora import adapter_shapes, new_adapters
from gpt2_helpers.system.locks import LOCK
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.trainer import Trainer
from paths import GOLDEN
from shards import shard_checkpoint
from toy import TOY, toy_model, toy_tokenizer

GOLDEN_RUN = GOLDEN / "gpt_2_simple_run"
ONE_LAYER = dataclasses.replace(TOY, n_layer=1)
STATE = {"optimizer/0": np.arange(3.0), "counts": np.array([5])}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "checkpoint", "run1")


@pytest.fixture
def on_cpu() -> Iterator[None]:
    """Only a CPU gives bit-identical results: a GPU sums in varying order."""
    with tf.device("CPU:0"):
        yield


def saved(run: RunFolder, *steps: int, record: RunRecord | None = None) -> RunRecord:
    """Save a toy model at each of these steps; returns the run's record."""
    record = record or RunRecord()
    for step in steps:
        run.save(toy_model(ONE_LAYER, seed=step), toy_tokenizer(), step, STATE, record)
    return record


def saved_steps(run: RunFolder, kind: str = "model") -> set[int]:
    return {int(path.stem.split("-")[1]) for path in run.path.glob(f"{kind}-*.index")}


# --- Saving and reading


def test_reading_creates_no_files(run: RunFolder) -> None:
    assert run.read().checkpoint is None
    assert run.read().step == 0
    assert run.read().optimizer_state() is None
    assert run.read().record == RunRecord()
    assert not run.checkpoint_dir.exists()


def test_a_saved_run_is_self_contained(run: RunFolder) -> None:
    record = RunRecord(
        dataset="titles.csv",
        base_model="tiny",
        legacy_tokens=True,
        parameters={"steps": 5, "seed": None},
        versions=installed_versions(),
        losses=[(4, 3.5), (5, 3.25)],
        validation_losses=[(5, 3.0)],
    )
    prefix = saved(run, 5, record=record) and run.require().checkpoint
    assert prefix == run.path / "model-5"
    assert run.read().step == 5
    assert run.read().record == record
    assert run.read().record.losses == [(4, 3.5), (5, 3.25)]
    model = load_model(run.path)
    wte = toy_model(ONE_LAYER, seed=5).variables["model/wte"].numpy()
    np.testing.assert_array_equal(model.variables["model/wte"].numpy(), wte)
    assert Tokenizer.load(run.path).vocabulary == toy_tokenizer().vocabulary
    state = run.read().optimizer_state()
    assert state is not None
    assert {name: array.tolist() for name, array in state.items()} == {
        "optimizer/0": [0.0, 1.0, 2.0],
        "counts": [5],
    }


def test_a_run_has_the_files_that_gpt_2_simple_needs(run: RunFolder) -> None:
    saved(run, 5)
    names = {path.name for path in run.path.iterdir()}
    assert names >= {path.name.replace("-20", "-5") for path in GOLDEN_RUN.iterdir()}
    assert (run.path / "counter").read_text() == "5\n"
    assert not [name for name in names if "part" in name]


def test_weights_and_optimizer_state_are_separate(run: RunFolder) -> None:
    saved(run, 5)
    model = load_model(run.path)
    assert WeightsReader(run.path / "model-5").shapes.keys() == model.variables.keys()


def test_a_run_can_be_moved(run: RunFolder, tmp_path: Path) -> None:
    saved(run, 5)
    (tmp_path / "drive").mkdir()
    shutil.move(run.path, tmp_path / "drive" / "other name")
    moved = RunFolder(tmp_path / "drive", "other name")
    assert moved.require().checkpoint == moved.path / "model-5"
    assert moved.read().optimizer_state() is not None


def test_a_new_tokenizer_replaces_the_previous_one(run: RunFolder) -> None:
    saved(run, 5)
    smaller = Tokenizer(dict(list(toy_tokenizer().vocabulary.items())[:257]), [])
    run.save(toy_model(ONE_LAYER), smaller, 1, STATE, RunRecord())
    assert Tokenizer.load(run.path).n_vocab == 257


@pytest.mark.usefixtures("on_cpu")
def test_a_resumed_training_equals_an_uninterrupted_one(run: RunFolder) -> None:
    tokens = np.tile(np.random.default_rng(1).integers(0, TOY.n_vocab, 40), 5)
    config = FinetuneConfig(steps=6, batch_size=2, accumulate_gradients=1, learning_rate=0.01)
    model = toy_model(ONE_LAYER)
    trainer = Trainer(model, tokens, config)
    training = iter(trainer)
    list(itertools.islice(training, 3))
    run.save(model, toy_tokenizer(), trainer.step, trainer.state(), RunRecord())
    expected = [step.loss for step in training]

    resumed = load_model(run.path)
    trainer = Trainer(resumed, tokens, dataclasses.replace(config, steps=3))
    state = run.read().optimizer_state()
    assert state is not None
    assert trainer.restore(state)
    assert trainer.step == run.read().step == 3
    assert [step.loss for step in trainer] == expected
    for name, variable in model.variables.items():
        np.testing.assert_array_equal(resumed.variables[name].numpy(), variable.numpy())


# --- Runs of gpt-2-simple


def test_a_run_of_gpt_2_simple_has_no_optimizer_state() -> None:
    run = RunFolder(GOLDEN_RUN.parent, GOLDEN_RUN.name)
    assert run.require().checkpoint == GOLDEN_RUN / "model-20"
    assert run.read().step == 20
    assert run.read().optimizer_state() is None
    assert run.read().record == RunRecord()


def test_the_step_is_read_from_the_name_or_the_counter(run: RunFolder) -> None:
    saved(run, 7)
    os.remove(run.path / "counter")
    assert run.read().step == 7
    (run.path / "counter").write_text("")
    assert run.read().step == 7


def test_a_step_of_zero_in_the_name_takes_precedence_over_the_counter(run: RunFolder) -> None:
    saved(run, 0)
    (run.path / "counter").write_text("7\n")
    assert run.read().step == 0


def test_saving_a_step_again_first_removes_its_old_weights(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed in between must not leave old weights with a new state."""
    saved(run, 3, 4)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RunRecord, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        saved(run, 4)
    assert saved_steps(run) == {3}


def test_a_state_without_weights_is_deleted_also_at_step_zero(run: RunFolder) -> None:
    saved(run, 0, 5)
    (run.path / "model-0.index").unlink()
    run.remove_partial()
    assert saved_steps(run) == saved_steps(run, "optimizer") == {5}


# --- Which checkpoints are kept


def test_the_newest_checkpoints_are_kept_with_their_optimizer_state(run: RunFolder) -> None:
    record = saved(run, 9, 10, 100, 1000)
    run.prune(2, record, protected={1000})
    assert saved_steps(run) == saved_steps(run, "optimizer") == {100, 1000}
    assert not list(run.path.glob("*-9.*"))
    assert run.require().checkpoint == run.path / "model-1000"


def test_zero_keeps_all_checkpoints(run: RunFolder) -> None:
    record = saved(run, 1, 2, 3)
    run.prune(0, record, protected=set())
    assert saved_steps(run) == {1, 2, 3}
    run.prune(1, record, protected={1, 3})
    assert saved_steps(run) == {1, 3}


def test_a_fresh_run_does_not_delete_older_checkpoints(run: RunFolder) -> None:
    saved(run, 500, 1000)
    record = saved(run, 10, 20)  # with its own record
    run.prune(1, record, protected={20})
    assert saved_steps(run) == {20, 500, 1000}
    assert run.require().checkpoint == run.path / "model-20"
    assert run.read().step == 20


def test_overwrite_keeps_one_checkpoint_and_one_event_file(run: RunFolder) -> None:
    saved(run, 500, 20)
    for name in ("events.out.tfevents.1", "events.out.tfevents.2"):
        (run.path / name).touch()
    run.keep_only(20, run.path / "events.out.tfevents.2")
    assert saved_steps(run) == saved_steps(run, "optimizer") == {20}
    assert [path.name for path in run.path.glob("events*")] == ["events.out.tfevents.2"]
    assert run.require().checkpoint == run.path / "model-20"
    assert load_model(run.path).config == ONE_LAYER


def test_roll_back_makes_an_earlier_checkpoint_the_newest(run: RunFolder) -> None:
    record = saved(run, 10, 20, 30)
    run.roll_back(20, record)
    assert run.require().checkpoint == run.path / "model-20"
    assert run.read().step == 20
    assert saved_steps(run) == {10, 20}
    assert run.read().record.checkpoints == [10, 20]


def save_with_adapters(run: RunFolder, *steps: int) -> RunRecord:
    """Save a toy model with adapters at each of these steps."""
    record = RunRecord(lora_rank=2, base_checkpoint="models/toy/model.ckpt")
    for step in steps:
        model = toy_model(ONE_LAYER, seed=1)
        model.load_adapters(new_adapters(ONE_LAYER, 2, seed=step))
        for name, adapter in model.adapters.items():
            if name.endswith("lora_b"):
                adapter.assign(adapter + step)
        run.save(model, toy_tokenizer(), step, STATE, record)
    return record


def test_adapters_are_saved_and_merged_into_the_weights(run: RunFolder) -> None:
    assert run.read().adapters() is None
    record = save_with_adapters(run, 3)
    assert run.read().record == record
    found = run.read().adapters()
    assert found is not None
    assert found.shapes == adapter_shapes(ONE_LAYER, 2)
    base, name = toy_model(ONE_LAYER, seed=1), "model/h0/mlp/c_fc"
    product = found[f"{name}/lora_a"] @ found[f"{name}/lora_b"]
    expected = base.variables[f"{name}/w"].numpy() + 2 * product[None]
    ours = load_model(run.path).variables
    np.testing.assert_allclose(ours[f"{name}/w"].numpy(), expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(ours["model/wte"], base.variables["model/wte"])


def test_adapters_are_deleted_with_their_weights(run: RunFolder) -> None:
    record = save_with_adapters(run, 1, 2, 3, 4, 5)
    run.prune(4, record, protected={5})
    assert saved_steps(run, "adapters") == {2, 3, 4, 5}
    run.roll_back(4, record)
    assert saved_steps(run, "adapters") == {2, 3, 4}
    newest, found = WeightsReader(run.path / "adapters-4"), run.read().adapters()
    assert found is not None
    assert found.prefix == newest.prefix
    run.keep_only(4, run.path / "events.none", protected={2})
    assert saved_steps(run, "adapters") == {2, 4}
    run.save(toy_model(ONE_LAYER), toy_tokenizer(), 4, STATE, record)  # without adapters
    assert saved_steps(run, "adapters") == {2}
    assert run.read().adapters() is None


def test_a_failed_save_leaves_the_run_unchanged(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = saved(run, 5)

    def stopped(*arguments: object, **options: object) -> None:
        raise CheckpointError("the disk is full")

    monkeypatch.setattr("gpt2_helpers.checkpoint.run_folder.save_model", stopped)
    with pytest.raises(CheckpointError, match="the disk is full"):
        saved(run, 6, record=record)
    assert run.require().checkpoint == run.path / "model-5"
    assert run.read().step == 5
    assert load_model(run.path).config == ONE_LAYER
    assert run.read().optimizer_state() is not None
    assert saved_steps(run, "optimizer") == {5}


# --- Missing and damaged runs


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    saved_at = {"old": {1: 50, 2: 100}, "new": {1: 300, 2: 90}, "newer": {1: 80, 2: 400}}
    for name, times in saved_at.items():
        (tmp_path / name).mkdir()
        for step, seconds in times.items():
            path = tmp_path / name / f"model-{step}.index"
            path.touch()
            os.utime(path, (seconds, seconds))
    (tmp_path / "no run").mkdir()
    assert run_names(tmp_path) == ["newer", "new", "old"]
    assert run_names(tmp_path / "nowhere") == []


def test_a_missing_run_is_reported_with_the_existing_ones(tmp_path: Path) -> None:
    saved(RunFolder(tmp_path, "titles"), 1)
    with pytest.raises(CheckpointError) as caught:
        RunFolder(tmp_path, "title").require()
    message = str(caught.value)
    assert message.startswith(f"no run 'title' in {tmp_path}")
    assert "did you mean 'titles'?" in message
    assert "existing runs: titles" in message
    with pytest.raises(CheckpointError, match="there are no runs yet"):
        RunFolder(tmp_path / "nowhere", "run1").require()


def test_a_run_with_only_damaged_checkpoints_is_an_error(run: RunFolder) -> None:
    saved(run, 5)
    os.remove(run.path / "model-5.data-00000-of-00001")
    for opened in (run.read, run.require):
        with pytest.raises(CheckpointError, match="but one was saved before: copy .* again"):
            opened()


def test_a_run_that_lacks_one_of_several_data_files_is_not_started_over(run: RunFolder) -> None:
    saved(run, 5)
    shard_checkpoint(run.path / "model-5", 2)
    assert run.require().step == 5
    os.remove(run.path / "model-5.data-00001-of-00002")
    with pytest.raises(CheckpointError, match=r"data-00001-of-00002 is missing: copy") as caught:
        run.read()
    assert "fresh" not in str(caught.value)


def test_the_best_step_has_the_lowest_validation_loss_and_is_saved(run: RunFolder) -> None:
    record = RunRecord(validation_losses=[(10, 3.0), (20, 2.0), (30, 2.5)])
    assert run.read().best_step is None
    saved(run, 10, 20, 30, record=record)
    assert run.read().best_step == 20
    os.remove(run.path / "model-20.index")
    assert run.read().best_step is None


def first_save_without_index(run: RunFolder) -> None:
    """What a process leaves that was killed before the index of its first checkpoint."""
    saved(run, 5)
    part = run.path / f"{PART}abc"
    part.mkdir()
    (run.path / "model-5.index").rename(part / "model-5.index")
    for name in ("checkpoint", "counter"):
        (run.path / name).unlink()


def test_a_first_save_that_was_killed_between_its_files_is_no_run(run: RunFolder) -> None:
    first_save_without_index(run)
    assert run.read().checkpoint is None
    run.remove_partial()
    assert run.read().checkpoint is None
    assert not [*run.path.glob("model*"), *run.path.glob("optimizer*"), *run.path.glob(f"{PART}*")]


def test_a_copy_without_the_index_is_an_error(run: RunFolder) -> None:
    first_save_without_index(run)
    shutil.rmtree(run.path / f"{PART}abc")
    with pytest.raises(CheckpointError, match="copy the run's folder again$"):
        run.read()


def test_a_damaged_optimizer_state_is_reported(run: RunFolder) -> None:
    saved(run, 5)
    (run.path / "optimizer-5.data-00000-of-00001").write_bytes(b"")
    state = run.read().optimizer_state()
    assert state is not None
    with pytest.raises(CheckpointError, match="optimizer-5: the variable .* cannot be read"):
        Trainer(toy_model(ONE_LAYER), np.arange(20), FinetuneConfig()).restore(state)


def test_the_step_of_the_weights_takes_precedence_over_the_counter(
    run: RunFolder,
) -> None:
    # As after a kill between them: the counter is the last file of a save.
    saved(run, 5, 6)
    (run.path / "counter").write_text("5\n")
    assert run.require().checkpoint == run.path / "model-6"
    assert run.read().step == 6


# --- Replacing a run


def replace_run(run: RunFolder, step: int = 9, size: int = 0) -> list[str]:
    """Replace the run with another one; returns the messages."""
    notes: list[str] = []
    with run.atomic_replace(size, notes.append) as beside:
        saved(RunFolder(beside.parent, beside.name), step)
    return notes


def test_the_previous_run_is_kept_until_the_next_replacement(run: RunFolder) -> None:
    before = RunFolder(run.checkpoint_dir, "run1.before")
    assert replace_run(run, 1) == []
    assert replace_run(run, 2) == [f"the previous run1 is kept as {before.path}"]
    replace_run(run, 3)
    assert (run.read().step, before.read().step) == (3, 2)
    assert run_names(run.checkpoint_dir) == ["run1", "run1.before"]
    assert {path.name for path in run.checkpoint_dir.iterdir()} == {"run1", "run1.before"}


@pytest.mark.parametrize("fault", ["error", "no complete checkpoint", "no room", "no renaming"])
def test_a_failed_replacement_leaves_the_run_unchanged(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    replace_run(run, 1)
    replace_run(run, 2)
    if fault == "error":
        with pytest.raises(KeyboardInterrupt), run.atomic_replace(0):
            raise KeyboardInterrupt
    elif fault == "no complete checkpoint":
        with pytest.raises(CheckpointError, match="no run 'run1'"), run.atomic_replace(0) as beside:
            (beside / "model-9.index").touch()
    elif fault == "no room":
        with pytest.raises(CheckpointError, match=r"bytes free, [\d,]+ are needed: free some sp"):
            replace_run(run, size=10**18)
    else:
        replace = os.replace

        def refuse(old: Path, new: Path) -> None:
            if new == run.path and ".part-" in str(old):
                raise PermissionError
            replace(old, new)

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError):
            replace_run(run)
    before = RunFolder(run.checkpoint_dir, "run1.before")
    assert (run.read().step, before.read().step) == (2, 1)
    assert {path.name for path in run.checkpoint_dir.iterdir()} == {"run1", "run1.before"}


def test_an_interrupted_replacement_is_read_unchanged_and_undone_on_request(run: RunFolder) -> None:
    previous = RunFolder(run.checkpoint_dir, "run1.before")
    replace_run(run, 1)
    replace_run(run, 2)
    # The state after a kill just before the last of the three renames.
    replacement = run.checkpoint_dir / ".part-run1"
    shutil.copytree(run.path, replacement / "run1")
    os.replace(previous.path, replacement / "run1.before")
    os.replace(run.path, previous.path)
    before = sorted(run.checkpoint_dir.rglob("*"))

    assert run_names(run.checkpoint_dir) == ["run1"]
    snapshot = run.require()
    assert (snapshot.name, snapshot.path, snapshot.step) == ("run1", previous.path, 2)
    state = snapshot.optimizer_state()
    assert state is not None
    assert state.keys() == STATE.keys()
    assert sorted(run.checkpoint_dir.rglob("*")) == before

    run.recover_interrupted_replace()
    assert run.require().path == run.path
    assert (run.read().step, previous.read().step) == (2, 1)
    replace_run(run, 3)
    assert (run.read().step, previous.read().step) == (3, 2)


def test_a_damaged_record_does_not_hide_the_weights(run: RunFolder) -> None:
    saved(run, 5)
    (run.path / "run.json").write_text("{")
    snapshot = run.read()
    assert (snapshot.step, snapshot.best_step) == (5, None)
    with pytest.raises(CheckpointError, match="cannot be read"):
        _ = snapshot.record


def test_a_run_starts_from_the_base_model_unless_it_exists(run: RunFolder) -> None:
    config = RunConfig(run_name="run1", checkpoint_dir=str(run.checkpoint_dir))
    assert starts_from_base_model(config)
    saved(run, 5)
    assert not starts_from_base_model(config)
    assert starts_from_base_model(dataclasses.replace(config, restore_from="fresh"))
    assert not starts_from_base_model(dataclasses.replace(config, restore_from="models/mine"))


def test_a_checkpoint_can_be_read_by_its_name(run: RunFolder) -> None:
    saved(run, 3, 7)
    snapshot = run.read("model-3")
    assert (snapshot.step, snapshot.checkpoint) == (3, run.path / "model-3")


def test_the_best_step_is_among_those_up_to_the_newest(run: RunFolder) -> None:
    losses = [(3, 2.0), (5, 1.5), (900, 1.0)]  # the last one was not saved
    saved(run, 3, 5, record=RunRecord(validation_losses=losses))
    assert run.read().best_step == 5


def test_saving_removes_outdated_checksums(run: RunFolder) -> None:
    saved(run, 3)
    (run.path / CHECKSUM_FILE).write_text("")
    saved(run, 4)
    assert not (run.path / CHECKSUM_FILE).exists()


def test_a_save_that_fails_after_the_weights_keeps_them(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gpt2_helpers.checkpoint.run_folder.atomic_write_text", full)
    with pytest.raises(CheckpointError, match="cannot be written"):
        saved(run, 6)
    assert saved_steps(run) == saved_steps(run, "optimizer") == {6}


def test_partial_files_are_removed(run: RunFolder) -> None:
    saved(run, 5)
    (run.path / ".part-model-6").mkdir()
    (run.path / ".part-model-6" / "weights").touch()
    (run.path / "counter.part").touch()
    run.remove_partial()
    assert saved_steps(run) == {5}
    assert not [path for path in run.path.iterdir() if "part" in path.name]


def test_pruning_updates_the_saved_record(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    record = saved(run, 5, 6, 7)
    run.prune(2, record, set())
    assert run.read().record.checkpoints == record.checkpoints == [6, 7]
    assert saved_steps(run) == {6, 7}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunRecord, "save", full)
    run.prune(2, record, set())  # nothing to delete or to save
    with pytest.raises(CheckpointError, match="cannot be written"):
        run.prune(1, record, set())


def test_roll_back_updates_the_files_that_gpt_2_simple_reads(run: RunFolder) -> None:
    run.roll_back(20, saved(run, 20, 30))
    assert (run.path / "counter").read_text() == "20\n"
    assert '"model-20"' in (run.path / "checkpoint").read_text()


def test_only_renames_are_undone(run: RunFolder) -> None:
    replace_run(run, 1)
    replace_run(run, 2)
    (run.checkpoint_dir / ".part-run1").mkdir()  # killed before the first rename
    shutil.rmtree(run.checkpoint_dir / "run1.before")
    run.recover_interrupted_replace()
    assert run.read().step == 2
    shutil.rmtree(run.checkpoint_dir / ".part-run1")
    os.replace(run.path, run.checkpoint_dir / "run1.before")  # by the user
    run.recover_interrupted_replace()
    assert not run.path.exists()


def are_free(*folders: Path) -> list[bool]:
    """Whether another process could lock these folders."""
    script = (
        "import sys; from pathlib import Path; from gpt2_helpers.system.locks import is_free; "
        "print(*(is_free(Path(folder)) for folder in sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, *map(str, folders)]
    return [word == "True" for word in subprocess.check_output(command, text=True).split()]


def test_other_processes_cannot_use_a_run_while_it_is_replaced(run: RunFolder) -> None:
    saved(run, 1)
    (run.path / LOCK).touch()
    with run.atomic_replace(0) as beside:
        assert are_free(run.path, beside.parent) == [False, False]
        saved(RunFolder(beside.parent, beside.name), 2)
    assert are_free(run.path) == [True]
    assert run.read().step == 2


def test_an_interrupted_replacement_is_undone_before_the_next(run: RunFolder) -> None:
    replace_run(run, 1)
    (run.checkpoint_dir / ".part-run1").mkdir()
    os.replace(run.path, run.checkpoint_dir / "run1.before")
    (message,) = replace_run(run, 2)
    assert message.startswith("the previous run1 is kept as ")
    assert RunFolder(run.checkpoint_dir, "run1.before").read().step == 1
