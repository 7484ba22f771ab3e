"""Google Drive in a notebook: asked only where it is wished, kept whole, and told where not."""

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
from widget_texts import words


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What cells displayed, in an empty folder."""
    shown: list[Any] = []
    monkeypatch.setattr(html, "display", shown.append)
    for name in ("GPT2_USE_DRIVE", "GPT2_WEIGHTS_ONLY", "GPT2_DRIVE_MOUNT", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return shown


def test_without_the_wish_nothing_is_asked(page: list[Any], colaboratory: Path) -> None:
    form = DriveForm()
    assert not form.config.use_drive
    form.run()
    assert words(page[-1]).strip() == "Google Drive is not used."
    assert not drive.is_mounted()


def test_with_the_wish_it_is_opened_and_filled(page: list[Any], colaboratory: Path) -> None:
    form = DriveForm(use_drive=True)
    form.run()
    assert "Google Drive is open" in words(page[-1])
    assert drive.is_mounted()
    save_run(step=4)
    Path("titles.txt").write_text("Why?\n", encoding="utf-8")
    form.save("run1", files=["titles.txt"])
    assert "Google Drive has checkpoint_run1.tar and titles.txt. It is closed now" in words(
        page[-1]
    )
    assert {"checkpoint_run1.tar", "titles.txt"} <= {path.name for path in colaboratory.iterdir()}
    assert not drive.is_mounted()


def test_it_is_opened_again_to_keep_something_later(page: list[Any], colaboratory: Path) -> None:
    form = DriveForm(use_drive=True)
    save_run(step=4)
    form.save("run1")
    form.save("run1")
    assert (colaboratory / "checkpoint_run1.before.tar").is_file()


def test_weights_only_is_smaller(page: list[Any], colaboratory: Path) -> None:
    tf.config.run_functions_eagerly(True)
    write_model()
    train(write_text(), steps=1, optimizer="adam")
    tf.config.run_functions_eagerly(False)
    sizes = []
    for weights_only in (False, True):
        DriveForm(use_drive=True, weights_only=weights_only).save("run1")
        sizes.append((colaboratory / "checkpoint_run1.tar").stat().st_size)
    assert sizes[1] < sizes[0] / 2


def test_without_drive_it_says_where_things_are(page: list[Any]) -> None:
    DriveForm().save("run1", files=["titles.txt"])
    told = words(page[-1])
    assert str(Path("checkpoint", "run1").resolve()) in told
    assert str(Path("titles.txt").resolve()) in told


def test_elsewhere_the_wish_is_refused_in_a_sentence(page: list[Any]) -> None:
    with pytest.raises(NotebookError, match="only in Colaboratory.*set GPT2_DRIVE_MOUNT"):
        DriveForm(use_drive=True).run()


def test_what_is_mounted_already_is_used_by_itself(
    page: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my files").mkdir()
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(tmp_path / "my files"))
    form = DriveForm()
    assert form.config.use_drive
    save_run(step=4)
    form.save("run1")
    assert (tmp_path / "my files" / "checkpoint_run1.tar").is_file()
    assert "closed" not in words(page[-1])


def test_a_run_that_is_not_there_is_refused_in_a_sentence(
    page: list[Any], colaboratory: Path
) -> None:
    with pytest.raises(NotebookError, match="no run 'run9'"):
        DriveForm(use_drive=True).save("run9")


def test_a_session_says_itself_where_its_run_is(page: list[Any], colaboratory: Path) -> None:
    save_run("mine", step=4, checkpoint_dir="elsewhere")
    session = Session()
    session.load_run("mine", "elsewhere")
    DriveForm(use_drive=True).save(session)
    assert (colaboratory / "checkpoint_mine.tar").is_file()
    DriveForm(use_drive=False).save(session)
    assert str(Path("elsewhere", "mine").resolve()) in words(page[-1])
    session.close()
    with pytest.raises(NotebookError, match="the session holds no finetuned run to keep"):
        DriveForm(use_drive=False).save(session)


def test_a_file_that_was_never_written_is_passed_over(page: list[Any], colaboratory: Path) -> None:
    save_run(step=4)
    form = DriveForm(use_drive=True)
    form.save("run1", files=[None])
    assert "Google Drive has checkpoint_run1.tar." in words(page[-1])
    form.save(files=[None])
    assert words(page[-1]).strip() == "There is nothing to keep."
