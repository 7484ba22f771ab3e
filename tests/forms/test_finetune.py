"""The form for finetuning: its defaults, what it says of memory and runs, and a training by it."""

from __future__ import annotations

import gc
import html
import json
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

pytest.importorskip("ipywidgets", reason="forms need ipywidgets")
pytest.importorskip("matplotlib", reason="the curve needs matplotlib")

from gpt2_helpers.config import (
    PRETRAINED_CONFIGS,
    DatasetConfig,
    FinetuneConfig,
    ModelConfig,
    RunConfig,
)
from gpt2_helpers.errors import CheckpointError, DatasetError, OptionError
from gpt2_helpers.evaluation import loss_plot
from gpt2_helpers.fields import fields_of
from gpt2_helpers.forms import finetune, training_view
from gpt2_helpers.forms.finetune import FinetuneForm
from gpt2_helpers.forms.widgets import buttons
from gpt2_helpers.forms.widgets import html as html_output
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.google.drive_backup import copy_run_to_drive
from gpt2_helpers.session import Session
from gpt2_helpers.system import device
from gpt2_helpers.system.files import drain
from gpt2_helpers.training import memory, step_time
from gpt2_helpers.training.run import FinetuneRun
from toy_runs import SHORT, save_run, saved_steps, write_model, write_text
from widget_texts import button, words

GB = 2**30


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with a model and a text, no variables, no GPU and nothing displayed."""
    for kind in (FinetuneConfig, RunConfig, DatasetConfig):
        for field in fields_of(kind):
            monkeypatch.delenv(f"GPT2_{field.name.upper()}", raising=False)
    for name in ("GPT2_DATASET", "GPT2_DRIVE_MOUNT", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()
    monkeypatch.setattr(finetune, "display", lambda _: None)
    monkeypatch.setattr(html_output, "display", lambda _: None)
    # The curve is tested in test_training_view.py.
    monkeypatch.setattr(loss_plot, "to_png", lambda _: b"")
    monkeypatch.setattr(step_time, "sequence_seconds", lambda *_arguments, **_options: 0.5)
    monkeypatch.setattr(buttons, "QUEUED_CLICK_SECONDS", 0.0)
    machine(monkeypatch, gpu=None)
    tf.config.run_functions_eagerly(True)  # compiling takes longer than a few steps
    yield
    tf.config.run_functions_eagerly(False)


def machine(monkeypatch: pytest.MonkeyPatch, gpu: int | None, free: int | None = 64 * GB) -> None:
    """Let the machine have a GPU of so many bytes, or none, and so much free main memory."""
    cards = (device.Gpu("/GPU:0", "T4", gpu, (7, 5)),) if gpu else ()
    monkeypatch.setattr(device, "gpus", lambda: cards)
    monkeypatch.setattr(device, "free_main_memory", lambda: free)


def needs(
    monkeypatch: pytest.MonkeyPatch, plain: int, saving: int, factored: int = 0, adapted: int = 0
) -> None:
    """Let finetuning one of OpenAI's sizes take so many bytes, and others none. `factored` is with
    Adafactor and `adapted` with adapters, as much as `saving` where they are not given."""

    def estimate(shape: ModelConfig, finetune: FinetuneConfig, *_rest: object) -> int:
        if shape not in PRETRAINED_CONFIGS.values():
            return 0
        if not finetune.use_memory_saving_gradients:
            return plain
        if finetune.lora_rank:
            return adapted or saving
        return (factored if finetune.optimizer == "adafactor" else 0) or saving

    monkeypatch.setattr(memory, "finetuning_bytes", estimate)


def under(form: FinetuneForm, name: str) -> str:
    """Return the text below a field."""
    return html.unescape(form.form.row(name)._below.value)


def short(**options: Any) -> FinetuneForm:
    return FinetuneForm("text.txt", **{**SHORT, **options})


# -- Defaults ----------------------------------------------------------------------------------


def test_defaults_without_a_gpu() -> None:
    form = FinetuneForm()
    assert form.run_config.model_name == "tiny"
    assert (form.finetune_config.steps, form.finetune_config.learning_rate) == (250, 0.001)
    assert form.form.is_valid


def test_defaults_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=15 * GB)
    form = FinetuneForm()
    assert form.run_config.model_name == "124M"
    assert (form.finetune_config.steps, form.finetune_config.learning_rate) == (1000, 0.0001)


def test_variables_override_arguments_and_arguments_override_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPT2_STEPS", "3")
    monkeypatch.setenv("GPT2_RUN_NAME", "mine")
    form = FinetuneForm("text.txt", steps=7, seed=5)
    assert (form.finetune_config.steps, form.finetune_config.seed) == (3, 5)
    assert form.run_config.run_name == "mine"
    assert form.picker.path() == "text.txt"


def test_the_form_has_every_option() -> None:
    form = FinetuneForm()
    rows = {*form.form._rows}
    names = {f.name for kind in (FinetuneConfig, RunConfig, DatasetConfig) for f in fields_of(kind)}
    assert names - rows == {
        *("column", "prompt_column", "keywords_from", "encoding"),  # in the data picker
        "print_every",
        *("checkpoint_dir", "model_dir", "sample_dir"),
    }
    assert form.data_config == DatasetConfig()


def test_the_column_comes_from_the_data_picker() -> None:
    Path("t.csv").write_text("text,date\nA long enough text,1990\nAnd another one,1991\n")
    assert FinetuneForm("t.csv").data_config.column == "text"
    assert FinetuneForm("t.csv", column="date").data_config.column == "date"


def test_hidden_folders_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_CHECKPOINT_DIR", "elsewhere")
    form = FinetuneForm(sample_dir="drafts")
    assert (form.run_config.checkpoint_dir, form.run_config.sample_dir) == ("elsewhere", "drafts")


# -- Notes and summary -------------------------------------------------------------------------


def test_the_summary_counts_tokens_and_passes() -> None:
    write_text(text="0123456789" * 2048)
    form = FinetuneForm("text.txt", model_name="124M", steps=1000)
    assert "1,000 steps of 5,120 tokens, about 1,000 epochs over your text." in form._summary.value
    form.form.set(steps=0, batch_size=2)
    assert "Steps of 10,240 tokens, until interrupted." in form._summary.value
    form.form.set(steps="x")
    assert form._summary.value == ""


def test_less_than_one_pass_is_a_percentage(monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(text="0123456789" * 5120)
    form = FinetuneForm("text.txt", model_name="124M", steps=1)
    assert "1 step of 5,120 tokens, about 40% of your text." in form._summary.value


def test_the_time_is_estimated_before_training_and_from_the_last_run_after_it() -> None:
    form = FinetuneForm(model_name="tiny", steps=120, accumulate_gradients=4, sample_every=0)
    assert (
        "About 4 min 0 s, plus samples and saving: 2.0 s per step (one layer and the loss were "
        in (words(form.widget))
    )
    form = short(steps=4)
    form.run()
    form.form.set(steps=1000)
    assert "per step (measured in run1 on this device)" in words(form.widget)


def test_a_model_that_does_not_fit_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=None, free=8 * GB)
    needs(monkeypatch, 40 * GB, 30 * GB)
    form = FinetuneForm(model_name="1558M")
    assert "per step" not in words(form.widget)


def test_a_short_text_is_reported_below_it() -> None:
    write_text(text="Hello, world!")
    form = FinetuneForm("text.txt", model_name="124M")
    warning = (
        "The text has only 13 characters, about 3 tokens, less than the model's context of 1,024"
    )
    assert warning in words(form.widget)
    write_text(text="0123456789" * 2048)
    form.picker.refresh()
    form.form.set(steps=3)
    assert "The text has only" not in words(form.widget)


def test_samples_longer_than_the_context_have_a_note() -> None:
    form = FinetuneForm(model_name="tiny", sample_length=257)
    assert "Longer than the model's context of 256 tokens" in under(form, "sample_length")
    form.form.set(sample_length=256)
    assert "Longer than" not in under(form, "sample_length")


@pytest.mark.parametrize("name", ["a/b", "..", "", "x" * 300, "run\n1", " run1"])
def test_an_invalid_run_name_is_reported_beside_it(name: str) -> None:
    form = FinetuneForm()
    form.form.set(run_name=name)
    assert "Run name must" in words(form.form.row("run_name").widget)


def lines(form: FinetuneForm) -> list[str]:
    """Return the labels in the list of models."""
    return [shown for shown, _ in form.form.row("model_name").control.options]


def test_each_model_shows_whether_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=15 * GB)
    needs(monkeypatch, 3 * GB, 2 * GB)
    form = FinetuneForm()
    assert lines(form)[1] == "124M: fits (about 3.0 GB)"
    assert "checkpointing" not in under(form, "model_name")
    assert form.finetune_config.use_memory_saving_gradients is False


def test_memory_saving_is_turned_on_if_a_model_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, gpu=15 * GB)
    needs(monkeypatch, 20 * GB, 10 * GB)
    form = FinetuneForm()
    assert form.finetune_config.use_memory_saving_gradients is True
    assert "Gradient checkpointing (Advanced options) is on" in under(form, "model_name")
    form.form.set(use_memory_saving_gradients=False)  # by hand
    form.form.set(steps=2)
    assert form.finetune_config.use_memory_saving_gradients is False
    assert "Probably won't fit in memory without gradient checkpointing" in under(
        form, "model_name"
    )
    form.form.set(model_name="tiny")
    form.form.set(model_name="355M")
    assert form.finetune_config.use_memory_saving_gradients is True
    form.form.set(model_name="tiny")
    assert form.finetune_config.use_memory_saving_gradients is False


def test_memory_saving_set_by_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_USE_MEMORY_SAVING_GRADIENTS", "True")
    form = FinetuneForm()
    form.form.set(model_name="124M")
    assert form.finetune_config.use_memory_saving_gradients is True


@pytest.mark.parametrize(
    ("factored", "words", "name", "value"),
    [
        (9, "Fits in memory if Optimizer is adafactor", "optimizer", "adafactor"),
        (20, "Fits in memory if LoRA rank is 8", "lora_rank", 8),
    ],
)
def test_options_that_make_a_model_fit_are_suggested(
    monkeypatch: pytest.MonkeyPatch, factored: int, words: str, name: str, value: object
) -> None:
    machine(monkeypatch, gpu=15 * GB)
    needs(monkeypatch, 40 * GB, 30 * GB, factored * GB, 5 * GB)
    form = FinetuneForm()
    assert words in under(form, "model_name")
    assert "gpt2-warning" in under(form, "model_name")
    assert getattr(form.finetune_config, name) == getattr(FinetuneConfig(), name)
    assert form.finetune_config.use_memory_saving_gradients is True
    form.form.set(**{name: value})
    assert "Gradient checkpointing (Advanced options) is on" in under(form, "model_name")
    assert "gpt2-warning" not in under(form, "model_name")


def test_several_options_that_make_a_model_fit_are_suggested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, gpu=15 * GB)

    def estimate(_: ModelConfig, finetune: FinetuneConfig, *_rest: object) -> int:
        fits = finetune.optimizer == "adafactor" and finetune.accumulate_gradients == 1
        return (9 if fits else 40) * GB

    monkeypatch.setattr(memory, "finetuning_bytes", estimate)
    words = "Fits in memory if Gradient accumulation is 1 and Optimizer is adafactor"
    assert words in under(FinetuneForm(model_name="774M"), "model_name")


def test_samples_count_towards_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=None, free=8 * GB)
    form = FinetuneForm(model_name="124M", sample_every=10)
    with_samples = lines(form)[1]
    form.form.set(sample_every=0)
    assert lines(form)[1] != with_samples


def test_a_model_that_is_too_large_is_a_warning_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, gpu=None, free=8 * GB)
    needs(monkeypatch, 40 * GB, 30 * GB)
    form = FinetuneForm()
    assert lines(form)[-1] == "1558M: needs 30.0 GB even with lora_rank=8, this machine has 8.0 GB"
    form.form.set(model_name="1558M")
    assert "choose a smaller one" in under(form, "model_name")
    assert "gpt2-warning" in under(form, "model_name")
    assert form.form.is_valid


def test_unknown_memory_shows_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=None, free=None)
    needs(monkeypatch, 40 * GB, 30 * GB)
    form = FinetuneForm(model_name="1558M")
    assert lines(form)[-1] == "1558M"
    assert "gpt2-warning" not in under(form, "model_name")
    assert form.finetune_config.use_memory_saving_gradients is False


# -- Training ----------------------------------------------------------------------------------


def test_run_trains_and_returns_the_session() -> None:
    form = short(steps=2)
    session = form.run()
    assert saved_steps() == {2}
    assert session.run_name == "run1"
    assert session.is_loaded


def test_the_train_button_does_the_same_as_the_cell() -> None:
    form = short(steps=2)
    button(form.widget, "Train").click()
    assert saved_steps() == {2}
    assert "saved: checkpoint/run1, step 2" in words(form.widget).lower()
    session = form.run()
    assert saved_steps() == {2}, "the cell returns what the button has trained"
    assert session.run_name == "run1"
    assert session.is_loaded
    assert form.run() is session
    assert saved_steps() == {4}, "once more"


def test_other_options_after_the_button_are_trained() -> None:
    form = short(steps=2)
    button(form.widget, "Train").click()
    form.form.set(steps=1)
    form.run()
    assert saved_steps() == {3}


def test_an_error_is_shown_below_the_train_button() -> None:
    form = short(steps="x")
    button(form.widget, "Train").click()
    assert "Training steps must be a whole number, got 'x'" in words(form.widget)
    form.form.set(steps=1)
    button(form.widget, "Train").click()
    assert saved_steps() == {1}


def test_a_trained_run_can_be_downloaded_below_its_curve() -> None:
    form = short(steps=1)
    button(form.widget, "Train").click()
    button(form.widget, "Download run1").click()
    assert Path("checkpoint_run1.tar").is_file()


def test_run_trains_in_a_given_session() -> None:
    session = Session()
    assert short(steps=1).run(session) is session
    assert session.run_name == "run1"


def test_running_again_frees_the_old_model_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = short(steps=1)
    session = form.run()
    first, alive = weakref.ref(session.model), []
    start = FinetuneRun.__init__

    def watched(*arguments: Any) -> None:
        alive.append(first())
        start(*arguments)

    monkeypatch.setattr(FinetuneRun, "__init__", watched)
    assert form.run() is session
    assert alive == [None]
    assert short(steps=1).run() is not session


def test_failed_training_closes_the_session_but_an_invalid_option_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = short(steps=1)
    session = form.run()
    form.form.set(steps="x")
    with pytest.raises(NotebookError):
        form.run()
    assert session.is_loaded
    form.form.set(steps=1)

    def fails(_run: FinetuneRun, _show: object) -> None:
        raise DatasetError("the loss became nan")

    monkeypatch.setattr(training_view, "show", fails)
    with pytest.raises(NotebookError):
        form.run()
    assert not session.is_loaded


def test_out_of_memory_stops_the_cell_and_frees_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = []

    def full(run: FinetuneRun) -> Iterator[Any]:
        opened.append(weakref.ref(run.model))
        raise MemoryError
        yield

    monkeypatch.setattr(FinetuneRun, "__iter__", full)
    with pytest.raises(NotebookError, match="out of memory") as caught:
        short().run()

    def too_large(*_: Any) -> None:
        raise MemoryError

    gc.collect()
    assert caught.value is not None  # which a notebook keeps
    assert opened[0]() is None
    monkeypatch.setattr(FinetuneRun, "__init__", too_large)
    with pytest.raises(NotebookError, match="out of memory"):
        short().run()


def test_a_newer_run_on_drive_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drive").mkdir()
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(tmp_path / "drive"))
    save_run("titles", step=4)
    drain(copy_run_to_drive("titles"))
    form = short(run_name="titles", steps=1)
    assert "Google Drive" not in under(form, "run_name")
    form.form.set(restore_from="fresh")
    assert "Google Drive has titles at step 4" in under(form, "run_name")
    shutil.rmtree("checkpoint")
    form.form.set(restore_from="latest")
    assert "Google Drive has titles at step 4" in under(form, "run_name")
    assert "resume it with the form above, or choose another name" in under(form, "run_name")
    form.form.set(run_name="other")
    assert "Google Drive" not in under(form, "run_name")
    form.form.set(run_name="titles", overwrite=True)
    assert "Google Drive" not in under(form, "run_name")


def test_an_existing_run_is_resumed_or_restarted() -> None:
    form = short(steps=2)
    assert "The run run1 exists" not in under(form, "run_name")
    form.run()
    assert "The run run1 exists: 2 steps, from toy, on text.txt." in under(form, "run_name")
    assert "Training resumes it" in under(form, "run_name")
    form.run()
    assert saved_steps() == {4}
    form.form.set(restore_from="fresh")
    assert "starts again from the model" in under(form, "run_name")
    assert "kept in the run's folder" in under(form, "run_name")
    form.run()
    assert saved_steps() == {2, 4}
    form.form.set(overwrite=True)
    assert "are deleted" in under(form, "run_name")
    form.run()
    assert saved_steps() == {2}
    form.form.set(run_name="other")
    assert "The run run1 exists" not in under(form, "run_name")


def test_another_text_gets_a_new_run_and_the_old_run_stays() -> None:
    save_run(dataset="text.txt")
    write_text("My Novel (2).txt", "Another story. " * 40)
    form = FinetuneForm("text.txt", model_name="toy")
    assert form.run_config.run_name == "run1"
    form.picker.form.set(dataset="My Novel (2).txt")
    assert form.run_config.run_name == "my-novel-2"
    note = "run1 was trained on text.txt and stays as it is; my-novel-2 is the run for My Novel (2)"
    assert note in under(form, "run_name")
    form.picker.form.set(dataset="text.txt")
    assert form.run_config.run_name == "run1"
    assert "stays as it is" not in under(form, "run_name")


def test_a_name_that_the_user_types_is_kept() -> None:
    save_run(dataset="text.txt")
    write_text("novel.txt", "Another story. " * 40)
    form = FinetuneForm("novel.txt", model_name="toy")
    assert form.run_config.run_name == "novel"
    form.form.set(run_name="run1")
    assert form.run_config.run_name == "run1"
    assert "Training resumes it on another text, novel.txt" in under(form, "run_name")


def test_after_the_sample_ones_own_text_is_a_new_run() -> None:
    form = short(steps=1)
    form.run()
    write_text("novel.txt", "Another story. " * 40)
    form.picker.form.set(dataset="novel.txt")
    assert form.run().run_name == "novel"
    assert sorted(path.name for path in Path("checkpoint").iterdir()) == ["novel", "run1"]
    assert "The run novel exists" in under(form, "run_name")


def test_a_name_from_a_variable_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    save_run(dataset="other.txt")
    monkeypatch.setenv("GPT2_RUN_NAME", "run1")
    assert FinetuneForm("text.txt").run_config.run_name == "run1"


def test_a_damaged_run_is_reported_below_its_name() -> None:
    form = short(steps=1)
    form.run()
    (Path("checkpoint") / "run1" / "model-1.index").unlink()
    form.form.set(seed=2)
    assert "copy the run's folder again" in under(form, "run_name")
    with pytest.raises(NotebookError) as caught:
        form.run()
    assert isinstance(caught.value.__cause__, CheckpointError)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"steps": "x"}, OptionError),
        ({"model_name": "unheard-of"}, CheckpointError),
        ({"early_stopping_patience": 3}, OptionError),
    ],
)
def test_an_error_stops_the_cell_with_one_line(
    options: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(NotebookError) as caught:
        short(**options).run()
    assert isinstance(caught.value.__cause__, kind)
    assert len(caught.value._render_traceback_()) == 1
    assert not Path("checkpoint").exists()


def test_a_missing_training_text_stops_the_cell() -> None:
    form = FinetuneForm("gone.txt", **SHORT)
    with pytest.raises(NotebookError, match="does not exist") as caught:
        form.run()
    assert isinstance(caught.value.__cause__, DatasetError)


def test_a_missing_model_is_downloaded_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def download_model(name: str, folder: str) -> None:
        asked.append((name, folder))
        write_model("124M")

    monkeypatch.setattr("gpt2_helpers.checkpoint.pretrained.download_model", download_model)
    form = short(model_name="124M", steps=1)
    form.run()
    form.run()
    assert asked == [("124M", "models")]
    record = json.loads((Path("checkpoint") / "run1" / "run.json").read_text("utf-8"))
    assert record["base_model"] == "124M"


def test_another_model_than_that_of_the_run_is_ignored_with_a_note() -> None:
    save_run()
    assert "and ignores tiny" in under(FinetuneForm(model_name="tiny"), "run_name")
    assert "ignores" not in under(FinetuneForm(model_name="toy"), "run_name")
