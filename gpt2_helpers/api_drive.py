"""gpt-2-simple's calls for Google Drive, by name and parameter; what is new is keyword-only.

Each shows a bar of bytes and says what came of it; the work is done in `drive` and `backups`.
"""

from __future__ import annotations

from pathlib import Path

from gpt2_helpers.console import say, with_bytes
from gpt2_helpers.google import drive, drive_backup


def mount_gdrive(*, force_remount: bool = False) -> None:
    """Mount Google Drive; Colaboratory asks for access in a window.

    Outside Colaboratory a folder named by the environment variable GPT2_DRIVE_MOUNT stands for
    Drive. `force_remount` mounts it anew where it no longer answers. Raises DriveError.
    """
    say(f"Google Drive: {drive.mount(force_remount)}")


def is_mounted() -> bool:
    """Whether Google Drive, or the folder that stands for it, can be used now."""
    return drive.is_mounted()


def finish_upload() -> None:
    """Wait until Google Drive has all that was copied there, and unmount it.

    Copying returns before the upload is done: what a runtime has not yet sent when it ends is lost.
    Raises DriveError where Drive does not say that it has everything.
    """
    if drive.finish_upload():
        say("Google Drive has everything, and is unmounted: mount_gdrive() mounts it again")
    else:
        say("nothing is mounted whose upload could be waited for")


def copy_checkpoint_to_gdrive(
    run_name: str = "run1",
    copy_folder: bool = False,
    *,
    checkpoint_dir: str | Path = "checkpoint",
    weights_only: bool = False,
) -> None:
    """Copy a run to Google Drive, as `checkpoint_run1.tar` with its SHA-256 beside it.

    Its newest checkpoint goes with all that resuming needs; `weights_only` leaves out what only
    training needs, two thirds of it. `copy_folder` makes a folder of it, `checkpoint/run1`, which
    Drive takes more slowly. The archive that was there stays as `checkpoint_run1.before.tar`.
    Raises DriveError where Drive is not mounted or full, CheckpointError where there is no run.
    """
    copying = drive_backup.run_to_drive(
        run_name, checkpoint_dir, weights_only=weights_only, copy_folder=copy_folder
    )
    with_bytes(copying, f"{run_name} to Google Drive")
    say("copied; finish_upload() waits until Google Drive has it")


def copy_checkpoint_from_gdrive(
    run_name: str = "run1",
    copy_folder: bool = False,
    *,
    checkpoint_dir: str | Path = "checkpoint",
) -> None:
    """Copy a run from Google Drive into `checkpoint_dir/run_name`, and check that it is whole.

    The run of that name that is here stays as `run1.before`. Archives of gpt-2-simple are taken
    too. Raises DriveError where Drive is not mounted or has no such run, CheckpointError where its
    archive is cut short, damaged or unsafe; what is here is unchanged then.
    """
    copying = drive_backup.run_from_drive(
        run_name, checkpoint_dir, copy_folder=copy_folder, note=say
    )
    with_bytes(copying, f"{run_name} from Google Drive")


def copy_file_to_gdrive(file_path: str | Path) -> None:
    """Copy a file to the same relative path on Google Drive. Raises DriveError."""
    with_bytes(drive.file_to_drive(file_path), f"{Path(file_path).name} to Google Drive")


def copy_file_from_gdrive(file_path: str | Path) -> None:
    """Copy a file from Google Drive to the same relative path here; a longer one of that name here
    is kept as `NAME.before`. Raises DriveError where there is no such file on Drive."""
    with_bytes(drive.file_from_drive(file_path, say), f"{Path(file_path).name} from Google Drive")
