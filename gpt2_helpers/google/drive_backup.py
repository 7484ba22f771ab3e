"""Runs on Google Drive: copied there and back, found again, and kept in step while they train.

A run is `checkpoint_run1.tar` at the root of MyDrive, as gpt-2-simple has it, with its SHA-256
beside it; the one that stood there before stays as `checkpoint_run1.before.tar`, since an upload
goes on behind our back and may never be finished.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gpt2_helpers.checkpoint.run_folder import SUMS, RunFolder, RunSnapshot, run_names
from gpt2_helpers.errors import CheckpointError, DriveError, Gpt2Error, nearest
from gpt2_helpers.google import archive_checks, run_archive
from gpt2_helpers.google.drive import (
    FULL_HERE,
    UNREADABLE,
    copy_file_to_drive,
    drive_errors,
    free_bytes,
    is_mounted,
    megabytes,
    my_drive,
    require_space,
)
from gpt2_helpers.google.run_archive import previous_archive
from gpt2_helpers.system.files import PREVIOUS, CopyProgress, copy_file, drain, ignore

LOCAL, DRIVE = "local", "Drive"
_PREFIX = f"{archive_checks.ROOT}_"
Note = Callable[[str], None]


def archive_of(run_name: str) -> Path:
    """Where a run's archive is on Drive. DriveError where that is not mounted, or where the name
    is that of a folder in a folder: gpt-2-simple's archives have no room for that."""
    if Path(run_name).name != run_name:
        raise DriveError(
            f"a run on Google Drive must be named as one folder is, got {run_name!r}: "
            "rename its folder, or give the one above it as checkpoint_dir"
        )
    return my_drive() / f"{_PREFIX}{run_name}.tar"


def copy_run_to_drive(
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    *,
    weights_only: bool = False,
    copy_folder: bool = False,
) -> Generator[CopyProgress, None, Path]:
    """Copy a run to Drive, as one archive or as a folder; returns where it is then.

    Its newest checkpoint goes with all that resuming needs, or with `weights_only` with what
    generating needs, a third of it. What was on Drive is unchanged until the copy is whole. Raises
    DriveError where Drive is not mounted or has no room, CheckpointError where there is no run.
    """
    drive, archive = my_drive(), archive_of(run_name)
    run = RunFolder(checkpoint_dir, run_name).require()
    doing = f"copying the run {run_name} to Google Drive"
    if copy_folder:
        files = run_archive.run_files(run, weights_only)
        target = RunFolder(drive / archive_checks.ROOT, run_name)
        size = _size(files)
        require_space(size, doing)
        with drive_errors(doing), target.atomic_replace(size) as beside:
            digests = yield from _copied(files, beside)
            lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
            (beside / SUMS).write_bytes(lines.encode())
        return target.path
    members = run_archive.archive_members(run, weights_only)
    needed = run_archive.packed_size(members)
    with drive_errors(doing):
        _make_room(needed - free_bytes(), archive)
        require_space(needed, doing)
        yield from run_archive.pack(members, archive)
    return archive


def _make_room(missing: int, archive: Path) -> None:
    """Where there is no room for a third archive, one of two goes, if that is enough: the older,
    or the newer where it is broken."""
    before = previous_archive(archive)
    if missing <= 0 or not (archive.is_file() and before.is_file()):
        return
    goes = before if archive_checks.is_complete(archive) else archive
    if missing <= goes.stat().st_size:
        run_archive.delete_archive(goes)


def copy_run_from_drive(
    run_name: str = "run1",
    checkpoint_dir: str | Path = "checkpoint",
    *,
    copy_folder: bool = False,
    note: Note = ignore,
) -> Generator[CopyProgress, None, Path]:
    """Copy a run from Drive, checked, into `checkpoint_dir`; returns its folder.

    A run of that name here is kept as `NAME.before`. Where the newest archive is cut short or its
    SHA-256 is another, the one before it is taken, and `note` told. Raises DriveError where Drive
    is not mounted or holds no such run, CheckpointError where none of its archives can be opened:
    what is here is unchanged then.
    """
    folder, archive = RunFolder(checkpoint_dir, run_name), archive_of(run_name)
    with drive_errors(f"copying the run {run_name} from Google Drive", FULL_HERE):
        if copy_folder:
            yield from _folder_from_drive(folder, note)
            return folder.path
        *newer, last = [p for p in (archive, previous_archive(archive)) if p.is_file()] or [archive]
        if not last.is_file():
            raise _missing(run_name, _archived(), archive)
        if last != archive and not newer:
            note(f"Warning: {archive.name} is not there; the one before it is taken")
        for path in newer:
            try:
                yield from run_archive.unpack(path, folder, note)
                return folder.path
            except CheckpointError as error:
                note(f"Warning: {error}; the one before it is taken")
        yield from run_archive.unpack(last, folder, note)
    return folder.path


def _folder_from_drive(folder: RunFolder, note: Note) -> Generator[CopyProgress, None, None]:
    """A run that lies on Drive as a folder; its hashes are checked where they were written."""
    source_folder = RunFolder(my_drive() / archive_checks.ROOT, folder.name)
    source = source_folder.read()
    if source.checkpoint is None:
        raise _missing(folder.name, run_names(source_folder.checkpoint_dir), source.path)
    files = run_archive.run_files(source)
    known = {}
    if (sums := source.path / SUMS).is_file():
        lines = sums.read_text(encoding="utf-8").splitlines()
        known = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if f"{source.checkpoint.name}.index" not in known:  # as where training went on there
        known = {}
        note(f"{source.path} has no {SUMS} of its newest step: only its form is checked")
    with folder.atomic_replace(_size(files), note) as beside:
        digests = yield from _copied(files, beside)
        for name, digest in known.items():
            if digests.get(name) != digest:
                fault = "is not as it was written" if name in digests else "is missing"
                raise CheckpointError(
                    f"{source.path / name} {fault}: copy the run to Google Drive again, or wait "
                    "until its upload is done"
                )


def _copied(files: list[Path], folder: Path) -> Generator[CopyProgress, None, dict[str, str]]:
    """Copy files into a folder; returns the SHA-256 of each by its name."""
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


def _archived() -> list[str]:
    """The names of the runs that lie on Drive as archives."""
    stems = {path.stem.removesuffix(PREVIOUS) for path in my_drive().glob(f"{_PREFIX}*.tar")}
    return sorted(stem.removeprefix(_PREFIX) for stem in stems)


def _missing(run_name: str, names: list[str], place: Path) -> DriveError:
    there = f"there are {', '.join(names)}" if names else "there are none yet"
    return DriveError(
        f"no run {run_name!r} on Google Drive ({place}){nearest(run_name, names)}: {there}"
    )


@dataclass(frozen=True)
class SavedRun:
    """A run that can be gone on with: `place` is `here` or `Drive`, `path` its folder or archive,
    `when` its newest checkpoint was saved."""

    name: str
    step: int
    when: datetime
    location: str
    path: Path


def saved_runs(checkpoint_dir: str | Path = "checkpoint", note: Note = ignore) -> list[SavedRun]:
    """The runs of this machine and, where it is mounted, of Drive, newest first.

    What cannot be opened, such as an archive cut short, is left out; `note` is told what Drive does
    not hand out.
    """
    found = list(_in_folder(Path(checkpoint_dir), LOCAL))
    try:
        if is_mounted():
            with drive_errors("looking for runs on Google Drive", UNREADABLE):
                for saved in _on_drive(Path(checkpoint_dir), note):
                    found.append(saved)  # what came before a fault stays
    except DriveError as error:
        note(str(error))
    # Of the same on both sides, the one here comes first.
    return sorted(found, key=lambda run: (run.when, run.step, run.location == LOCAL), reverse=True)


def _on_drive(checkpoint_dir: Path, note: Note) -> Iterator[SavedRun]:
    for name in _archived():
        try:
            yield from _in_archive(name)
        except DriveError as error:
            note(str(error))
    folder = my_drive() / archive_checks.ROOT
    if folder.resolve() != checkpoint_dir.resolve():
        yield from _in_folder(folder, DRIVE)


def _in_folder(checkpoint_dir: Path, place: str) -> Iterator[SavedRun]:
    for name in run_names(checkpoint_dir):
        with contextlib.suppress(CheckpointError, OSError):
            run = RunFolder(checkpoint_dir, name).read()
            if not name.endswith(PREVIOUS) and (newest := _newest(run)):
                yield SavedRun(name, *newest, place, run.path)


def _newest(run: RunSnapshot) -> tuple[int, datetime] | None:
    """The step of a run's newest checkpoint, and when it was saved."""
    if run.checkpoint is None:
        return None
    return run.step, _when(Path(f"{run.checkpoint}.index").stat().st_mtime)


def _in_archive(name: str) -> Iterator[SavedRun]:
    """What lies on Drive of a run as an archive: the newest, or the one before it. DriveError
    where that cannot be told."""
    archive = archive_of(name)
    with drive_errors(f"reading {archive.name} on Google Drive", UNREADABLE):
        for path in (archive, previous_archive(archive)):
            with contextlib.suppress(CheckpointError, FileNotFoundError):
                held = archive_checks.read_contents(path)
                yield SavedRun(name, held.step, _when(held.saved_at), DRIVE, path)
                return


def _when(seconds: float) -> datetime:
    """Whole seconds, as archives keep them, so that a copy is not newer than what was copied."""
    try:
        return datetime.fromtimestamp(int(seconds)).astimezone()
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def fetch_saved_run(
    saved: SavedRun, checkpoint_dir: str | Path = "checkpoint", note: Note = ignore
) -> Generator[CopyProgress, None, Path]:
    """Make a saved run one that is here; returns its folder.

    It is copied from Drive only where it is further, or newer, than the run of its name here;
    `note` is told which was taken. Raises what `copy_run_from_drive` does.
    """
    folder = RunFolder(checkpoint_dir, saved.name)
    here = next((r for r in _in_folder(Path(checkpoint_dir), LOCAL) if r.name == saved.name), None)
    if here and here.step >= saved.step and here.when >= saved.when:
        note(f"going on with {saved.name} as it is here, step {here.step:,}")
        return folder.path
    yield from copy_run_from_drive(
        saved.name, checkpoint_dir, copy_folder=saved.path.is_dir(), note=note
    )
    note(f"going on with {saved.name} from Google Drive, step {folder.read().step:,}")
    return folder.path


class DriveBackup:
    """Copies a run to Drive after each save of its training: `Backup(DriveBackup(...))`.
    What is there already is not copied again.

    A copy that fails does not end the training: `note` is told, and the next save tries again.
    """

    def __init__(
        self, folder: RunFolder, step: int, size: int, overwrite: bool, note: Note = ignore
    ) -> None:
        """For a training that begins at `step` and saves `size` bytes at a time.

        Raises DriveError where Drive is not mounted, has no room for two copies, or holds more
        steps of a run of this name than the training begins with, unless it may `overwrite` them.
        """
        self._note = note
        self._copied: int | None = None
        self._sends_text = True
        archive = archive_of(folder.name)
        for saved in () if overwrite else _in_archive(folder.name):
            if saved.step > step:
                raise DriveError(
                    f"Google Drive holds {folder.name} at step {saved.step:,}, and this training "
                    f"begins at step {step:,}: copy_checkpoint_from_gdrive({folder.name!r}) goes "
                    "on from there, another run_name keeps both, overwrite=True drops that one"
                )
            if saved.path == archive and (saved.step, saved.when) == _newest(folder.read()):
                self._copied = saved.step
        with drive_errors(f"looking for room for {folder.name} on Google Drive", UNREADABLE):
            there = _size([path for path in (archive, previous_archive(archive)) if path.is_file()])
        require_space(2 * size - there, f"backing up {folder.name}")

    def __call__(self, folder: RunFolder) -> None:
        run = folder.read()
        if run.step != self._copied and not self._copy(folder, run.step):
            return
        if self._sends_text:
            self._sends_text = False
            self._copy_text(Path(run.record.dataset))

    def _copy(self, folder: RunFolder, step: int) -> bool:
        try:
            path = drain(copy_run_to_drive(folder.name, folder.checkpoint_dir))
            size = megabytes(path.stat().st_size)
        except (Gpt2Error, OSError) as error:
            self._note(
                f"Warning: step {step:,} is not on Google Drive, the next save tries again: {error}"
            )
            return False
        self._copied = step
        self._note(f"step {step:,} is copied to Google Drive: {path.name}, {size}")
        return True

    def _copy_text(self, text: Path) -> None:
        """A text that lies beside the runs, as an uploaded one does, goes along: on another day
        training goes on with it."""
        if text.is_absolute() or ".." in text.parts or not text.is_file():
            return
        try:
            target = my_drive() / text
            if not target.is_file() or target.stat().st_size != text.stat().st_size:
                drain(copy_file_to_drive(text))
        except (Gpt2Error, OSError) as error:
            self._note(f"Warning: {text} is not on Google Drive: {error}")
