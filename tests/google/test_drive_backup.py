"""Runs on Google Drive: copying, listing, and backups that survive a disconnect."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.errors import CheckpointError, DriveError
from gpt2_helpers.google import archive_checks, drive, drive_backup
from gpt2_helpers.google.drive_backup import (
    DriveBackup,
    SavedRun,
    copy_run_from_drive,
    copy_run_to_drive,
    fetch_saved_run,
    saved_runs,
)
from gpt2_helpers.system.files import drain, sha256_path
from gpt2_helpers.training.callbacks import Backup
from paths import FAKES, GOLDEN, ROOT, SUPPORT
from toy_runs import (
    assert_same,
    open_run,
    save_run,
    train,
    weights_of,
    write_model,
    write_text,
)

HERE = RunFolder("checkpoint", "run1")


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    tf.config.run_functions_eagerly(True)  # compiling takes longer than a few steps
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def google(_workplace: None, fake_colab: Path) -> Path:
    """The contents of the mounted Drive."""
    drive.mount()
    return fake_colab


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def to_drive(*given: Any, **options: Any) -> Path:
    return drain(copy_run_to_drive(*given, **options))


def from_drive(*given: Any, **options: Any) -> list[str]:
    """Copy a run from Drive; returns the messages."""
    notes: list[str] = []
    assert drain(copy_run_from_drive(*given, on_message=notes.append, **options)).is_dir()
    return notes


def saved_at(folder: RunFolder, time: int) -> None:
    newest = folder.require().checkpoint
    os.utime(f"{newest}.index", (time, time))


# --- There and back


@pytest.mark.parametrize("copy_folder", [False, True])
def test_a_round_trip_restores_the_run(google: Path, copy_folder: bool) -> None:
    save_run("titles", checkpoint_dir="runs")
    before = files_of(Path("runs/titles"))
    path = to_drive("titles", "runs", copy_folder=copy_folder)
    place = google / ("checkpoint/titles" if copy_folder else "checkpoint_titles.tar")
    assert path.resolve() == place
    assert sha256_path(place).is_file() or (place / "SHA256SUMS").is_file()
    shutil.rmtree("runs")
    assert from_drive("titles", "elsewhere", copy_folder=copy_folder) == []
    assert files_of(Path("elsewhere/titles")) == before


@pytest.mark.parametrize("copy_folder", [False, True])
def test_progress_reaches_the_total(google: Path, copy_folder: bool) -> None:
    save_run()
    for moving in (
        copy_run_to_drive(copy_folder=copy_folder),
        copy_run_from_drive(copy_folder=copy_folder),
    ):
        moved = list(moving)
        assert len({m.total for m in moved}) == 1
        assert [m.done for m in moved] == sorted(m.done for m in moved)
        assert moved[-1].done == moved[-1].total > 10_000


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("copy_folder", [False, True])
def test_weights_only_leaves_out_the_training_state(copy_folder: bool) -> None:
    save_run()
    to_drive(weights_only=True, copy_folder=copy_folder)
    shutil.rmtree("checkpoint")
    from_drive(copy_folder=copy_folder)
    assert HERE.read().step == 4
    assert HERE.read().optimizer_state() is None
    assert not list(HERE.path.glob("events*"))


@pytest.mark.parametrize("copy_folder", [False, True])
def test_a_missing_run(google: Path, copy_folder: bool) -> None:
    with pytest.raises(CheckpointError, match="no run 'run1' in checkpoint"):
        to_drive(copy_folder=copy_folder)
    with pytest.raises(
        DriveError, match=r"no run 'run1' on Google Drive .*: there are no runs yet"
    ):
        from_drive(copy_folder=copy_folder)
    for name in ("titles", "titles", "stories"):
        save_run(name)
        to_drive(name, copy_folder=copy_folder)
    with pytest.raises(
        DriveError, match=r"\(did you mean 'titles'\?\): existing runs are .*stories"
    ):
        from_drive("title", copy_folder=copy_folder)


@pytest.mark.parametrize("copy_folder", [False, True])
def test_drive_is_not_mounted(fake_colab: Path, copy_folder: bool) -> None:
    save_run()
    for copy in (copy_run_to_drive, copy_run_from_drive):
        with pytest.raises(DriveError, match=r"not mounted: call mount_gdrive\(\)"):
            list(copy(copy_folder=copy_folder))


@pytest.mark.parametrize("copy_folder", [False, True])
def test_a_full_drive_keeps_the_existing_copy(
    fake_colab: Path, monkeypatch: pytest.MonkeyPatch, copy_folder: bool
) -> None:
    size = sum(path.stat().st_size for path in save_run(step=4).path.iterdir())
    monkeypatch.setenv("FAKE_COLAB_QUOTA", str(size * 2))
    drive.mount()
    path = to_drive(copy_folder=copy_folder)
    before = files_of(path if copy_folder else fake_colab)
    save_run(step=6)
    monkeypatch.setenv("FAKE_COLAB_QUOTA", str(size // 2))
    with pytest.raises(DriveError, match=r"errno 5\): Google Drive is full .* are unchanged"):
        to_drive(copy_folder=copy_folder)
    assert files_of(path if copy_folder else fake_colab) == before
    assert not list(fake_colab.rglob("*.part*"))


def test_the_oldest_archive_is_deleted_to_free_space(
    google: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (2, 4):
        save_run(step=step)
        to_drive()
    save_run(step=6)
    older = google / "checkpoint_run1.before.tar"
    with monkeypatch.context() as patch:
        usage = lambda place: SimpleNamespace(free=(100 << 20) if older.exists() else 10**9)  # noqa: E731
        patch.setattr(shutil, "disk_usage", usage)
        to_drive()
    assert [run.step for run in saved_runs("none")] == [6]
    (google / "checkpoint_run1.tar").write_bytes(b"")
    from_drive()
    assert HERE.read().step == 4


def test_no_archive_is_deleted_if_that_frees_too_little(
    google: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (2, 4):
        save_run(step=step)
        to_drive()
    before = files_of(google)
    save_run(step=6)
    size = (google / "checkpoint_run1.tar").stat().st_size
    missing = SimpleNamespace(free=(100 << 20) - size)  # less than the margin
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda place: missing)
        with pytest.raises(DriveError, match="has 0 KB free"):
            to_drive()
    assert files_of(google) == before


def test_a_damaged_archive_is_deleted_first(google: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (2, 4):
        save_run(step=step)
        to_drive()
    archive = google / "checkpoint_run1.tar"
    os.truncate(archive, archive.stat().st_size - 2_000)
    save_run(step=6)
    with monkeypatch.context() as patch:
        room = (100 << 20) + 5_000
        usage = lambda place: SimpleNamespace(free=room if archive.exists() else 10**9)  # noqa: E731
        patch.setattr(shutil, "disk_usage", usage)
        to_drive()
    os.truncate(archive, 5_000)
    assert summaries(saved_runs("none")) == [("run1", 2, "Drive")]


def test_the_previous_archive_replaces_a_damaged_one(google: Path) -> None:
    for step in (2, 4):
        save_run(step=step)
        to_drive()
    shutil.rmtree("checkpoint")
    archive = google / "checkpoint_run1.tar"
    whole = archive.read_bytes()

    archive.write_bytes(whole[: len(whole) // 2])
    (note,) = from_drive()
    assert "is truncated" in note
    assert note.endswith("; the previous archive is used")
    assert HERE.read().step == 2

    archive.write_bytes(whole[:3000] + b"?" + whole[3001:])
    assert "is damaged" in from_drive()[0]
    assert HERE.read().step == 2

    archive.unlink()  # killed between two renamings
    (note,) = from_drive()[:1]
    assert note == "Warning: checkpoint_run1.tar is missing; the previous archive is used"
    assert HERE.read().step == 2

    archive.write_bytes(whole)
    from_drive()
    assert HERE.read().step == 4

    for path in google.glob("*.tar"):
        path.write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=r"before\.tar is truncated: it has 0 of [\d,]+ bytes"
    ):
        from_drive()
    assert HERE.read().step == 4


@pytest.mark.parametrize("name", ["model-4.data-00000-of-00001", "run.json"])
@pytest.mark.parametrize("damage", ["empty", "missing"])
def test_a_damaged_folder_on_drive(google: Path, name: str, damage: str) -> None:
    save_run(step=4)
    path = to_drive(copy_folder=True)
    (path / name).unlink()
    if damage == "empty":
        (path / name).touch()
    mine = files_of(save_run(step=6).path)
    with pytest.raises((CheckpointError, DriveError)):
        from_drive(copy_folder=True)
    assert files_of(HERE.path) == mine


@pytest.mark.parametrize("trained_by", ["this package", "another program"])
def test_a_folder_that_was_trained_on_drive(google: Path, trained_by: str) -> None:
    save_run(step=4)
    path = to_drive(copy_folder=True)
    if trained_by == "this package":
        save_run(step=4, checkpoint_dir=path.parent, dataset="another")
    else:
        save_run(step=6)
        for file in HERE.path.iterdir():
            shutil.copy(file, path)
    shutil.rmtree("checkpoint", ignore_errors=True)
    (note,) = from_drive(copy_folder=True)
    assert "has no SHA256SUMS for its newest step" in note
    assert HERE.read().step == (4 if trained_by == "this package" else 6)


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("copy_folder", [False, True])
def test_a_run_in_a_nested_folder(copy_folder: bool) -> None:
    save_run("a/b")
    with pytest.raises(DriveError, match="run_name must be a plain folder name, got 'a/b'"):
        to_drive("a/b", copy_folder=copy_folder)


def test_a_folder_copied_by_gpt_2_simple(google: Path) -> None:
    golden = GOLDEN / "gpt_2_simple_run"
    shutil.copytree(golden, google / "checkpoint" / "run1")
    (note,) = from_drive(copy_folder=True)
    assert "has no SHA256SUMS" in note
    assert HERE.read().step == 20


# --- Finding a run again


def summaries(runs: list[SavedRun]) -> list[tuple[str, int, str]]:
    return [(run.name, run.step, run.location) for run in runs]


def test_runs_are_listed_newest_first(google: Path) -> None:
    assert saved_runs() == []
    for time, name in enumerate(("one", "two", "three", "four"), 1):
        saved_at(save_run(name, step=10 - time), 1_600_000_000 + time)
    to_drive("one")
    to_drive("four")
    to_drive("two", copy_folder=True)
    for name in ("four", "two"):
        shutil.rmtree(Path("checkpoint", name))
    (google / "checkpoint_broken.tar").write_bytes(b"half")
    assert summaries(saved_runs()) == [
        ("four", 6, "Drive"),
        ("three", 7, "local"),
        ("two", 8, "Drive"),
        ("one", 9, "local"),
        ("one", 9, "Drive"),
    ]
    newest = saved_runs()[0]
    assert newest.when == datetime.fromtimestamp(1_600_000_004).astimezone()
    assert newest.path == drive.my_drive() / "checkpoint_four.tar"
    drive.finish_upload()
    assert summaries(saved_runs()) == [("three", 7, "local"), ("one", 9, "local")]


def test_an_unreadable_archive_does_not_hide_other_runs(
    google: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        save_run(name)
        to_drive(name)
    whole = archive_checks.read_contents

    def unreadable(archive: Path) -> archive_checks.ArchiveContents:
        if archive.name == "checkpoint_one.tar":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(archive))
        return whole(archive)

    monkeypatch.setattr(archive_checks, "read_contents", unreadable)
    notes: list[str] = []
    found = summaries(saved_runs(on_message=notes.append))
    assert sorted(found) == [("one", 4, "local"), ("two", 4, "Drive"), ("two", 4, "local")]
    assert notes == [
        "reading checkpoint_one.tar on Google Drive failed (Input/output error, "
        "errno 5): Google Drive is not available: try again later"
    ]
    with pytest.raises(DriveError, match="reading checkpoint_one.tar on Google Drive failed"):
        backup(RunFolder("checkpoint", "one"), [])


@pytest.mark.usefixtures("google")
def test_a_drive_that_stopped_responding_does_not_hide_local_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_run()
    to_drive()

    def gone(*_: Any) -> list[str]:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    monkeypatch.setattr(drive_backup, "archived_runs", gone)
    notes: list[str] = []
    assert summaries(saved_runs(on_message=notes.append)) == [("run1", 4, "local")]
    assert notes[0].endswith("stopped responding: call mount_gdrive(force_remount=True)")


def test_previous_versions_of_runs_are_not_listed() -> None:
    save_run("run1.before")
    save_run("run1")
    assert summaries(saved_runs()) == [("run1", 4, "local")]


def test_names_that_no_run_can_have_do_not_hide_other_runs(google: Path) -> None:
    save_run("run1")
    shutil.copytree("checkpoint/run1", f"checkpoint/{'x' * 220}")
    to_drive()
    archive = google / "checkpoint_run1.tar"
    shutil.copy(archive, google / f"checkpoint_{'y' * 220}.tar")
    found = summaries(saved_runs())
    assert sorted(found) == [("run1", 4, "Drive"), ("run1", 4, "local")]


def test_runs_in_a_synchronized_folder_are_listed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_run()
    monkeypatch.setenv("GPT2_DRIVE_MOUNT", ".")
    assert summaries(saved_runs()) == [("run1", 4, "local")]


def brought(saved: SavedRun) -> list[str]:
    notes: list[str] = []
    assert drain(fetch_saved_run(saved, on_message=notes.append)) == HERE.path
    return notes


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("copy_folder", [False, True])
def test_after_a_disconnect_the_run_is_copied_once(copy_folder: bool) -> None:
    save_run()
    to_drive(copy_folder=copy_folder)
    assert brought(saved_runs()[0]) == ["resuming the local run1, step 4"]
    (on_drive,) = (run for run in saved_runs() if run.location == "Drive")
    assert brought(on_drive) == ["resuming the local run1, step 4"]
    shutil.rmtree("checkpoint")
    assert brought(saved_runs()[0]) == ["resuming run1 from Google Drive, step 4"]
    assert brought(saved_runs()[0]) == ["resuming the local run1, step 4"]
    assert brought(on_drive) == ["resuming the local run1, step 4"]
    assert os.listdir("checkpoint") == ["run1"]


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize(
    ("there", "here", "taken"),
    [
        ((8, 100), (4, 200), 8),  # further
        ((4, 200), (8, 100), 4),  # newer: another training of the same name
        ((4, 100), (8, 200), 8),
    ],
)
def test_a_run_is_copied_if_it_is_newer_or_has_more_steps(
    there: tuple[int, int], here: tuple[int, int], taken: int
) -> None:
    saved_at(save_run(step=there[0]), there[1])
    to_drive()
    shutil.rmtree("checkpoint")
    (on_drive,) = saved_runs()
    saved_at(save_run(step=here[0]), here[1])
    brought(on_drive)
    assert HERE.read().step == taken
    kept = RunFolder("checkpoint", "run1.before")
    assert kept.read().step == (here[0] if taken == there[0] else 0)


# --- While a run trains


def backup(folder: RunFolder, notes: list[str], **changes: Any) -> DriveBackup:
    options: dict[str, Any] = {"step": 0, "size": 1000, "overwrite": False, **changes}
    return DriveBackup(folder, on_message=notes.append, **options)


@pytest.mark.usefixtures("fake_colab")
def test_an_unmounted_drive_is_reported_before_training() -> None:
    with pytest.raises(DriveError, match=r"mount_gdrive\(\)"):
        backup(HERE, [])


def test_too_little_space_is_reported_before_training(
    google: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=(100 << 20) + 50_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    backup(HERE, [], size=25_000)
    with pytest.raises(DriveError, match=r"backing up run1 needs \d+ KB on Google Drive, which"):
        backup(HERE, [], size=30_000)
    # Existing archives count, because they will be replaced.
    (google / "checkpoint_run1.tar").write_bytes(bytes(10_000))
    backup(HERE, [], size=30_000)


@pytest.mark.usefixtures("google")
def test_more_steps_on_drive_are_not_overwritten() -> None:
    save_run(step=50)
    to_drive()
    with pytest.raises(DriveError) as caught:
        backup(HERE, [], step=20)
    assert str(caught.value) == (
        "Google Drive has run1 at step 50, but training starts at step 20: "
        "resume with copy_checkpoint_from_gdrive('run1'), keep both with another run_name, or "
        "replace it with overwrite=True"
    )
    backup(HERE, [], step=50)
    backup(HERE, [], step=0, overwrite=True)


@pytest.mark.usefixtures("google")
def test_each_checkpoint_is_copied_once() -> None:
    notes: list[str] = []
    copy = backup(HERE, notes)
    for step in (2, 2, 4):
        copy(save_run(step=step))
    assert [note.split(":")[0] for note in notes] == [
        "copied step 2 to Google Drive",
        "copied step 4 to Google Drive",
    ]


def test_a_failed_backup_is_reported_and_retried(
    google: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model()
    write_text()
    run = open_run(steps=6, save_every=2)
    run.callbacks.append(Backup(backup(run.folder, run.notes)))
    seen, place = [], os.environ["GPT2_DRIVE_MOUNT"]
    for progress in run:
        seen.append((progress.step, run.notes[-1].partition(":")[0]))
        if progress.step == 3:
            monkeypatch.setenv("GPT2_DRIVE_MOUNT", str(google / "nowhere"))
        if progress.step == 6:
            monkeypatch.setenv("GPT2_DRIVE_MOUNT", place)
    assert seen[1] == (2, "copied step 2 to Google Drive")
    assert seen[3] == (4, "Warning")
    assert "step 4 was not copied to Google Drive; will retry at the next checkpoint: " in " ".join(
        run.notes
    )
    # The last save brought nothing new, but what failed was tried again.
    assert run.notes[-1].startswith("copied step 6 to Google Drive")
    assert summaries(saved_runs("none")) == [("run1", 6, "Drive")]


def test_a_missing_backup_is_made_before_the_first_step(google: Path) -> None:
    write_model()
    write_text()
    train(steps=2)  # saved, but not copied before the disconnect
    copies = []
    for _ in range(2):
        run = open_run(steps=1, save_every=5)
        start = run.trainer.step
        run.callbacks.append(Backup(backup(run.folder, run.notes, step=start)))
        for _ in run:
            copies.append([note for note in run.notes if "copied step" in note])
    assert len(copies[0]) == 1
    assert copies[0][0].startswith("copied step 2 to Google Drive")
    assert copies[1] == [], "step 3 is on Drive already"
    assert summaries(saved_runs("none")) == [("run1", 4, "Drive")]
    assert (google / "text.txt").is_file()


def test_a_local_dataset_is_copied_once(google: Path) -> None:
    write_model()
    run = open_run(write_text("mine.txt"), steps=2, save_every=1)
    notes: list[str] = []
    run.callbacks.append(Backup(backup(run.folder, notes)))
    for _ in run:
        pass
    copied = google / "mine.txt"
    assert copied.read_bytes() == Path("mine.txt").read_bytes()
    assert [note.split(":")[0] for note in notes] == [
        "copied step 1 to Google Drive",
        "copied step 2 to Google Drive",
    ]
    # Others' texts, such as the package's samples, are found again without it.
    Path("elsewhere").mkdir()
    run = open_run(write_text("elsewhere/mine.txt").resolve(), steps=1, run_name="run2")
    run.callbacks.append(Backup(backup(run.folder, notes)))
    for _ in run:
        pass
    assert {path.name for path in google.iterdir() if path.suffix != ".sha256"} == {
        "mine.txt",
        "checkpoint_run1.tar",
        "checkpoint_run1.before.tar",
        "checkpoint_run2.tar",
    }


TRAINING = """
import os, signal, sys
import tensorflow as tf
from gpt2_helpers.google import drive, drive_backup
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.session import Session
from toy_runs import short

def killed_while_copying(copying, drain=drive_backup.drain):
    for progress in copying if RunFolder("checkpoint", "run1").read().step == 6 else ():
        if progress.done > progress.total / 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return drain(copying)

tf.config.run_functions_eagerly(True)
drive.mount()
if sys.argv[1] == "while copying":
    drive_backup.drain = killed_while_copying
for progress in Session().finetune("text.txt", *short(backup_to_drive=True, **eval(sys.argv[2]))):
    if progress.step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
"""
INTERRUPTED: dict[str, Any] = {"save_every": 2, "optimizer": "adam", "learning_rate": 0.01}


@pytest.fixture(scope="module")
def drive_after_kill(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train in a process that is killed at a moment; returns the folder with Drive's contents.

    For a kill between saves, this folder has the contents after each archive, as `state N`.
    """

    @cache
    def train_until_killed(moment: str) -> Path:
        folder = tmp_path_factory.mktemp("killed")
        google = folder / "google"
        (google / "MyDrive").mkdir(parents=True)
        (folder / "work").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder / "work")
            write_model()
            write_text()
        environment = {
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, SUPPORT, FAKES))),
            "COLAB_RELEASE_TAG": "release-colab_test",
            "GPT2_DRIVE_MOUNT": str(folder / "content" / "drive"),
            "FAKE_COLAB_DRIVE": str(google),
            "FAKE_COLAB_LAG": "1" if moment == "between saves" else "",
        }
        killed = subprocess.run(
            [sys.executable, "-c", TRAINING, moment, str({**INTERRUPTED, "steps": 20})],
            cwd=folder / "work",
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert killed.returncode == -9, killed.stderr
        return google

    return train_until_killed


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], list[tuple[int, float]]]:
    """Weights and losses of ten steps without an interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("uninterrupted"))
        write_model()
        write_text()
        tf.config.run_functions_eagerly(True)
        run, _ = train(**INTERRUPTED, steps=10)
        tf.config.run_functions_eagerly(False)
    return weights_of(run.model), run.record.losses


def upload_late(google: Path, target: Path, late: int) -> None:
    """Copy the contents of Drive when the upload of the last `late` archives is incomplete."""
    states = sorted(google.glob("state *"), key=lambda path: int(path.name.split()[1]))
    source = states[-max(1, late)] if states else google / "MyDrive"
    shutil.copytree(source, target, dirs_exist_ok=True)
    if late:
        archive = target / "checkpoint_run1.tar"
        os.truncate(archive, archive.stat().st_size // 2)


@pytest.mark.parametrize(
    ("moment", "late", "copied"),
    [
        ("between saves", 0, 6),
        ("while copying", 0, 4),
        ("between saves", 1, 4),  # half of the newest archive is uploaded
        ("between saves", 2, 2),  # half of the one before, and nothing of the newest
    ],
)
def test_a_disconnect_loses_at_most_one_interval_and_incomplete_uploads(
    fake_colab: Path,
    drive_after_kill: Callable[[str], Path],
    uninterrupted: tuple[dict[str, Any], list[tuple[int, float]]],
    moment: str,
    late: int,
    copied: int,
) -> None:
    upload_late(drive_after_kill(moment), fake_colab, late)
    write_model()
    write_text()
    drive.mount()
    *warnings, note = brought(saved_runs()[0])
    assert note == f"resuming run1 from Google Drive, step {copied}"
    assert ["is truncated" in warning for warning in warnings] == [True] * bool(late)
    resumed, steps = train(**INTERRUPTED, steps=10 - copied)
    assert [step.step for step in steps] == list(range(copied + 1, 11))
    parts = list(fake_colab.glob(".checkpoint_run1.tar.*.part"))
    assert len(parts) == (moment == "while copying")

    weights, losses = uninterrupted
    assert_same(weights_of(resumed.model), weights)
    assert_same(weights_of(load_model(HERE.path)), weights)
    assert resumed.record.losses == losses
