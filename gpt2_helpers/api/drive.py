"""The public functions for Google Drive: those of gpt-2-simple, with the same names and parameters.

New parameters are keyword-only. Each function shows a progress bar and prints the result; the work
is done in `google.drive` and `google.drive_backup`.
"""

from __future__ import annotations

from pathlib import Path

from gpt2_helpers.console import print_line
from gpt2_helpers.google import drive, drive_backup
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.system.progress import show_bytes


def mount_gdrive(*, force_remount: bool = False) -> None:
    """Mount Google Drive in Colab, which asks for permission in a window.

    Outside Colab, the environment variable GPT2_DRIVE_MOUNT can name a folder to use as Drive.

    Args:
        force_remount: Mount again even if Drive is mounted, for a mount that stopped responding.

    Raises:
        DriveError: If Drive can't be mounted.

    Example:
        gpt2.mount_gdrive()
    """
    print_line(f"Google Drive: {drive.mount(force_remount)}")


def is_mounted() -> bool:
    """Whether Google Drive, or the folder used as Drive, is available.

    Returns:
        True if files can be copied to Drive now.

    Example:
        if not gpt2.is_mounted():
            gpt2.mount_gdrive()
    """
    return drive.is_mounted()


def finish_upload() -> None:
    """Wait until all files are uploaded to Google Drive, then unmount it.

    Copying to Drive returns before the upload is complete. Files that are not uploaded when the
    Colab runtime ends are lost.

    Raises:
        DriveError: If Drive does not confirm that the upload is complete.

    Example:
        gpt2.copy_checkpoint_to_gdrive("run1")
        gpt2.finish_upload()
    """
    if drive.finish_upload():
        print_line("upload complete; Google Drive was unmounted (mount_gdrive() remounts it)")
    else:
        print_line("Google Drive is not mounted: nothing to wait for")


def copy_checkpoint_to_gdrive(
    run_name: str = "run1",
    copy_folder: bool = False,
    *,
    checkpoint_dir: str | Path = "checkpoint",
    weights_only: bool = False,
) -> None:
    """Copy the newest checkpoint of a run to Google Drive.

    The copy is an archive, `checkpoint_run1.tar`, with its SHA-256 checksum in a file next to it.
    The previous archive is kept as `checkpoint_run1.before.tar`.

    Args:
        run_name: Name of the run to copy.
        copy_folder: Copy to a folder, `checkpoint/run1`, instead of an archive; this is slower.
        weights_only: Leave out the optimizer state, which is two thirds of the size and only needed
            to resume training.

    Raises:
        DriveError: If Drive is not mounted or is full.
        CheckpointError: If the run is missing or damaged.

    Example:
        gpt2.mount_gdrive()
        gpt2.copy_checkpoint_to_gdrive("run1")
    """
    copying = drive_backup.copy_run_to_drive(
        run_name, checkpoint_dir, weights_only=weights_only, copy_folder=copy_folder
    )
    show_bytes(copying, f"{run_name} to Google Drive")
    print_line("copied; finish_upload() waits until the upload is complete")


def copy_checkpoint_from_gdrive(
    run_name: str = "run1",
    copy_folder: bool = False,
    *,
    checkpoint_dir: str | Path = "checkpoint",
) -> None:
    """Copy a run from Google Drive to `checkpoint_dir/run_name` and verify its checksums.

    A local run of the same name is kept as `run1.before`. Archives of gpt-2-simple are accepted.

    Args:
        run_name: Name of the run to copy.
        copy_folder: Copy from a folder, `checkpoint/run1`, instead of an archive.

    Raises:
        DriveError: If Drive is not mounted or does not contain the run.
        CheckpointError: If the copy is truncated, damaged or unsafe; local files are unchanged.

    Example:
        gpt2.mount_gdrive()
        gpt2.copy_checkpoint_from_gdrive("run1")
    """
    copying = drive_backup.copy_run_from_drive(
        run_name, checkpoint_dir, copy_folder=copy_folder, on_message=print_line
    )
    show_bytes(copying, f"{run_name} from Google Drive")


def copy_file_to_gdrive(file_path: str | Path) -> None:
    """Copy a file to Google Drive, under the same relative path.

    Args:
        file_path: The file to copy.

    Raises:
        DriveError: If the file does not exist, or Drive is not mounted or is full.

    Example:
        gpt2.copy_file_to_gdrive("titles.csv")
    """
    show_bytes(drive.copy_file_to_drive(file_path), f"{_name(file_path)} to Google Drive")


def copy_file_from_gdrive(file_path: str | Path) -> None:
    """Copy a file from Google Drive, to the same relative path.

    A longer local file of that name is kept as `NAME.before`.

    Args:
        file_path: Path of the file on Drive, and of the copy.

    Raises:
        DriveError: If Drive is not mounted or does not contain the file.

    Example:
        gpt2.copy_file_from_gdrive("titles.csv")
    """
    show_bytes(
        drive.copy_file_from_drive(file_path, print_line),
        f"{_name(file_path)} from Google Drive",
    )


def _name(file_path: str | Path) -> str:
    return user_path(file_path, "file_path").name
