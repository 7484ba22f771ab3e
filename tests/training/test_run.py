"""A finetuning as a whole: its folder, where it goes on from, how it ends, and what it keeps."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from gpt2_helpers.checkpoint.model_files import latest_checkpoint, load_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import CheckpointError, DatasetError, Gpt2Error, OptionError
from gpt2_helpers.system.locks import LOCK
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training import trainer
from gpt2_helpers.training.callbacks import Backup
from gpt2_helpers.training.run import FinetuneRun, RunProgress
from paths import GOLDEN, SUPPORT
from toy import toy_tokenizer
from toy_runs import (
    SHAPE,
    assert_same,
    open_run,
    saved_steps,
    train,
    weights_of,
    write_model,
    write_text,
)

GOLDEN_RUN = GOLDEN / "gpt_2_simple_run"
FOLDER = Path("checkpoint/run1")
ONE_LAYER = dataclasses.replace(SHAPE, n_layer=1)  # compiled in half the time


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


@pytest.fixture(autouse=True)
def _uncompiled() -> Iterator[None]:
    """A few steps of a toy take less time than compiling one."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def compiled(_uncompiled: None) -> None:
    """As everywhere else but here."""
    tf.config.run_functions_eagerly(False)


def losses(steps: list[RunProgress]) -> list[tuple[int, float]]:
    return [(step.step, step.loss) for step in steps]


def in_folder(name: str = "run1") -> dict[str, np.ndarray]:
    """The weights of a run's newest checkpoint."""
    return weights_of(load_model(Path("checkpoint", name)))


# --- The run's folder


def test_a_run_folder_has_everything_that_opening_it_needs() -> None:
    run, steps = train(save_every=2, validation_split=0.2, eval_every=2)
    names = sorted(path.name for path in FOLDER.iterdir())
    (events,) = (name for name in names if name.startswith("events.out.tfevents."))
    assert names == sorted(
        [
            "checkpoint",
            "counter",
            "encoder.json",
            events,
            "hparams.json",
            "run.json",
            "vocab.bpe",
            LOCK,
        ]
        + [
            f"{kind}-4.{ending}"
            for kind in ("model", "optimizer")
            for ending in ("data-00000-of-00001", "index", "meta")
        ]
    )
    assert (FOLDER / "counter").read_text() == "4\n"
    assert latest_checkpoint(FOLDER) == FOLDER / "model-4"
    assert_same(in_folder(), weights_of(run.model))
    assert ModelConfig.load(FOLDER) == SHAPE
    assert Tokenizer.load(FOLDER).vocabulary == toy_tokenizer().vocabulary
    assert len(steps) == 4


def test_the_record_says_how_the_run_came_to_be() -> None:
    _, steps = train(steps=4, validation_split=0.2, eval_every=2, run_name="titles")
    record = json.loads(Path("checkpoint/titles/run.json").read_text())
    assert record["dataset"] == "text.txt"
    assert record["base_model"] == "toy"
    assert record["legacy_tokens"] is False
    assert record["checkpoints"] == [4]
    assert record["losses"] == [list(pair) for pair in losses(steps)]
    assert record["validation_losses"] == [
        [s.step, s.validation_loss] for s in (steps[1], steps[3])
    ]
    assert record["versions"]["tensorflow"] == tf.__version__
    for name, value in {
        "steps": 4,
        "optimizer": "sgd",
        "validation_split": 0.2,
        "column": None,
    }.items():
        assert record["parameters"][name] == value


def test_events_can_be_read_by_tensorboard() -> None:
    _, steps = train(validation_split=0.2, eval_every=2)
    (path,) = FOLDER.glob("events*")
    tf.config.run_functions_eagerly(False)  # tf.data would warn that it does not
    # Reading checks the sums that guard each record.
    events = [Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    assert events[0].file_version == "brain.Event:2"
    numbers = {
        event.step: {value.tag: value.simple_value for value in event.summary.value}
        for event in events[1:]
    }
    for step in steps:
        expected = {
            "loss": step.loss,
            "average_loss": step.average_loss,
            "learning_rate": step.learning_rate,
        }
        if step.validation_loss is not None:
            expected["validation_loss"] = step.validation_loss
        assert numbers.pop(step.step) == pytest.approx(expected)
    assert not numbers


def test_notes_say_what_will_be_trained_on_what() -> None:
    notes = open_run(validation_split=0.25).notes
    assert notes[0] == f"training toy, {SHAPE.n_parameters:,} parameters, float32"
    amounts, validation = notes[1], notes[-1]
    trained = re.fullmatch(r"1 document, ([\d,]+) tokens, .* tokens per character", amounts)
    held = re.fullmatch(r"validation on ([\d,]+) held-out tokens", validation)
    assert trained
    assert held
    assert int(held[1]) == pytest.approx(int(trained[1]) / 3, abs=2)
    assert notes[2].startswith("4 steps of 64 tokens: ")


def test_samples_are_written_as_gpt_2_simple_writes_them() -> None:
    _, steps = train(sample_every=2, sample_num=2, sample_length=6, sample_dir="out")
    assert sorted(path.name for path in Path("out/run1").iterdir()) == ["samples-2", "samples-4"]
    assert [len(step.samples) for step in steps] == [0, 2, 0, 2]
    for step in steps[1::2]:
        first, second = step.samples
        shown = f"======== SAMPLE 1 ========\n{first}\n\n======== SAMPLE 2 ========\n{second}\n"
        assert Path(f"out/run1/samples-{step.step}").read_text(encoding="utf-8") == shown
        assert first != second


def test_sampling_changes_nothing_of_the_training() -> None:
    _, plain = train(run_name="plain")
    _, sampled = train(run_name="sampled", sample_every=1, sample_length=3)
    assert losses(plain) == losses(sampled)
    assert_same(in_folder("plain"), in_folder("sampled"))
    again = train(run_name="again", sample_every=1, sample_length=3)[1]
    assert [step.samples for step in again] == [step.samples for step in sampled]


@pytest.mark.usefixtures("compiled")
def test_what_wrote_samples_of_a_large_model_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpt2_helpers.training.callbacks.is_large", lambda config: True)
    run = open_run(steps=2, sample_every=1, sample_length=3)
    run.model.decoding_precision = "bfloat16"  # TensorFlow's graphs, as on a GPU
    made: list[weakref.ref[Any]] = []
    get = run.decoders.get

    def noted(*given: Any) -> Any:
        decoder = get(*given)
        made.append(weakref.ref(decoder.weights))
        return decoder

    monkeypatch.setattr(run.decoders, "get", noted)
    for _ in run:
        assert made
        assert made[-1]() is None
    assert len(made) == 2


def test_a_sample_begins_with_any_token() -> None:
    # This one, decoded and encoded again, is two: a letter and a digit are never one word.
    vocabulary = toy_tokenizer().vocabulary
    odd = len(vocabulary)
    tokenizer = Tokenizer({**vocabulary, "a1": odd}, [])
    folder = write_model("odd", shape=dataclasses.replace(SHAPE, n_vocab=odd + 1))
    tokenizer.save(folder)
    np.savez("odd.npz", np.full(100, odd))
    _, steps = train("odd.npz", steps=1, model_name="odd", sample_every=1, sample_length=1)
    assert steps[0].samples[0].startswith("a1")


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
def test_what_is_saved_when_and_kept(
    save_every: int, max_checkpoints: int, kept: set[int], saved: list[int]
) -> None:
    _, steps = train(steps=5, save_every=save_every, max_checkpoints=max_checkpoints)
    assert saved_steps() == kept
    assert {int(p.stem.split("-")[1]) for p in FOLDER.glob("optimizer-*.index")} == kept
    assert [step.step for step in steps if step.saved] == saved
    assert json.loads((FOLDER / "run.json").read_text())["checkpoints"] == sorted(kept)


@pytest.mark.parametrize("end", ["by itself", "interrupted", "left"])
def test_after_each_save_the_run_can_be_copied_whole(end: str) -> None:
    run = open_run(steps=5 if end == "by itself" else -1, save_every=2)
    copies: list[tuple[int, set[int]]] = []

    def copy(folder: RunFolder) -> None:
        (events,) = folder.path.glob("events*")
        tf.config.run_functions_eagerly(False)  # tf.data would warn that it does not
        read = tf.data.TFRecordDataset(str(events)).as_numpy_iterator()
        tf.config.run_functions_eagerly(True)
        copies.append((folder.read().step, {Event.FromString(line).step for line in read}))

    run.callbacks.append(Backup(copy))
    for step in run:
        if step.step == 5 and end == "interrupted":
            signal.raise_signal(signal.SIGINT)
        elif step.step == 5 and end == "left":
            break
    assert copies == [(2, {0, 1, 2}), (4, {0, 1, 2, 3, 4}), (5, {0, 1, 2, 3, 4, 5})]


def test_nothing_is_written_before_training_begins() -> None:
    before = {path.name for path in Path().iterdir()}
    open_run(validation_split=0.2, sample_every=1)
    assert {path.name for path in Path().iterdir()} == before


# --- Where a run starts from


def test_latest_goes_on_with_the_run_and_needs_no_base_model() -> None:
    first, before = train(steps=3)
    shutil.rmtree("models")
    run, steps = train(steps=2)
    assert [step.step for step in steps] == [4, 5]
    assert "resuming run1 at step 3 (started from toy)" in run.notes
    assert (FOLDER / "counter").read_text() == "5\n"
    assert run.record.base_model == first.record.base_model == "toy"
    assert run.record.losses == losses(before) + losses(steps)
    assert saved_steps() == {5}
    assert len(list(FOLDER.glob("events*"))) == 2


def test_fresh_counts_from_zero_and_loses_nothing_before_it_saves() -> None:
    train(steps=3)
    old = in_folder()
    for step in open_run(steps=2, restore_from="fresh", seed=2):
        assert step.step in (1, 2)
        assert_same(in_folder(), old)
        assert RunFolder("checkpoint", "run1").read().step == 3
    assert (FOLDER / "counter").read_text() == "2\n"
    assert latest_checkpoint(FOLDER) == FOLDER / "model-2"
    assert saved_steps() == {2, 3}  # what was there can still be loaded by name
    assert_same(weights_of(load_model(FOLDER, checkpoint="model-3")), old)
    assert RunFolder("checkpoint", "run1").read().record.losses[0][0] == 1


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("models/toy", "models/toy"),
        ("checkpoint/first", "checkpoint/first"),
        ("checkpoint/first/model-2", "checkpoint/first/model-2"),
    ],
)
def test_a_run_can_start_from_any_folder_or_checkpoint(place: str, expected: str) -> None:
    train(steps=4, save_every=2, max_checkpoints=0, run_name="first")
    source = Path(expected)
    model = (
        load_model(source) if source.is_dir() else load_model(source.parent, "float32", "model-2")
    )
    # A learning rate of zero leaves the weights as they were.
    _, steps = train(steps=1, learning_rate=0.0, restore_from=place, run_name="second")
    assert steps[0].step == 1
    assert_same(in_folder("second"), weights_of(model))


def test_a_place_that_is_no_folder_is_refused() -> None:
    with pytest.raises(
        OptionError, match="restore_from='latset' is not a folder: give latest, fresh, or"
    ):
        open_run(restore_from="latset")


def test_a_run_of_gpt_2_simple_goes_on() -> None:
    shutil.rmtree("models")
    shutil.copytree(GOLDEN_RUN, FOLDER)
    run, steps = train(steps=2, model_name="124M")
    assert [step.step for step in steps] == [21, 22]
    assert "resuming run1 at step 20" in run.notes
    assert any("the optimizer restarts" in note for note in run.notes)
    assert saved_steps() == {20, 22}
    assert_same(in_folder(), weights_of(run.model))


def test_a_run_whose_weights_are_gone_does_not_begin_anew_unsaid() -> None:
    train(steps=2)
    (FOLDER / "model-2.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match=r"run1 has no checkpoint .* restore_from='fresh'"):
        open_run()
    assert [step.step for step in open_run(restore_from="fresh", steps=1)] == [1]


def test_another_model_for_a_run_that_goes_on_is_told_of() -> None:
    write_model("other", seed=5)
    train(steps=1)
    assert not any("Warning" in note for note in open_run(model_name="124M").notes)  # the default
    run = open_run(model_name="other")
    assert any(
        note.startswith("Warning: run1 started from toy, so model_name='other' is ignored")
        for note in run.notes
    )


def test_a_run_keeps_its_way_of_writing_special_tokens() -> None:
    write_text("marked.txt", "one<|endoftext|>two\n" * 40)
    end = toy_tokenizer().end_of_text
    first, _ = train("marked.txt", steps=1, legacy_tokens=True)
    assert end not in first.dataset.tokens
    assert end not in open_run("marked.txt").dataset.tokens
    assert end in open_run("marked.txt", restore_from="fresh").dataset.tokens


# --- Overwriting


def test_overwrite_drops_what_was_there_once_the_new_is_whole() -> None:
    train(steps=4, save_every=2, max_checkpoints=0)
    (FOLDER / "notes of mine.txt").touch()
    (old_events,) = FOLDER.glob("events*")
    for step in open_run(steps=4, save_every=2, max_checkpoints=2, overwrite=True):
        assert saved_steps() == ({2, 4} if step.step < 6 else {6, 8} if step.step == 8 else {6})
        assert old_events.exists() == (step.step < 6)
    assert saved_steps() == {6, 8}
    assert (FOLDER / "notes of mine.txt").exists()
    assert RunFolder("checkpoint", "run1").read().record.checkpoints == [6, 8]
    assert [step.step for step in open_run(steps=1)] == [9]


@pytest.mark.parametrize("restore_from", ["fresh", "latest"])
def test_overwrite_drops_nothing_where_nothing_new_came(restore_from: str) -> None:
    train(steps=2)
    old = in_folder()
    run = open_run(overwrite=True, restore_from=restore_from)
    run.model.variables["model/wte"].assign(run.model.variables["model/wte"] * np.nan)
    with pytest.raises(Gpt2Error, match="loss is nan"):
        list(run)
    assert saved_steps() == {2}
    assert_same(in_folder(), old)


# --- Validation and early stopping


def test_validation_on_a_file_of_its_own() -> None:
    write_text("unseen.txt", "How is it? " * 30)
    whole = open_run().dataset
    run, steps = train(validation_data="unseen.txt", eval_every=2)
    assert len(run.dataset.tokens) == len(whole.tokens)
    assert run.validation is not None
    assert run.tokenizer.decode(run.validation.tokens) == "How is it? " * 30
    measured = {step.step: step.validation_loss for step in steps if step.validation_loss}
    assert list(measured) == [2, 4]
    assert measured[4] == run.trainer.validation_loss()


def test_validation_on_a_share_of_the_data() -> None:
    whole = open_run().dataset.tokens
    run = open_run(validation_split=0.25)
    assert run.validation is not None
    np.testing.assert_array_equal(
        np.concatenate([run.dataset.tokens, run.validation.tokens]), whole
    )
    assert len(run.validation.tokens) == pytest.approx(len(whole) / 4, abs=1)


@pytest.mark.parametrize("share", [1.5, -0.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(OptionError, match="validation_split must be "):
        open_run(validation_split=share)


def test_early_stopping_needs_a_validation_loss() -> None:
    with pytest.raises(
        OptionError, match="early_stopping_patience=2 needs a validation loss: give"
    ):
        open_run(early_stopping_patience=2)


def test_a_validation_file_that_is_missing() -> None:
    with pytest.raises(DatasetError, match=r"unseen\.txt"):
        open_run(validation_data="unseen.txt")


@pytest.fixture
def worsening() -> dict[str, Any]:
    """Options with which the validation loss gets worse and worse: learning one letter unlearns
    the other."""
    write_text("a.txt", "a" * 300)
    write_text("z.txt", "z" * 100)
    return {
        "dataset": "a.txt",
        "validation_data": "z.txt",
        "eval_every": 2,
        "early_stopping_patience": 2,
        "steps": 50,
        "learning_rate": 0.5,
        "save_every": 1,
    }


def test_early_stopping_goes_back_to_the_best_checkpoint(worsening: dict[str, Any]) -> None:
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
    assert_same(in_folder(), at_best[2])
    assert saved_steps() == {2}
    assert (FOLDER / "counter").read_text() == "2\n"
    assert run.notes[-1] == "stopped early: restored the best checkpoint, step 2"
    assert copied == [1, 2, 3, 4, 5, 6, 2]  # save_every, and the return to the best
    # The whole curve can still be drawn, and the run goes on from its best.
    assert [step for step, _ in run.folder.read().record.validation_losses] == [2, 4, 6]
    assert [step.step for step in open_run(**{**worsening, "steps": 1})] == [3]
    assert [step for step, _ in RunFolder("checkpoint", "run1").read().record.losses] == [1, 2, 3]


@pytest.mark.parametrize(("save_every", "expected"), [(0, [7]), (3, [3, 6, 7])])
def test_a_new_best_alone_is_saved_but_not_copied(save_every: int, expected: list[int]) -> None:
    run = open_run(
        steps=7,
        validation_split=0.2,
        eval_every=1,
        early_stopping_patience=7,
        save_every=save_every,
    )
    copied: list[int] = []
    run.callbacks.append(Backup(lambda folder: copied.append(folder.read().step)))
    saved = [step.step for step in run if step.saved]
    assert {1, 2, 4, 5} <= set(saved)  # each was the best so far
    assert copied == expected


def test_only_the_return_to_the_best_is_copied_where_nothing_else_asks_for_it(
    worsening: dict[str, Any],
) -> None:
    run = open_run(**{**worsening, "save_every": 0})
    copied: list[int] = []
    run.callbacks.append(Backup(lambda folder: copied.append(folder.read().step)))
    assert [step.step for step in run if step.saved] == [2]
    assert copied == [2]


def test_a_resumed_run_stops_early_at_the_best_of_the_time_before(
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
    assert_same(in_folder(), at_best)


# --- How a run ends


def spoil(run: FinetuneRun, at: int, change: Callable[[], Any]) -> None:
    """Train to the end; between step `at` and the next one, `change` is called."""
    for step in run:
        if step.step == at:
            change()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_finishes_the_step_and_saves(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    run, steps = open_run(steps=-1), []
    for step in run:
        steps.append(step.step)
        if step.step == 2:
            signal.raise_signal(number)
    assert steps == [1, 2]
    assert run.interrupted
    assert saved_steps() == {2}
    assert_same(in_folder(), weights_of(run.model))
    assert signal.getsignal(number) is before


def test_an_interrupt_while_a_step_is_computed_waits_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = open_run(steps=-1)
    train_step = run.trainer._train_step

    def interrupted_step(rate: float) -> float:
        signal.raise_signal(signal.SIGINT)
        return train_step(rate)

    monkeypatch.setattr(run.trainer, "_train_step", interrupted_step)
    assert [step.step for step in run] == [1]
    assert run.interrupted
    assert saved_steps() == {1}


def test_a_run_that_ends_by_itself_was_not_interrupted() -> None:
    run, _ = train(steps=1)
    assert not run.interrupted


def test_leaving_the_loop_saves() -> None:
    run = open_run(steps=50)
    for step in run:
        if step.step == 3:
            break
    assert saved_steps() == {3}
    assert_same(in_folder(), weights_of(run.model))
    assert [step.step for step in open_run(steps=1)] == [4]


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint() -> None:
    run = open_run(steps=9, save_every=2)
    positions = run.model.variables["model/wpe"]
    with pytest.raises(Gpt2Error) as caught:
        spoil(run, 3, lambda: positions.assign(positions * np.inf))
    assert str(caught.value) == (
        "loss is nan at step 4 (last checkpoint: step 2): lower learning_rate (now 0.1) or set "
        "max_grad_norm=1"
    )
    assert saved_steps() == {2}
    assert all(np.isfinite(array).all() for array in in_folder().values())
    assert [step.step for step in open_run(steps=1)] == [3]


def test_weights_that_are_no_numbers_are_never_saved() -> None:
    # The loss of a step is that before its update: it is the last to show what the update did.
    run = open_run(steps=4, save_every=3)
    positions = run.model.variables["model/wpe"]
    with pytest.raises(Gpt2Error, match=r"weights are NaN .* at step 4 \(last checkpoint: step 3"):
        spoil(run, 4, lambda: positions.assign(positions * np.nan))
    assert saved_steps() == {3}
    assert all(np.isfinite(array).all() for array in in_folder().values())


# --- Going on as if never stopped

THOROUGH: dict[str, Any] = {
    "steps": 6,
    "batch_size": 1,
    "accumulate_gradients": 2,
    "dropout": 0.1,
    "lr_schedule": "cosine",
    "warmup_steps": 2,
    "max_grad_norm": 1.0,
    "validation_split": 0.2,
    "eval_every": 2,
}


def assert_goes_on(whole: list[RunProgress], resumed: list[RunProgress]) -> None:
    for name in ("step", "steps_left", "loss", "average_loss", "learning_rate", "is_best"):
        expected = [getattr(step, name) for step in whole[-len(resumed) :]]
        assert [getattr(step, name) for step in resumed] == expected, name
    expected = [step.validation_loss for step in whole[-len(resumed) :]]
    assert [step.validation_loss for step in resumed] == expected


@pytest.mark.usefixtures("compiled")
def test_an_interrupted_run_goes_on_as_if_it_had_never_stopped() -> None:
    write_model("small", shape=ONE_LAYER)
    options = {**THOROUGH, "optimizer": "adam", "learning_rate": 0.01, "model_name": "small"}
    options["validation_split"] = 0.0  # the other optimizers have it
    run, whole = train(**options, run_name="whole")
    first = []
    for step in open_run(**options):
        first.append(step)
        if step.step == 3:
            signal.raise_signal(signal.SIGINT)
    assert losses(first) == losses(whole[:3])
    resumed, steps = train(**{**options, "steps": 3, "seed": None})
    assert_goes_on(whole, steps)
    assert_same(weights_of(run.model), weights_of(resumed.model))
    assert_same(in_folder("whole"), in_folder())
    assert resumed.folder.read().record.losses == run.folder.read().record.losses


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"), [("adamw", 0.01), ("adafactor", 0.03), ("sgd", 0.3)]
)
def test_every_optimizer_goes_on_as_if_it_had_never_stopped(
    optimizer: str, learning_rate: float
) -> None:
    options = {**THOROUGH, "optimizer": optimizer, "learning_rate": learning_rate, "save_every": 3}
    whole = []
    for step in (run := open_run(**options)):
        whole.append(step)
        if step.step == 3:
            shutil.copytree(FOLDER, "checkpoint/copy")
    resumed, steps = train(**{**options, "steps": 3, "seed": None, "run_name": "copy"})
    assert_goes_on(whole, steps)
    assert_same(weights_of(run.model), weights_of(resumed.model))


def test_another_optimizer_starts_afresh_and_says_so() -> None:
    train(steps=2)
    run, steps = train(steps=1, optimizer="adam")
    assert "the optimizer differs from the saved one: the optimizer restarts" in run.notes
    assert [step.step for step in steps] == [3]
    assert not any("restarts" in note for note in open_run(optimizer="adam").notes)


# --- Options that reach the training


def test_memory_saving_gradients_change_no_loss() -> None:
    _, plain = train(steps=2, run_name="plain")
    _, saving = train(steps=2, run_name="saving", use_memory_saving_gradients=True)
    assert [s.loss for s in saving] == pytest.approx([s.loss for s in plain], abs=1e-5)


def test_training_only_the_layers_leaves_the_embeddings() -> None:
    before = weights_of(load_model("models/toy"))
    train(steps=2, only_train_transformer_layers=True)
    after = in_folder()
    same = {name for name, array in before.items() if np.array_equal(array, after[name])}
    assert same == {"model/wte", "model/wpe", "model/ln_f/g", "model/ln_f/b"}


TWO_DEVICES = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.generate import generate
from toy_runs import open_run
run = open_run(steps=2, batch_size=1, multi_gpu=True, sample_every=2, sample_length=3,
               model_name="small")
steps = [[step.step, step.loss] for step in run]
results = generate(run.decoders, run.tokenizer, "What", SamplingConfig(length=5))
texts = [result.text for result in results]
print(json.dumps({"steps": steps, "devices": run.trainer._strategy.num_replicas_in_sync,
                  "texts": texts}))
"""


def test_two_devices_train_like_one_with_a_batch_twice_as_large() -> None:
    write_model("small", shape=ONE_LAYER)
    tests = SUPPORT
    path = [str(tests.parent), str(tests)]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{TWO_DEVICES}"]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout.splitlines()[-1])
    assert told["devices"] == 2
    assert told["texts"][0].startswith("What")
    _, steps = train(steps=2, batch_size=2, model_name="small", run_name="one")
    np.testing.assert_allclose(told["steps"], losses(steps), rtol=0, atol=1e-4)
    for name, array in in_folder("one").items():
        np.testing.assert_allclose(in_folder()[name], array, rtol=0, atol=1e-4, err_msg=name)
    assert Path("samples/run1/samples-2").is_file()
    assert [step.step for step in open_run(steps=1)] == [3]  # on one device again


@pytest.mark.skipif(
    len(tf.config.list_physical_devices("GPU")) > 1, reason="this machine has several GPUs"
)
def test_several_gpus_where_there_are_none() -> None:
    with pytest.raises(OptionError, match="multi_gpu=True needs at least two GPUs"):
        open_run(multi_gpu=True)


def test_speed_counts_neither_compiling_nor_what_the_caller_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: clock.now))
    run = open_run(steps=5)

    def train_step(rate: float) -> float:
        clock.now += 100.0 if run.trainer.step == 0 else 2.0
        return 1.0

    monkeypatch.setattr(run.trainer, "_train_step", train_step)
    told = []
    for step in run:
        told.append((step.tokens_per_second, step.seconds_left))
        clock.now += 1000.0
    tokens = run.trainer.tokens_per_step
    assert told[0] == pytest.approx((tokens / 100, 400))
    assert told[1:] == [pytest.approx((tokens / 2, left)) for left in (6, 4, 2, 0)]


# --- What cannot be


def test_a_model_that_is_not_there_is_refused_with_the_line_that_fetches_it() -> None:
    with pytest.raises(CheckpointError, match="'124M' is not in models.*download_gpt2"):
        open_run(model_name="124M")
    assert not Path("checkpoint").exists()


def test_a_dataset_that_is_not_there_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.txt"):
        open_run("nowhere.txt")
    assert not Path("checkpoint").exists()


def test_a_folder_that_cannot_be_made_is_named() -> None:
    Path("checkpoint").touch()
    run = open_run()
    with pytest.raises(
        CheckpointError, match="cannot write to .*checkpoint/run1.* another checkpoint_dir"
    ):
        next(iter(run))


def test_samples_that_cannot_be_written_lose_no_training() -> None:
    Path("samples").touch()
    with pytest.raises(OptionError, match="samples/run1: .* use another sample_dir"):
        list(open_run(sample_every=2, sample_length=2))
    assert saved_steps() == {2}


def test_a_damaged_record_is_named() -> None:
    train(steps=1)
    (FOLDER / "run.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"run\.json cannot be read"):
        open_run()
