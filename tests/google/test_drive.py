"""Google Drive as a folder: mounting, free space and copying files, in Colab and elsewhere."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpt2_helpers.errors import DriveError
from gpt2_helpers.google import drive
from gpt2_helpers.system.files import drain
from paths import ROOT


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delenv(drive.MOUNT_VARIABLE, raising=False)


@pytest.fixture
def mounted(_workplace: None, fake_colab: Path) -> Path:
    """Google's side of a Drive that is mounted."""
    drive.mount()
    return fake_colab


# --- Where Drive is


def test_mounting_returns_the_users_folder(
    fake_colab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not drive.is_mounted()
    with pytest.raises(DriveError, match=r"not mounted: call mount_gdrive\(\)"):
        drive.my_drive()
    folder = drive.mount()
    assert drive.is_mounted()
    assert folder == drive.my_drive() == tmp_path / "content" / "drive" / "MyDrive"
    assert folder.resolve() == fake_colab
    assert drive.mount() == folder
    assert capsys.readouterr().out == f"Mounted at {folder.parent}\n"  # asked for only once
    drive.mount(force_remount=True)
    assert drive.is_mounted()


@pytest.mark.usefixtures("fake_colab")
def test_a_denied_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_COLAB_MOUNT_REFUSED", "1")
    with pytest.raises(DriveError, match="grant the permission that the window asks for"):
        drive.mount()
    assert not drive.is_mounted()


def test_the_mount_point_in_colab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert drive.mount_point() == Path("/content/drive")


def test_in_colab_a_plain_folder_at_the_mount_point_is_not_drive(
    fake_colab: Path, tmp_path: Path
) -> None:
    drive.mount()
    drive.finish_upload()
    folder = tmp_path / "content" / "drive" / "MyDrive"
    folder.mkdir(parents=True)  # by a program that takes Drive for open
    assert not drive.is_mounted()
    assert not drive.finish_upload()
    Path("texts.txt").touch()
    with pytest.raises(DriveError, match=r"not mounted: call mount_gdrive\(\)"):
        list(drive.copy_file_to_drive("texts.txt"))
    with pytest.raises(DriveError) as caught:
        drive.mount()
    assert str(caught.value) == (
        f"Google Drive can't be mounted at {folder.parent}, which is a folder that contains files: "
        f"move it first with !mv {folder.parent} {folder.parent}.before"
    )
    folder.parent.rename(f"{folder.parent}.before")
    assert drive.mount() == folder


def test_a_broken_mount_may_have_an_incomplete_upload(
    mounted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = tmp_path / "content" / "drive"
    lstat = os.lstat

    def broken(path: Any, **named: Any) -> os.stat_result:
        if Path(path) == point or point in Path(path).parents:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))
        return lstat(path, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", broken)
        (point / "MyDrive").unlink()
        assert not drive.is_mounted()
        with pytest.raises(
            DriveError, match="stopped responding, and the upload may be incomplete"
        ):
            drive.finish_upload()


def test_outside_colab_drive_is_not_available() -> None:
    assert not drive.is_mounted()
    assert not drive.finish_upload()
    for call in (drive.my_drive, drive.mount):
        with pytest.raises(
            DriveError, match=r"local files stay where they are; to copy them, set GPT2_DRIVE_MO"
        ):
            call()


@pytest.mark.parametrize("inner", ["", "My Drive", "MyDrive"])
def test_outside_colab_a_folder_can_be_used_as_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    monkeypatch.setenv(drive.MOUNT_VARIABLE, str(tmp_path / "Google Drive"))
    assert not drive.is_mounted()
    with pytest.raises(DriveError, match="GPT2_DRIVE_MOUNT=.* is not a folder: create"):
        drive.mount()
    folder = tmp_path / "Google Drive" / inner
    folder.mkdir(parents=True)
    assert drive.mount() == drive.my_drive() == folder
    assert not drive.finish_upload()  # a program of Google's does that


def test_it_needs_no_tensorflow() -> None:
    script = "import sys, gpt2_helpers.google.drive; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=300)


# --- Files


def test_files_keep_their_relative_path(mounted: Path) -> None:
    for name in ("texts.txt", "data/titles.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(name.encode() * 500_000)
        os.utime(name, (1_600_000_000, 1_600_000_000))
        moved = list(drive.copy_file_to_drive(name))
        assert moved[-1][:2] == (Path(name).stat().st_size,) * 2
        assert (mounted / name).read_bytes() == Path(name).read_bytes()
        assert (mounted / name).stat().st_mtime == 1_600_000_000
        Path(name).unlink()
        assert drain(drive.copy_file_from_drive(name)) == Path(name)
        assert Path(name).read_bytes() == name.encode() * 500_000
    shutil.rmtree("data")
    drain(drive.copy_file_from_drive(drive.my_drive() / "data" / "titles.csv"))
    assert Path("data/titles.csv").is_file()


def test_a_path_outside_the_current_folder_is_copied_by_name(mounted: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    drain(drive.copy_file_to_drive(tmp_path / "a.txt"))
    drain(drive.copy_file_to_drive("../a.txt"))
    assert [path.name for path in mounted.iterdir()] == ["a.txt"]
    assert drain(drive.copy_file_from_drive("../../a.txt")) == Path("a.txt")
    assert Path("a.txt").read_text() == "a"


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize("copy", [drive.copy_file_to_drive, drive.copy_file_from_drive])
def test_a_missing_file_suggests_similar_names(copy: Callable[..., object], mounted: Path) -> None:
    for folder in (Path(), mounted):
        (folder / "titles.csv").touch()
        (folder / "notes.txt").touch()
    with pytest.raises(DriveError, match=r"title\.csv.*\(did you mean 'titles\.csv'\?\)"):
        list(copy("title.csv"))  # type: ignore[call-overload]
    with pytest.raises(DriveError, match=r"xyz.*: existing files are notes\.txt, titles\.csv"):
        list(copy("xyz"))  # type: ignore[call-overload]


@pytest.mark.usefixtures("mounted")
def test_a_folder_is_rejected() -> None:
    Path("checkpoint").mkdir()
    with pytest.raises(
        DriveError, match="checkpoint is a folder: copy single files, or a run with"
    ):
        list(drive.copy_file_to_drive("checkpoint"))


def test_a_longer_local_file_is_kept(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("texts.txt").write_text("twenty more texts")
    (mounted / "texts.txt").write_text("twenty")
    notes: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(drive, "copy_file", lambda source, target: (_ for _ in [1 / 0]))
        with pytest.raises(ZeroDivisionError):
            list(drive.copy_file_from_drive("texts.txt", notes.append))
    assert Path("texts.txt").read_text() == "twenty more texts"
    list(drive.copy_file_from_drive("texts.txt", notes.append))
    assert Path("texts.txt").read_text() == "twenty"
    assert Path("texts.txt.before").read_text() == "twenty more texts"
    assert notes == [
        "the longer local texts.txt is kept as texts.txt.before",
    ]
    Path("texts.txt").write_text("another one")
    with pytest.raises(
        DriveError, match=r"11 bytes, the one on Google Drive only 6, and texts.txt.before already"
    ):
        list(drive.copy_file_from_drive("texts.txt"))
    assert Path("texts.txt.before").read_text() == "twenty more texts"
    Path("texts.txt").write_text("short")
    (mounted / "texts.txt").write_text("a newer text, longer")
    list(drive.copy_file_from_drive("texts.txt"))
    assert Path("texts.txt").read_text() == "a newer text, longer"


def test_a_full_drive_keeps_the_existing_file(
    fake_colab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fake_colab / "texts.txt").write_text("before")
    monkeypatch.setenv("FAKE_COLAB_QUOTA", str(5 << 20))
    drive.mount()
    Path("texts.txt").write_bytes(bytes(8 << 20))
    with pytest.raises(DriveError) as caught:
        list(drive.copy_file_to_drive("texts.txt"))
    assert str(caught.value) == (
        "copying texts.txt to Google Drive failed (Input/output error, errno 5): Google Drive is "
        "full or its daily quota is used up: free some space there and empty its trash; existing "
        "files are unchanged"
    )
    assert [path.name for path in fake_colab.iterdir()] == ["texts.txt"]
    assert (fake_colab / "texts.txt").read_text() == "before"


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)


def test_free_space_is_checked_first(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("texts.txt").write_bytes(bytes(3_000_000))
    room(monkeypatch, (100 << 20) + 2_999_999)
    with pytest.raises(DriveError, match=r"texts\.txt needs 3\.0 MB .*, which has 3\.0 MB free"):
        list(drive.copy_file_to_drive("texts.txt"))
    assert not list(mounted.iterdir())
    room(monkeypatch, (100 << 20) + 3_000_000)
    list(drive.copy_file_to_drive("texts.txt"))
    Path("texts.txt").unlink()
    room(monkeypatch, 2_000_000)
    with pytest.raises(DriveError, match=r"texts\.txt needs 3\.0 MB, and 2\.0 MB are free"):
        list(drive.copy_file_from_drive("texts.txt"))


def test_in_colab_the_runtimes_disk_needs_space_too(
    mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {drive.my_drive(): 10**12, Path.home(): 10**9}
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=sizes[place]))
    assert drive.free_bytes() == 10**9 - (100 << 20)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.ENOTCONN, r"stopped responding: call mount_gdrive\(force_remount=True\)"),
        (errno.EACCES, "failed .*errno 13.*: MyDrive/x"),
    ],
)
def test_errors_say_what_to_do(number: int, advice: str) -> None:
    with pytest.raises(DriveError, match=advice), drive.drive_errors("copying"):
        raise OSError(number, os.strerror(number), "MyDrive/x")


# --- Uploads


def test_only_finish_upload_waits_for_the_upload(
    fake_colab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_COLAB_SLOW", "1")
    drive.mount()
    Path("texts.txt").write_text("texts")
    list(drive.copy_file_to_drive("texts.txt"))
    assert (drive.my_drive() / "texts.txt").is_file()
    assert not (fake_colab / "texts.txt").exists()
    assert drive.finish_upload()
    assert (fake_colab / "texts.txt").read_text() == "texts"
    assert not drive.is_mounted()
    assert not drive.finish_upload()  # a cell that is run twice
    drive.mount()
    assert (drive.my_drive() / "texts.txt").is_file()


def test_an_upload_that_times_out(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.colab import drive as googles

    def late(timeout_ms: int = 0) -> None:
        raise ValueError("timed out")

    monkeypatch.setattr(googles, "flush_and_unmount", late)
    with pytest.raises(
        DriveError, match=r"\(timed out\): keep this runtime open and call finish_u"
    ):
        drive.finish_upload()
