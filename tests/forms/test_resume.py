"""The resume form: finds the newest run, here or on Drive, and restores its options."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.forms.finetune import FinetuneForm
from gpt2_helpers.forms.resume import ResumeForm
from gpt2_helpers.forms.widgets import html
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.google import drive
from gpt2_helpers.google.drive_backup import copy_run_to_drive
from gpt2_helpers.system.files import drain
from toy_runs import save_run, train, write_model, write_text
from widget_texts import words


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The displayed widgets, in an empty folder."""
    shown: list[Any] = []
    monkeypatch.setattr(html, "display", shown.append)
    for name in ("MODEL_NAME", "RUN_NAME", "STEPS", "DATASET", "DRIVE_MOUNT"):
        monkeypatch.delenv(f"GPT2_{name}", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    tf.config.run_functions_eagerly(True)
    yield shown
    tf.config.run_functions_eagerly(False)


def test_without_runs_there_is_nothing_to_do(page: list[Any]) -> None:
    form = ResumeForm()
    assert "No runs found" in words(form.widget)
    form.run()
    assert form.chosen is None
    assert form.defaults == {}


def test_the_newest_run_is_resumed_with_its_options(page: list[Any]) -> None:
    write_model()
    train(write_text("mine.txt"), run_name="mine", steps=2, batch_size=3)
    form = ResumeForm()
    assert form.chosen is not None
    form.run()
    assert (
        form.defaults.items()
        >= {
            "dataset": Path("mine.txt"),
            "run_name": "mine",
            "restore_from": "latest",
            "model_name": "toy",
            "batch_size": 3,
            "learning_rate": 0.1,
        }.items()
    )
    assert "steps" not in form.defaults
    form_of_run = FinetuneForm(**form.defaults)
    assert form_of_run.run_config.run_name == "mine"
    assert form_of_run.finetune_config.batch_size == 3
    assert Path(form_of_run.picker.path()) == Path("mine.txt")


def test_a_run_on_drive_is_copied_with_its_dataset(page: list[Any], fake_colab: Path) -> None:
    drive.mount()
    write_model()
    train(write_text("mine.txt"), run_name="mine", steps=2)
    drain(copy_run_to_drive("mine"))
    drain(drive.copy_file_to_drive("mine.txt"))
    before = Path("mine.txt").read_bytes()
    shutil.rmtree("checkpoint")
    Path("mine.txt").unlink()

    form = ResumeForm()
    assert "on Google Drive" in form._list.label
    form.run()
    assert RunFolder("checkpoint", "mine").read().step == 2
    assert form.defaults["dataset"] == Path("mine.txt")
    assert Path("mine.txt").read_bytes() == before
    assert "resuming mine from Google Drive, step 2" in words(page[-1])


def test_a_missing_dataset_is_requested(page: list[Any]) -> None:
    write_model()
    train(write_text("mine.txt"), steps=1)
    Path("mine.txt").unlink()
    form = ResumeForm()
    form.run()
    assert "dataset" not in form.defaults
    assert "The training text mine.txt is missing: upload it" in words(page[-1])


@pytest.mark.usefixtures("fake_colab")
@pytest.mark.parametrize("dataset", ["x" * 5000, "a\0b", "../" * 2000])
def test_a_recorded_dataset_that_no_file_can_have_is_requested(
    page: list[Any], dataset: str
) -> None:
    drive.mount()
    save_run(dataset=dataset)
    form = ResumeForm()
    form.run()
    assert "dataset" not in form.defaults
    assert "is missing: upload it" in words(page[-1])


def test_a_gpt_2_simple_run_has_no_recorded_dataset(page: list[Any]) -> None:
    save_run(step=4)
    (Path("checkpoint") / "run1" / "run.json").unlink()
    form = ResumeForm()
    form.run()
    assert "The run does not record its training text" in words(page[-1])
    assert form.defaults == {"run_name": "run1", "restore_from": "latest"}


def test_a_new_run_can_be_chosen(page: list[Any]) -> None:
    save_run(step=4)
    form = ResumeForm()
    form.choose(None)
    form.run()
    assert "A new run will be started" in words(page[-1])
    assert form.defaults == {}
    form.choose("run1")
    with pytest.raises(Gpt2Error, match="no run 'run9'"):
        form.choose("run9")


def test_a_run_that_was_deleted_is_an_error(page: list[Any], fake_colab: Path) -> None:
    drive.mount()
    save_run(step=4)
    drain(copy_run_to_drive())
    shutil.rmtree("checkpoint")
    form = ResumeForm()
    (fake_colab / "checkpoint_run1.tar").unlink()
    with pytest.raises(NotebookError, match="no run 'run1' on Google Drive"):
        form.run()


def test_a_table_is_resumed_with_its_column(page: list[Any]) -> None:
    write_model()
    rows = "Why is it?,a much longer text that is next to the title\n" * 20
    write_text("posts.csv", f"title,body\n{rows}")
    train("posts.csv", run_name="posts", column="title", steps=1)
    form = ResumeForm()
    form.run()
    form_of_run = FinetuneForm(**form.defaults)
    assert form_of_run.picker.column == "title"
    assert form_of_run.data_config.column == "title"


def test_warnings_about_drive_are_shown(
    page: list[Any], fake_colab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def saved_runs(_place: Path, on_message: Any) -> list[Any]:
        on_message("Warning: Drive is asleep")
        return []

    monkeypatch.setattr("gpt2_helpers.google.drive_backup.saved_runs", saved_runs)
    assert "Drive is asleep" in words(ResumeForm().widget)


def test_a_given_run_name_is_selected_or_a_new_run(page: list[Any]) -> None:
    save_run(step=4)
    assert ResumeForm().chosen is not None
    assert ResumeForm("titles").chosen is None
    save_run("titles", step=2)
    save_run(step=6)
    chosen = ResumeForm("titles").chosen
    assert chosen is not None
    assert (chosen.name, chosen.step) == ("titles", 2)
