"""Finds runs on Google Drive: as archives, as folders, and in other shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.checkpoint.run_search import (
    how_to_unpack,
    misplaced_run,
    run_archives,
    run_names,
)
from gpt2_helpers.errors import DriveError, listed, nearest
from gpt2_helpers.google.archive_checks import ROOT
from gpt2_helpers.google.drive import my_drive
from gpt2_helpers.google.run_archive import PREFIX, archive_name
from gpt2_helpers.system.files import PREVIOUS
from gpt2_helpers.system.paths import check_run_name


def archive_of(run_name: str) -> Path:
    """The path of a run's archive on Drive.

    Raises DriveError if Drive is not mounted or the run is in a nested folder, which
    gpt-2-simple's archives don't support.
    """
    if Path(check_run_name(run_name)).name != run_name:
        raise DriveError(
            f"run_name must be a plain folder name, got {run_name!r}: rename the folder, or pass "
            "its parent folder as checkpoint_dir"
        )
    return my_drive() / archive_name(run_name)


def archived_runs() -> list[str]:
    """The names of the runs that are on Drive as archives."""
    stems = {path.stem.removesuffix(PREVIOUS) for path in my_drive().glob(f"{PREFIX}*.tar")}
    return sorted(stem.removeprefix(PREFIX) for stem in stems)


def folder_on_drive(run_name: str) -> RunFolder:
    """The folder of a run that was copied to Drive without packing it."""
    return RunFolder(my_drive() / ROOT, run_name)


def is_folder_copied(
    folder: RunFolder, archives: list[Path], copy_folder: bool, on_message: Callable[[str], None]
) -> bool:
    """Whether to copy a run from its folder on Drive rather than from an archive.

    That is what the user asked for, unless only the other one exists.

    Args:
        folder: The local run, which need not exist.
        archives: The archives of the run that exist on Drive.
        copy_folder: What the user asked for.
        on_message: Called with a message if the other one is used.

    Raises:
        DriveError: There is neither; the message names what is there instead.
    """
    if archives and not copy_folder:
        return False
    on_drive = folder_on_drive(folder.name)
    if on_drive.read().checkpoint is not None:
        if not copy_folder:
            missing = archive_of(folder.name)
            on_message(f"{missing} does not exist: copying the folder {on_drive.path}")
        return True
    if not archives:
        raise _missing_error(folder, on_drive, copy_folder)
    on_message(f"{on_drive.path} contains no run: copying the archive {archives[0]}")
    return False


def _missing_error(folder: RunFolder, on_drive: RunFolder, copy_folder: bool) -> DriveError:
    name = folder.name
    place = on_drive.path if copy_folder else archive_of(name)
    names = sorted({*run_names(on_drive.checkpoint_dir), *archived_runs()})
    found = f"existing runs are {listed(names)}" if names else "there are no runs yet"
    if misplaced := _misplaced(on_drive):
        found = f"there is one in {misplaced}: move it to {on_drive.path}"
    for archive in run_archives((my_drive(), on_drive.checkpoint_dir), name):
        found = f"{archive} may be it: {how_to_unpack(archive, folder.path)}"
    return DriveError(f"no run {name!r} on Google Drive ({place}){nearest(name, names)}: {found}")


def _misplaced(on_drive: RunFolder) -> Path | None:
    """A folder with the files of a run that is one or two folders off on Drive."""
    drive, name = my_drive(), on_drive.name
    nested = misplaced_run(on_drive.checkpoint_dir, name)
    if nested is not None:
        return nested
    places = (drive / name, drive)
    return next((place for place in places if any(place.glob("model*.index"))), None)
