"""The Drive form: mounts only on request, saves runs and files, shows local paths otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from gpt2_helpers.forms.drive import DriveForm
from gpt2_helpers.forms.widgets import html
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.google import drive
from gpt2_helpers.session import Session
from toy_runs import save_run, train, write_model, write_text
from widget_texts import button, words


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The displayed widgets, in an empty folder."""
    shown: list[Any] = []
    monkeypatch.setattr(html, "display", shown.append)
    for name in ("GPT2_USE_DRIVE", "GPT2_WEIGHTS_ONLY", "GPT2_DRIVE_MOUNT", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return shown


def test_an_unchecked_box_does_not_mount_drive(page: list[Any], fake_colab: Path) -> None:
    form = DriveForm()
    assert not form.config.use_drive
    form.run()
    assert words(page[-1]).strip() == "Google Drive is not used."
    assert not drive.is_mounted()


def test_a_checked_box_mounts_drive_and_saves_to_it(page: list[Any], fake_colab: Path) -> None:
    form = DriveForm(use_drive=True)
    form.run()
    assert "Google Drive is mounted" in words(page[-1])
    assert drive.is_mounted()
    save_run(step=4)
    Path("titles.txt").write_text("Why?\n", encoding="utf-8")
    form.save("run1", files=["titles.txt"])
    assert (
        "Saved in Google Drive: checkpoint_run1.tar, titles.txt. Drive is now unmounted"
        in words(page[-1])
    )
    assert {"checkpoint_run1.tar", "titles.txt"} <= {path.name for path in fake_colab.iterdir()}
    assert not drive.is_mounted()


def test_drive_is_mounted_again_for_another_save(page: list[Any], fake_colab: Path) -> None:
    form = DriveForm(use_drive=True)
    save_run(step=4)
    form.save("run1")
    form.save("run1")
    assert (fake_colab / "checkpoint_run1.before.tar").is_file()


def test_weights_only_saves_a_smaller_archive(page: list[Any], fake_colab: Path) -> None:
    tf.config.run_functions_eagerly(True)
    write_model()
    train(write_text(), steps=1, optimizer="adam")
    tf.config.run_functions_eagerly(False)
    sizes = []
    for weights_only in (False, True):
        DriveForm(use_drive=True, weights_only=weights_only).save("run1")
        sizes.append((fake_colab / "checkpoint_run1.tar").stat().st_size)
    assert sizes[1] < sizes[0] / 2


def test_without_drive_the_local_paths_are_shown(page: list[Any]) -> None:
    DriveForm().save("run1", files=["titles.txt"])
    shown = words(page[-2])
    assert str(Path("checkpoint", "run1").resolve()) in shown
    assert str(Path("titles.txt").resolve()) in shown
    assert button(page[-1], "Download run1 (one file)")


def test_drive_outside_colab_is_an_error(page: list[Any]) -> None:
    with pytest.raises(NotebookError, match="only in Colab.*set GPT2_DRIVE_MOUNT"):
        DriveForm(use_drive=True).run()


def test_a_mounted_drive_is_used_by_default(
    page: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my files").mkdir()
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(tmp_path / "my files"))
    form = DriveForm()
    assert form.config.use_drive
    save_run(step=4)
    form.save("run1")
    assert (tmp_path / "my files" / "checkpoint_run1.tar").is_file()
    assert "unmounted" not in words(page[-1])


def test_a_missing_run_is_an_error(page: list[Any], fake_colab: Path) -> None:
    with pytest.raises(NotebookError, match="no run 'run9'"):
        DriveForm(use_drive=True).save("run9")


def test_a_session_knows_the_folder_of_its_run(page: list[Any], fake_colab: Path) -> None:
    save_run("mine", step=4, checkpoint_dir="elsewhere")
    session = Session()
    session.load_run("mine", "elsewhere")
    DriveForm(use_drive=True).save(session)
    assert (fake_colab / "checkpoint_mine.tar").is_file()
    DriveForm(use_drive=False).save(session)
    assert str(Path("elsewhere", "mine").resolve()) in words(page[-2])
    session.close()
    with pytest.raises(NotebookError, match="the session has no finetuned run to save"):
        DriveForm(use_drive=False).save(session)


def test_files_that_are_none_are_skipped(page: list[Any], fake_colab: Path) -> None:
    save_run(step=4)
    form = DriveForm(use_drive=True)
    form.save("run1", files=[None])
    assert "Saved in Google Drive: checkpoint_run1.tar." in words(page[-1])
    form.save(files=[None])
    assert words(page[-1]).strip() == "Nothing to save."
