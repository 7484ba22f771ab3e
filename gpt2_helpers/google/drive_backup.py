"""Runs on Google Drive: copying, listing, and backing them up during training.

A run is stored as `checkpoint_run1.tar` in MyDrive, as gpt-2-simple does, with its SHA-256 in a
file next to it. The previous archive is kept as `checkpoint_run1.before.tar`, because Drive uploads
in the background and the upload of the new one may never complete.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gpt2_helpers.checkpoint.run_folder import CHECKSUM_FILE, RunFolder, RunSnapshot
from gpt2_helpers.checkpoint.run_record import dataset_paths
from gpt2_helpers.checkpoint.run_search import run_names
from gpt2_helpers.errors import CheckpointError, DriveError, Gpt2Error
from gpt2_helpers.google import archive_checks, run_archive
from gpt2_helpers.google.drive import (
    FULL_HERE,
    UNREADABLE,
    copy_file_to_drive,
    drive_errors,
    free_bytes,
    is_mounted,
    my_drive,
    require_space,
)
from gpt2_helpers.google.drive_search import (
    archive_of,
    archived_runs,
    folder_on_drive,
    is_folder_copied,
)
from gpt2_helpers.google.run_archive import previous_archive
from gpt2_helpers.system.bounded_files import read_checksums
from gpt2_helpers.system.files import PREVIOUS, CopyProgress, copy_file, drain, ignore
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.system.sizes import file_size

LOCAL, DRIVE = "local", "Drive"
Note = Callable[[str], None]


def copy_run_to_drive(
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    *,
    weights_only: bool = False,
    copy_folder: bool = False,
) -> Generator[CopyProgress, None, Path]:
    """Copy the newest checkpoint of a run to Drive, as an archive or a folder.

    The previous copy on Drive is unchanged until the new one is complete.

    Args:
        run_name: Name of the run.
        checkpoint_dir: Folder with the runs.
        weights_only: Leave out what only training needs, two thirds of the size.
        copy_folder: Copy to a folder instead of an archive.

    Returns:
        A generator of the progress, which returns the path of the copy.

    Raises:
        DriveError: If Drive is not mounted or is full.
        CheckpointError: If the run is missing or damaged.
    """
    archive = archive_of(run_name)
    run = RunFolder(checkpoint_dir, run_name).require()
    doing = f"copying the run {run_name} to Google Drive"
    if copy_folder:
        files = run_archive.run_files(run, weights_only)
        target = folder_on_drive(run_name)
        size = _size(files)
        require_space(size, doing)
        with drive_errors(doing), target.atomic_replace(size) as folder_part:
            digests = yield from _copy_files(files, folder_part)
            lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
            (folder_part / CHECKSUM_FILE).write_bytes(lines.encode())
        return target.path
    members = run_archive.archive_members(run, weights_only)
    needed = run_archive.packed_size(members)
    with drive_errors(doing):
        _make_room(needed - free_bytes(), archive)
        require_space(needed, doing)
        yield from run_archive.pack(members, archive)
    return archive


def _make_room(missing: int, archive: Path) -> None:
    """Delete one of two archives if this frees enough space for a third.

    That is the previous one, or the newest one if it is damaged.
    """
    previous = previous_archive(archive)
    if missing <= 0 or not (archive.is_file() and previous.is_file()):
        return
    expendable = previous if archive_checks.is_complete(archive) else archive
    if missing <= expendable.stat().st_size:
        run_archive.delete_archive(expendable)


def copy_run_from_drive(
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    *,
    copy_folder: bool = False,
    on_message: Note = ignore,
) -> Generator[CopyProgress, None, Path]:
    """Copy a run from Drive to `checkpoint_dir` and verify its checksums.

    A local run of the same name is kept as `NAME.before`. If the newest archive is truncated or has
    another SHA-256, the previous one is used.

    Args:
        run_name: Name of the run.
        checkpoint_dir: Folder with the runs.
        copy_folder: Copy from a folder instead of an archive.
        on_message: Called with a message for every archive that can't be used.

    Returns:
        A generator of the progress, which returns the folder of the run.

    Raises:
        DriveError: If Drive is not mounted or does not contain the run.
        CheckpointError: If none of its archives can be used; local files are unchanged.
    """
    folder, archive = RunFolder(checkpoint_dir, run_name), archive_of(run_name)
    with drive_errors(f"copying the run {run_name} from Google Drive", FULL_HERE):
        archives = [p for p in (archive, previous_archive(archive)) if p.is_file()]
        if is_folder_copied(folder, archives, copy_folder, on_message):
            yield from _folder_from_drive(folder_on_drive(run_name), folder, on_message)
            return folder.path
        *newer, last = archives
        if last != archive and not newer:
            on_message(f"Warning: {archive.name} is missing; the previous archive is used")
        for path in newer:
            try:
                yield from run_archive.unpack(path, folder, on_message)
                return folder.path
            except CheckpointError as error:
                on_message(f"Warning: {error}; the previous archive is used")
        yield from run_archive.unpack(last, folder, on_message)
    return folder.path


def _folder_from_drive(
    on_drive: RunFolder, folder: RunFolder, on_message: Note
) -> Generator[CopyProgress, None, None]:
    """Copy a run from a folder on Drive; its checksums are verified if they were saved."""
    source = on_drive.require()
    assert source.checkpoint is not None
    files = run_archive.run_files(source)
    known = read_checksums(source.path / CHECKSUM_FILE)
    if f"{source.checkpoint.name}.index" not in known:  # for example if it was trained there since
        known = {}
        on_message(f"{source.path} has no {CHECKSUM_FILE} for its newest step: not verified")
    with folder.atomic_replace(_size(files), on_message) as folder_part:
        digests = yield from _copy_files(files, folder_part)
        for name, digest in known.items():
            if digests.get(name) != digest:
                fault = "has a different checksum" if name in digests else "is missing"
                raise CheckpointError(
                    f"{source.path / name} {fault}: copy the run to Google Drive again, or wait "
                    "until its upload is complete"
                )


def _copy_files(files: list[Path], folder: Path) -> Generator[CopyProgress, None, dict[str, str]]:
    """Copy files to a folder; returns the SHA-256 of each by name."""
    done, total = 0, _size(files)
    digests: dict[str, str] = {}
    for path in files:
        copying = copy_file(path, folder / path.name)
        while path.name not in digests:
            try:
                yield CopyProgress(done + next(copying).done, total)
            except StopIteration as end:
                digests[path.name] = end.value
        done += path.stat().st_size
    return digests


def _size(files: list[Path]) -> int:
    return sum(path.stat().st_size for path in files)


@dataclass(frozen=True)
class SavedRun:
    """A run that can be resumed."""

    name: str
    step: int  # of its newest checkpoint
    when: datetime  # when that was saved
    location: str  # LOCAL or DRIVE
    path: Path  # folder or archive


def saved_runs(
    checkpoint_dir: str | Path = "checkpoint", on_message: Note = ignore
) -> list[SavedRun]:
    """List the local runs and, if Drive is mounted, those on Drive, newest first.

    Damaged runs, such as truncated archives, are left out.

    Args:
        checkpoint_dir: Folder with the local runs.
        on_message: Called with a message if Drive is not available.

    Returns:
        The runs. If several are equally new, the local one comes first.

    Example:
        newest = saved_runs()[0]
    """
    checkpoint_dir = user_path(checkpoint_dir, "checkpoint_dir")
    found = list(_in_folder(checkpoint_dir, LOCAL))
    try:
        if is_mounted():
            with drive_errors("looking for runs on Google Drive", UNREADABLE):
                for saved in _on_drive(checkpoint_dir, on_message):
                    found.append(saved)  # those found before an error are kept
    except DriveError as error:
        on_message(str(error))
    return sorted(found, key=lambda run: (run.when, run.step, run.location == LOCAL), reverse=True)


def _on_drive(checkpoint_dir: Path, on_message: Note) -> Iterator[SavedRun]:
    for name in archived_runs():
        try:
            yield from _in_archive(name)
        except Gpt2Error as error:
            on_message(str(error))
    folder = my_drive() / archive_checks.ROOT
    if folder.resolve() != checkpoint_dir.resolve():
        yield from _in_folder(folder, DRIVE)


def _in_folder(checkpoint_dir: Path, location: str) -> Iterator[SavedRun]:
    for name in run_names(checkpoint_dir):
        with contextlib.suppress(Gpt2Error, OSError):  # also of names that no run can have
            run = RunFolder(checkpoint_dir, name).read()
            if not name.endswith(PREVIOUS) and (newest := _newest(run)):
                yield SavedRun(name, *newest, location, run.path)


def _newest(run: RunSnapshot) -> tuple[int, datetime] | None:
    """The step of a run's newest checkpoint and the time it was saved."""
    if run.checkpoint is None:
        return None
    return run.step, _when(Path(f"{run.checkpoint}.index").stat().st_mtime)


def _in_archive(name: str) -> Iterator[SavedRun]:
    """Yield the run in the newest intact archive of a name, if there is one."""
    archive = archive_of(name)
    with drive_errors(f"reading {archive.name} on Google Drive", UNREADABLE):
        for path in (archive, previous_archive(archive)):
            with contextlib.suppress(CheckpointError, FileNotFoundError):
                contents = archive_checks.read_contents(path)
                yield SavedRun(name, contents.step, _when(contents.saved_at), DRIVE, path)
                return


def _when(seconds: float) -> datetime:
    """A time in whole seconds, as in archives, so that a copy is not newer than its source."""
    try:
        return datetime.fromtimestamp(int(seconds)).astimezone()
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def fetch_saved_run(
    saved: SavedRun, checkpoint_dir: str | Path = "checkpoint", on_message: Note = ignore
) -> Generator[CopyProgress, None, Path]:
    """Make a saved run available locally.

    It is copied from Drive only if it has more steps or is newer than the local run of that name.

    Args:
        saved: One of `saved_runs()`.
        checkpoint_dir: Folder with the local runs.
        on_message: Called with a message that says which copy is used.

    Returns:
        A generator of the progress, which returns the folder of the run.

    Raises:
        DriveError: If Drive is not mounted or does not contain the run.
        CheckpointError: If the copy on Drive is damaged; local files are unchanged.
    """
    folder = RunFolder(checkpoint_dir, saved.name)
    local = next(
        (r for r in _in_folder(folder.checkpoint_dir, LOCAL) if r.name == saved.name), None
    )
    if local and local.step >= saved.step and local.when >= saved.when:
        on_message(f"resuming the local {saved.name}, step {local.step:,}")
        return folder.path
    yield from copy_run_from_drive(
        saved.name, checkpoint_dir, copy_folder=saved.path.is_dir(), on_message=on_message
    )
    on_message(f"resuming {saved.name} from Google Drive, step {folder.read().step:,}")
    return folder.path


class DriveBackup:
    """Callback that copies a run to Drive after each checkpoint: `Backup(DriveBackup(...))`.

    A checkpoint that is already on Drive is not copied again. If copying fails, training continues,
    and the next checkpoint is copied instead.

    Args:
        folder: The run's folder.
        step: The step at which training starts.
        size: Size of a checkpoint in bytes.
        overwrite: Whether to replace a copy on Drive that has more steps than `step`.
        on_message: Called with a message after each copy.

    Raises:
        DriveError: If Drive is not mounted, has no space for two copies, or contains a run of this
            name with more steps and `overwrite` is not set.
    """

    def __init__(
        self, folder: RunFolder, step: int, size: int, overwrite: bool, on_message: Note = ignore
    ) -> None:
        self._on_message = on_message
        self._copied: int | None = None
        self._copies_dataset = True
        archive = archive_of(folder.name)
        for saved in () if overwrite else _in_archive(folder.name):
            if saved.step > step:
                raise DriveError(
                    f"Google Drive has {folder.name} at step {saved.step:,}, but training starts "
                    f"at step {step:,}: resume with copy_checkpoint_from_gdrive({folder.name!r}), "
                    "keep both with another run_name, or replace it with overwrite=True"
                )
            if saved.path == archive and (saved.step, saved.when) == _newest(folder.read()):
                self._copied = saved.step
        with drive_errors(f"checking the space for {folder.name} on Google Drive", UNREADABLE):
            existing = _size(
                [path for path in (archive, previous_archive(archive)) if path.is_file()]
            )
        require_space(2 * size - existing, f"backing up {folder.name}")

    def __call__(self, folder: RunFolder) -> None:
        run = folder.read()
        if run.step != self._copied and not self._copy(folder, run.step):
            return
        if self._copies_dataset:
            self._copies_dataset = False
            for name in dataset_paths(run.record.dataset):
                self._copy_dataset(Path(name))

    def _copy(self, folder: RunFolder, step: int) -> bool:
        try:
            path = drain(copy_run_to_drive(folder.name, folder.checkpoint_dir))
            size = file_size(path.stat().st_size)
        except (Gpt2Error, OSError) as error:
            self._on_message(
                f"Warning: step {step:,} was not copied to Google Drive; will retry at the next "
                f"checkpoint: {error}"
            )
            return False
        self._copied = step
        self._on_message(f"copied step {step:,} to Google Drive: {path.name}, {size}")
        return True

    def _copy_dataset(self, text: Path) -> None:
        """Copy a dataset in the current directory, such as an upload, so that training can be
        resumed in another Colab session."""
        if text.is_absolute() or ".." in text.parts or not text.is_file():
            return
        try:
            target = my_drive() / text
            if not target.is_file() or target.stat().st_size != text.stat().st_size:
                drain(copy_file_to_drive(text))
        except (Gpt2Error, OSError) as error:
            self._on_message(f"Warning: {text} was not copied to Google Drive: {error}")
