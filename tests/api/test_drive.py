"""The public functions for Google Drive: messages and copied files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import DriveError
from toy_runs import save_run

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_colab: Path) -> Path:
    """Google's side of Drive, which is not mounted yet."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return fake_colab


def test_a_run_is_restored_in_another_session(
    google: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("FAKE_COLAB_SLOW", "1")
    save_run("titles")
    gpt2.mount_gdrive()
    assert gpt2.is_mounted()
    gpt2.copy_checkpoint_to_gdrive("titles")
    shown = capsys.readouterr()
    assert shown.out.endswith("copied; finish_upload() waits until the upload is complete\n")
    assert re.search(r"titles to Google Drive: 100%.*\d+\.?\dk?/\d+\.?\dk?", shown.err)
    gpt2.finish_upload()
    assert "upload complete; Google Drive was unmounted" in capsys.readouterr().out
    assert not gpt2.is_mounted()
    assert sorted(path.name for path in google.iterdir()) == [
        "checkpoint_titles.tar",
        "checkpoint_titles.tar.sha256",
    ]

    shutil.rmtree("checkpoint")
    shutil.rmtree(tmp_path / "content")
    gpt2.mount_gdrive()
    gpt2.copy_checkpoint_from_gdrive("titles")
    assert RunFolder("checkpoint", "titles").read().step == 4
    assert re.search("titles from Google Drive: 100%", capsys.readouterr().err)


def test_as_a_folder_and_with_another_checkpoint_dir(google: Path) -> None:
    save_run(checkpoint_dir="runs")
    gpt2.mount_gdrive()
    gpt2.copy_checkpoint_to_gdrive("run1", True, checkpoint_dir="runs", weights_only=True)
    assert (google / "checkpoint" / "run1" / "model-4.index").is_file()
    gpt2.copy_checkpoint_from_gdrive("run1", True, checkpoint_dir="elsewhere")
    assert RunFolder("elsewhere", "run1").read().step == 4


def test_files_are_copied_to_drive_and_back(google: Path, capsys: Captured) -> None:
    gpt2.mount_gdrive()
    Path("texts.txt").write_text("texts")
    gpt2.copy_file_to_gdrive("texts.txt")
    assert (google / "texts.txt").read_text() == "texts"
    Path("texts.txt").write_text("more texts")
    gpt2.copy_file_from_gdrive("texts.txt")
    assert Path("texts.txt").read_text() == "texts"
    assert "kept as texts.txt.before" in capsys.readouterr().out


def test_messages_are_printed(capsys: Captured) -> None:
    save_run()
    gpt2.mount_gdrive()
    gpt2.copy_checkpoint_to_gdrive()
    gpt2.copy_checkpoint_from_gdrive()
    kept = "the previous run1 is kept as checkpoint/run1.before"
    assert kept in capsys.readouterr().out


def test_without_a_mounted_drive(capsys: Captured) -> None:
    save_run()
    calls: list[Callable[[], None]] = [
        gpt2.copy_checkpoint_to_gdrive,
        gpt2.copy_checkpoint_from_gdrive,
        lambda: gpt2.copy_file_to_gdrive("texts.txt"),
        lambda: gpt2.copy_file_from_gdrive("texts.txt"),
    ]
    for call in calls:
        with pytest.raises(DriveError, match=r"call mount_gdrive\(\) and grant"):
            call()
    gpt2.finish_upload()
    assert "Google Drive is not mounted" in capsys.readouterr().out


def test_a_broken_mount_is_remounted(tmp_path: Path) -> None:
    gpt2.mount_gdrive()
    link = tmp_path / "content" / "drive" / "MyDrive"
    link.unlink()
    link.symlink_to("nowhere")
    assert not gpt2.is_mounted()
    gpt2.mount_gdrive(force_remount=True)
    assert gpt2.is_mounted()
