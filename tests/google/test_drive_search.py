"""Runs on Google Drive in another shape than was asked for."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import Gpt2Error
from gpt2_helpers.google.drive_backup import copy_run_from_drive, copy_run_to_drive
from gpt2_helpers.google.drive_search import archived_runs
from gpt2_helpers.system.files import drain
from toy_runs import save_run

MY_DRIVE = Path("drive/MyDrive")
HERE = RunFolder("checkpoint", "run1")


@pytest.fixture(scope="module")
def saved_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(checkpoint_dir=tmp_path_factory.mktemp("runs")).path


@pytest.fixture(autouse=True)
def my_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    MY_DRIVE.mkdir(parents=True)
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", "drive")


def from_drive(**options: Any) -> list[str]:
    notes: list[str] = []
    drain(copy_run_from_drive("run1", on_message=notes.append, **options))
    assert HERE.require().step == 4
    return notes


def test_a_folder_is_copied_if_there_is_no_archive(saved_run: Path) -> None:
    shutil.copytree(saved_run, MY_DRIVE / "checkpoint/run1")
    assert "checkpoint_run1.tar does not exist: copying the folder" in from_drive()[0]
    assert "does not exist" not in "".join(from_drive(copy_folder=True))


def test_an_archive_is_copied_if_there_is_no_folder(saved_run: Path) -> None:
    drain(copy_run_to_drive("run1", saved_run.parent))
    (note,) = from_drive(copy_folder=True)
    assert note == "drive/MyDrive/checkpoint/run1 contains no run: copying the archive " + str(
        MY_DRIVE / "checkpoint_run1.tar"
    )
    assert archived_runs() == ["run1"]


def packed(name: str, mode: Any = "w:gz", root: str = "checkpoint/run1") -> Callable[[Path], None]:
    def make(run: Path) -> None:
        (MY_DRIVE / name).parent.mkdir(exist_ok=True)
        with tarfile.open(MY_DRIVE / name, mode) as tar:
            tar.add(run, root)

    return make


def zipped(run: Path) -> None:
    shutil.make_archive(str(MY_DRIVE / "run1"), "zip", run)


def copied(place: str) -> Callable[[Path], None]:
    def make(run: Path) -> None:
        shutil.copytree(run, MY_DRIVE / place, dirs_exist_ok=True)

    return make


@pytest.mark.parametrize("copy_folder", [False, True])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (packed("checkpoint_run1.tar.gz"), "checkpoint_run1.tar.gz may be it: unpack it (tar xf"),
        (packed("run1.tgz"), "run1.tgz may be it: unpack it (tar xf 'drive/MyDrive/run1.tgz'), so"),
        (packed("checkpoint/run1.tar", "w"), "checkpoint/run1.tar may be it: unpack it"),
        (zipped, "run1.zip may be it: unpack it (unzip 'drive/MyDrive/run1.zip')"),
        (copied("checkpoint/run1/run1"), "there is one in drive/MyDrive/checkpoint/run1/run1: mov"),
        (copied("checkpoint/run1/checkpoint/run1"), "checkpoint/run1/checkpoint/run1: move it to"),
        (copied("run1"), "there is one in drive/MyDrive/run1: move it to drive/MyDrive/checkpoint"),
        (copied("."), "there is one in drive/MyDrive: move it to drive/MyDrive/checkpoint/run1"),
        (copied("checkpoint"), "there is one in drive/MyDrive/checkpoint: move it to"),
    ],
)
def test_other_shapes_are_named_with_what_to_do(
    saved_run: Path, make: Callable[[Path], None], message: str, copy_folder: bool
) -> None:
    make(saved_run)
    with pytest.raises(Gpt2Error) as caught:
        from_drive(copy_folder=copy_folder)
    assert message in str(caught.value)
    assert "no runs yet" not in str(caught.value)
    assert not os.path.exists("checkpoint")


@pytest.mark.parametrize(
    ("mode", "program"), [("w:gz", "gzip"), ("w:bz2", "bzip2"), ("w:xz", "xz")]
)
def test_a_compressed_archive_with_the_suffix_of_a_tar(
    saved_run: Path, mode: str, program: str
) -> None:
    packed("checkpoint_run1.tar", mode)(saved_run)
    with pytest.raises(Gpt2Error, match=f"it is compressed with {program}: unpack it") as caught:
        from_drive()
    assert "copy it again" not in str(caught.value)


def test_an_archive_with_another_root_says_how_to_unpack_it(saved_run: Path) -> None:
    packed("checkpoint_run1.tar", "w", root="run1")(saved_run)
    with pytest.raises(Gpt2Error, match="if you made the archive, unpack it there yourself"):
        from_drive()
