"""A finetuning run as a whole: its folder, where it starts, how it ends, and resuming."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import latest_checkpoint, load_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import (
    CheckpointError,
    DatasetError,
    GradientOverflowError,
    OptionError,
    OutOfMemoryError,
)
from gpt2_helpers.system.locks import LOCK
from gpt2_helpers.tokenizer import Tokenizer
from gpt2_helpers.training.run import RunProgress
from gpt2_helpers.training.trainer import Trainer
from paths import GOLDEN
from toy import toy_tokenizer
from toy_runs import (
    ONE_LAYER,
    RUN1,
    SHAPE,
    assert_same,
    open_run,
    saved_steps,
    saved_weights,
    train,
    weights_of,
    write_model,
    write_text,
)

pytestmark = pytest.mark.usefixtures("workplace", "eager")
GOLDEN_RUN = GOLDEN / "gpt_2_simple_run"


def losses(steps: list[RunProgress]) -> list[tuple[int, float]]:
    return [(step.step, step.loss) for step in steps]


def test_run_folder_is_complete() -> None:
    run, steps = train(save_every=2, validation_split=0.2, eval_every=2)
    names = sorted(path.name for path in RUN1.iterdir())
    (events,) = (name for name in names if name.startswith("events.out.tfevents."))
    assert names == sorted(
        [
            "MODEL_CARD.md",
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
    assert (RUN1 / "counter").read_text() == "4\n"
    assert latest_checkpoint(RUN1) == RUN1 / "model-4"
    assert_same(saved_weights(), weights_of(run.model))
    assert ModelConfig.load(RUN1) == SHAPE
    assert Tokenizer.load(RUN1).vocabulary == toy_tokenizer().vocabulary
    assert len(steps) == 4


def test_record_of_a_run() -> None:
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


def test_the_record_says_how_documents_start() -> None:
    write_text("titles.csv", "title\n" + "What is the best thing to have?\n" * 40)
    record = train("titles.csv", steps=1)[0].folder.read().record
    assert record.prompt_prefix == "<|startoftext|>"
    assert record.example_prompts == ["What is the"]
    write_text("text.txt", "How would your people end it today?\n" * 40)
    record = train("text.txt", steps=1, run_name="run2")[0].folder.read().record
    assert (record.prompt_prefix, record.example_prompts) == ("", ["How would your"])


def test_training_on_another_text_is_noted_and_recorded() -> None:
    write_text("cats.txt", "The cat sat on the mat. " * 40)
    write_text("dogs.txt", "A dog ran over the hill. " * 40)
    train("cats.txt", steps=2)
    assert not [note for note in open_run("./cats.txt").notes if "before" in note]
    run, _ = train("dogs.txt", steps=1)
    (note,) = (note for note in run.notes if "before" in note)
    assert "run1 was trained on cats.txt before and now continues on dogs.txt" in note
    assert "another run_name" in note
    record = run.folder.read().record
    assert record.dataset == "dogs.txt"
    assert record.earlier_datasets == [("cats.txt", None, 2)]
    fresh, _ = train("cats.txt", steps=1, restore_from="fresh")
    assert fresh.folder.read().record.earlier_datasets == []


def test_notes_describe_model_and_data() -> None:
    notes = open_run(validation_split=0.25).notes
    assert notes[0] == f"training toy, {SHAPE.n_parameters:,} parameters, float32"
    amounts, validation = notes[1], notes[-1]
    trained = re.fullmatch(r"1 document, ([\d,]+) tokens, .* tokens per character", amounts)
    held = re.fullmatch(r"validation on ([\d,]+) tokens", validation)
    assert trained
    assert held
    assert int(held[1]) == pytest.approx(int(trained[1]) / 3, abs=2)
    assert notes[2].startswith("4 steps of 64 tokens: ")


def test_opening_a_run_writes_nothing() -> None:
    before = {path.name for path in Path().iterdir()}
    open_run(validation_split=0.2, sample_every=1)
    assert {path.name for path in Path().iterdir()} == before


# --- Where a run starts


def test_latest_resumes_the_run_without_its_base_model() -> None:
    first, before = train(steps=3)
    shutil.rmtree("models")
    run, steps = train(steps=2)
    assert [step.step for step in steps] == [4, 5]
    assert "resuming run1 at step 3 (started from toy)" in run.notes
    assert (RUN1 / "counter").read_text() == "5\n"
    assert run.record.base_model == first.record.base_model == "toy"
    assert run.record.losses == losses(before) + losses(steps)
    assert saved_steps() == {5}
    assert len(list(RUN1.glob("events*"))) == 2


def test_fresh_restarts_at_zero_and_keeps_the_old_run_until_it_saves() -> None:
    train(steps=3)
    old = saved_weights()
    for step in open_run(steps=2, restore_from="fresh", seed=2):
        assert step.step in (1, 2)
        assert_same(saved_weights(), old)
        assert RunFolder("checkpoint", "run1").read().step == 3
    assert (RUN1 / "counter").read_text() == "2\n"
    assert latest_checkpoint(RUN1) == RUN1 / "model-2"
    assert saved_steps() == {2, 3}  # the old checkpoint can still be loaded by name
    assert_same(weights_of(load_model(RUN1, checkpoint="model-3")), old)
    assert RunFolder("checkpoint", "run1").read().record.losses[0][0] == 1


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("models/toy", "models/toy"),
        ("checkpoint/first", "checkpoint/first"),
        ("checkpoint/first/model-2", "checkpoint/first/model-2"),
    ],
)
def test_restore_from_a_folder_or_checkpoint(place: str, expected: str) -> None:
    train(steps=4, save_every=2, max_checkpoints=0, run_name="first")
    source = Path(expected)
    model = (
        load_model(source) if source.is_dir() else load_model(source.parent, "float32", "model-2")
    )
    # A learning rate of zero leaves the weights unchanged.
    _, steps = train(steps=1, learning_rate=0.0, restore_from=place, run_name="second")
    assert steps[0].step == 1
    assert_same(saved_weights("second"), weights_of(model))


@pytest.mark.parametrize(
    "name",
    [
        "model-2",
        "model-2.index",
        "checkpoint/run1/model-2",
        "checkpoint/run1/model-2.index",
        "checkpoint/run1/model-2.meta",
        "checkpoint/run1/model-2.data-00000-of-00001",
    ],
)
def test_restore_from_an_earlier_checkpoint_of_the_run(name: str) -> None:
    train(steps=4, save_every=2, max_checkpoints=0)
    expected = weights_of(load_model(RUN1, checkpoint="model-2"))
    run = open_run(restore_from=name, learning_rate=0.0, steps=1, max_checkpoints=0)
    assert "resuming run1 at step 2 (started from toy)" in run.notes
    assert not any("optimizer" in note for note in run.notes)
    assert [step.step for step in run] == [3]
    assert_same(saved_weights(), expected)
    assert RunFolder("checkpoint", "run1").read().step == 3
    assert [step for step, _ in RunFolder("checkpoint", "run1").read().record.losses] == [1, 2, 3]


def test_restore_from_an_unknown_checkpoint_lists_those_there_are() -> None:
    train(steps=4, save_every=2, max_checkpoints=0)
    for name in ("model-3", "checkpoint/run1/model-3.index"):
        with pytest.raises(OptionError, match=r"\(checkpoints in \S+run1: model-2, model-4\)"):
            open_run(restore_from=name)
    (RUN1 / "model-2.data-00000-of-00001").unlink()
    with pytest.raises(CheckpointError, match=r"model-2\.data-00000-of-00001 is missing"):
        open_run(restore_from="model-2")


def test_invalid_restore_from_is_rejected() -> None:
    with pytest.raises(
        OptionError,
        match=r"restore_from='latset' is not a folder \(did you mean 'latest'\?\): use latest, fr",
    ):
        open_run(restore_from="latset")


def test_run_of_gpt_2_simple_is_resumed() -> None:
    shutil.rmtree("models")
    shutil.copytree(GOLDEN_RUN, RUN1)
    run, steps = train(steps=2, model_name="124M")
    assert [step.step for step in steps] == [21, 22]
    assert "resuming run1 at step 20" in run.notes
    assert any("fresh optimizer" in note for note in run.notes)
    assert saved_steps() == {20, 22}
    assert_same(saved_weights(), weights_of(run.model))


def test_run_without_its_weights_is_not_silently_restarted() -> None:
    train(steps=2)
    (RUN1 / "model-2.data-00000-of-00001").unlink()
    with pytest.raises(
        CheckpointError, match=r"run1 has no complete checkpoint: .* restore_from='fresh'"
    ):
        open_run()
    assert [step.step for step in open_run(restore_from="fresh", steps=1)] == [1]


def test_ignored_model_name_gives_a_warning() -> None:
    write_model("other", seed=5)
    train(steps=1)
    assert not any("Warning" in note for note in open_run(model_name="124M").notes)  # the default
    run = open_run(model_name="other")
    assert any(
        note.startswith("Warning: run1 started from toy, so model_name='other' is ignored")
        for note in run.notes
    )


def test_run_keeps_its_token_format() -> None:
    write_text("marked.txt", "one<|endoftext|>two\n" * 40)
    end = toy_tokenizer().end_of_text
    first, _ = train("marked.txt", steps=1, legacy_tokens=True)
    assert end not in first.dataset.tokens
    assert end not in open_run("marked.txt").dataset.tokens
    assert end in open_run("marked.txt", restore_from="fresh").dataset.tokens


# --- Validation data


def test_validation_data() -> None:
    write_text("held_out.txt", "How is it? " * 30)
    whole = open_run().dataset
    run, steps = train(validation_data="held_out.txt", eval_every=2)
    assert len(run.dataset.tokens) == len(whole.tokens)
    assert run.validation is not None
    assert run.tokenizer.decode(run.validation.tokens) == "How is it? " * 30
    measured = {step.step: step.validation_loss for step in steps if step.validation_loss}
    assert list(measured) == [2, 4]
    assert measured[4] == run.trainer.validation_loss()


def test_validation_data_inside_the_dataset_is_not_trained_on() -> None:
    for name in ("a.txt", "more/b.txt", "more/held_out.txt"):
        Path("books/more").mkdir(parents=True, exist_ok=True)
        write_text(f"books/{name}", f"This is {name}. " * 30)
    Path("books/alias.txt").symlink_to("more/held_out.txt")
    for held_out in ("books/more/held_out.txt", "books/more/../more/held_*.txt", "books/alias.txt"):
        run = open_run("books", validation_data=held_out)
        trained = run.tokenizer.decode(run.dataset.tokens)
        assert "b.txt" in trained
        assert "held_out" not in trained
        assert run.validation is not None
        assert "held_out" in run.tokenizer.decode(run.validation.tokens)
        (note,) = (note for note in run.notes if "not used for training" in note)
        assert "alias.txt and 1 more file" in note
    run = open_run("books", validation_data="books/more")
    assert run.tokenizer.decode(run.dataset.tokens) == "This is a.txt. " * 30


def test_validation_on_the_whole_dataset_is_rejected() -> None:
    write_text("a.txt")
    for dataset, held_out in (("a.txt", "./a.txt"), ("*.txt", ".")):
        with pytest.raises(DatasetError, match="all files of the dataset .* are validation data"):
            open_run(dataset, validation_data=held_out)


def test_validation_split() -> None:
    whole = open_run().dataset.tokens
    run = open_run(validation_split=0.25)
    assert run.validation is not None
    np.testing.assert_array_equal(
        np.concatenate([run.dataset.tokens, run.validation.tokens]), whole
    )
    assert len(run.validation.tokens) == pytest.approx(len(whole) / 4, abs=1)


@pytest.mark.parametrize("share", [1.5, -0.1, float("nan")])
def test_invalid_validation_split_is_rejected(share: float) -> None:
    with pytest.raises(OptionError, match="validation_split must be "):
        open_run(validation_split=share)


def test_early_stopping_needs_validation_data() -> None:
    with pytest.raises(OptionError, match="early_stopping_patience=2 needs a validation loss: set"):
        open_run(early_stopping_patience=2)


def test_missing_validation_data() -> None:
    with pytest.raises(DatasetError, match=r"held_out\.txt"):
        open_run(validation_data="held_out.txt")


# --- How a run ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_finishes_the_step_and_saves(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    run, steps = open_run(steps=-1), []
    for step in run:
        steps.append(step.step)
        if step.step == 2:
            signal.raise_signal(number)
    assert steps == [1, 2]
    assert run.interrupted
    assert saved_steps() == {2}
    assert_same(saved_weights(), weights_of(run.model))
    assert signal.getsignal(number) is before


def test_interrupt_during_a_step_waits_for_its_end(
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


def test_run_that_ends_normally_was_not_interrupted() -> None:
    run, _ = train(steps=1)
    assert not run.interrupted


def test_leaving_the_loop_saves() -> None:
    run = open_run(steps=50)
    for step in run:
        if step.step == 3:
            break
    assert saved_steps() == {3}
    assert_same(saved_weights(), weights_of(run.model))
    assert [step.step for step in open_run(steps=1)] == [4]


def test_overflowing_gradients_end_a_run_that_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(steps=5)
    train_step = run.trainer._train_step

    def overflowing(rate: float) -> float:
        if run.trainer.step == 2:
            raise GradientOverflowError("gradients overflowed in fp16")
        return train_step(rate)

    monkeypatch.setattr(run.trainer, "_train_step", overflowing)
    with pytest.raises(GradientOverflowError):
        list(run)
    assert saved_steps() == {2}


def test_notes_of_the_trainer_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(steps=2)

    def train_step(_: float) -> float:
        run.trainer.notes.append("said")
        return 1.0

    monkeypatch.setattr(run.trainer, "_train_step", train_step)
    list(run)
    assert run.notes[-2:] == ["said", "said"]


def test_a_model_that_does_not_fit_in_memory_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise tf.errors.InternalError(None, None, "Dst tensor is not initialized.")

    monkeypatch.setattr(Trainer, "__init__", full)
    with pytest.raises(OutOfMemoryError, match="while the model was built: lower batch_size"):
        open_run()
    assert not Path("checkpoint").exists()


# --- Resuming


ALL_OPTIONS: dict[str, Any] = {
    "steps": 4,
    "batch_size": 1,
    "model_name": "small",
    "accumulate_gradients": 2,
    "dropout": 0.1,
    "lr_schedule": "cosine",
    "warmup_steps": 2,
    "max_grad_norm": 1.0,
    "validation_split": 0.2,
    "eval_every": 2,
}


def assert_resumed_exactly(whole: list[RunProgress], resumed: list[RunProgress]) -> None:
    for name in ("step", "steps_left", "loss", "average_loss", "learning_rate", "is_best"):
        expected = [getattr(step, name) for step in whole[-len(resumed) :]]
        assert [getattr(step, name) for step in resumed] == expected, name
    expected = [step.validation_loss for step in whole[-len(resumed) :]]
    assert [step.validation_loss for step in resumed] == expected


@pytest.mark.usefixtures("compiled")
def test_interrupted_run_resumes_exactly() -> None:
    write_model("small", shape=ONE_LAYER)
    options = {**ALL_OPTIONS, "optimizer": "adam", "learning_rate": 0.01}
    options["validation_split"] = 0.0  # tested with the other optimizers
    run, whole = train(**options, run_name="whole")
    first = []
    for step in open_run(**options):
        first.append(step)
        if step.step == 2:
            signal.raise_signal(signal.SIGINT)
    assert losses(first) == losses(whole[:2])
    resumed, steps = train(**{**options, "steps": 2, "seed": None})
    assert_resumed_exactly(whole, steps)
    assert_same(weights_of(run.model), weights_of(resumed.model))
    assert_same(saved_weights("whole"), saved_weights())
    assert resumed.folder.read().record.losses == run.folder.read().record.losses


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"), [("adamw", 0.01), ("adafactor", 0.03), ("sgd", 0.3)]
)
def test_every_optimizer_resumes_exactly(optimizer: str, learning_rate: float) -> None:
    options = {
        **ALL_OPTIONS,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "save_every": 2,
    }
    write_model("small", shape=ONE_LAYER)
    whole = []
    for step in (run := open_run(**options)):
        whole.append(step)
        if step.step == 2:
            shutil.copytree(RUN1, "checkpoint/copy")
    resumed, steps = train(**{**options, "steps": 2, "seed": None, "run_name": "copy"})
    assert_resumed_exactly(whole, steps)
    assert_same(weights_of(run.model), weights_of(resumed.model))


def test_another_optimizer_restarts_with_a_note() -> None:
    train(steps=2)
    run, steps = train(steps=1, optimizer="adam")
    assert "the optimizer differs from the saved one: starting with a fresh optimizer" in run.notes
    assert [step.step for step in steps] == [3]
    assert not any("restarts" in note for note in open_run(optimizer="adam").notes)


# --- Options passed to training


def test_memory_saving_gradients_do_not_change_the_loss() -> None:
    _, plain = train(steps=2, run_name="plain")
    _, saving = train(steps=2, run_name="saving", use_memory_saving_gradients=True)
    assert [s.loss for s in saving] == pytest.approx([s.loss for s in plain], abs=1e-5)


def test_training_only_the_layers_freezes_the_embeddings() -> None:
    before = weights_of(load_model("models/toy"))
    train(steps=2, only_train_transformer_layers=True)
    after = saved_weights()
    same = {name for name, array in before.items() if np.array_equal(array, after[name])}
    assert same == {"model/wte", "model/wpe", "model/ln_f/g", "model/ln_f/b"}


# --- Errors


def test_missing_model_error_has_the_download_command() -> None:
    with pytest.raises(CheckpointError, match="'124M' not found in models.*download_gpt2"):
        open_run(model_name="124M")
    assert not Path("checkpoint").exists()


def test_missing_dataset() -> None:
    with pytest.raises(DatasetError, match=r"nowhere\.txt"):
        open_run("nowhere.txt")
    assert not Path("checkpoint").exists()


def test_a_folder_that_cannot_be_created_is_named() -> None:
    Path("checkpoint").touch()
    run = open_run()
    with pytest.raises(
        CheckpointError, match="cannot write to .*checkpoint/run1.* another checkpoint_dir"
    ):
        next(iter(run))


def test_damaged_record() -> None:
    train(steps=1)
    (RUN1 / "run.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"run\.json cannot be read"):
        open_run()
