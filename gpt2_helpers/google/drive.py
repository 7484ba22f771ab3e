"""Google Drive as a folder: mounting, free space, and copying single files.

In Colab, Drive is mounted at /content/drive. The environment variable GPT2_DRIVE_MOUNT changes this
mount point. Outside Colab it names a folder to use as Drive, such as the one that Google Drive for
desktop synchronizes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from gpt2_helpers.errors import DISK_FULL, DriveError, nearest
from gpt2_helpers.google import colab
from gpt2_helpers.system.files import PREVIOUS, CopyProgress, copy_file, ignore
from gpt2_helpers.system.paths import user_path
from gpt2_helpers.system.sizes import file_size

MOUNT_VARIABLE = "GPT2_DRIVE_MOUNT"
_COLAB_MOUNT = "/content/drive"
_MARGIN = 100 << 20  # bytes to leave free, which Drive needs for itself
_FULL = (errno.EIO, *DISK_FULL)  # in Colab a full Drive raises EIO
_GONE = (errno.ENOTCONN, errno.ENODEV, errno.ESTALE)
_UNCHANGED = "; existing files are unchanged"
_FULL_DRIVE = (
    f"Google Drive is full or its daily quota is used up: free some space there and empty its trash"
    f"{_UNCHANGED}"
)
FULL_HERE = (
    "the local disk is full, or Google Drive is not available: free some space and try again"
    f"{_UNCHANGED}"
)
UNREADABLE = "Google Drive is not available: try again later"
_NOT_COLAB = (
    "Google Drive can be mounted only in Colab, and this is not Colab: local files stay where "
    f"they are; to copy them, set {MOUNT_VARIABLE} to the folder of Google Drive for desktop"
)


def mount_point() -> Path | None:
    """The mount point of Drive; None outside Colab unless GPT2_DRIVE_MOUNT is set."""
    configured = os.environ.get(MOUNT_VARIABLE, "").strip()
    if not configured and not colab.in_colab():
        return None
    return Path(os.path.expanduser(configured or _COLAB_MOUNT))


def is_mounted() -> bool:
    """Whether Google Drive, or the folder used as Drive, is available."""
    return _my_drive() is not None


def my_drive() -> Path:
    """The folder of the user's own files on Drive.

    Raises DriveError if Drive is not mounted; the message says how to mount it.
    """
    folder = _my_drive()
    if folder is None:
        point = mount_point()
        if colab.in_colab():
            raise DriveError(
                "Google Drive is not mounted: call mount_gdrive() and grant the permission"
            )
        if point is None:
            raise DriveError(_NOT_COLAB)
        raise DriveError(f"{MOUNT_VARIABLE}={point} is not a folder: create it or correct the path")
    return folder


def _my_drive() -> Path | None:
    point = mount_point()
    if point is None:
        return None
    if colab.in_colab() and not colab.is_mount(point):
        return None
    with contextlib.suppress(OSError):  # the mount stopped responding
        for name in ("MyDrive", "My Drive"):
            if (point / name).is_dir():
                return point / name
        if not colab.in_colab() and point.is_dir():
            return point
    return None


def mount(force_remount: bool = False) -> Path:
    """Mount Drive if necessary.

    Args:
        force_remount: Mount again even if Drive is mounted, for a mount that stopped responding.

    Returns:
        The folder of the user's own files on Drive.

    Raises:
        DriveError: If Drive can't be mounted.

    Example:
        mount() / "titles.csv"
    """
    if colab.in_colab() and (force_remount or not is_mounted()):
        point = mount_point()
        assert point is not None
        mount_error = None
        try:
            colab.mount_drive(point, force_remount)
        except DriveError as error:
            mount_error = error
        if os.path.isdir(point) and not colab.is_mount(point) and os.listdir(point):
            raise DriveError(
                f"Google Drive can't be mounted at {point}, which is a folder that contains files: "
                f"move it first with !mv {point} {point}{PREVIOUS}"
            ) from mount_error
        if mount_error:
            raise mount_error
    return my_drive()


def finish_upload() -> bool:
    """Wait until all files are uploaded to Drive, then unmount it.

    Writing to a mounted Drive returns before the upload is complete.

    Returns:
        False if Drive is not mounted, so that there is nothing to wait for.

    Raises:
        DriveError: If Drive does not confirm that the upload is complete.

    Example:
        finish_upload()
    """
    point = mount_point()
    if point is None or not colab.in_colab() or not colab.is_mount(point):
        return False
    if not is_mounted():
        raise DriveError(
            "Google Drive stopped responding, and the upload may be incomplete: keep this runtime "
            "open, call mount_gdrive(force_remount=True), repeat the last copy, and call "
            "finish_upload() again"
        )
    colab.unmount_drive()
    return True


def free_bytes() -> int:
    """Free space on Drive, less a margin.

    In Colab, files are cached on the runtime's disk until they are uploaded, so the smaller of both
    counts.
    """
    folders = [my_drive()]
    if colab.in_colab():
        folders.append(Path.home())
    with drive_errors("checking the free space"):
        return min(shutil.disk_usage(folder).free for folder in folders) - _MARGIN


def require_space(needed: int, what: str) -> None:
    """Raise DriveError if Drive has less than `needed` bytes of free space."""
    free = free_bytes()
    if needed > free:
        raise DriveError(
            f"{what} needs {file_size(needed)} on Google Drive, which has "
            f"{file_size(max(0, free))} free: free some space there and empty its trash"
        )


@contextlib.contextmanager
def drive_errors(doing: str, full: str = _FULL_DRIVE) -> Iterator[None]:
    """Convert OSErrors of a mounted Drive to DriveError.

    Args:
        doing: What is being done; the message starts with it.
        full: The advice in the message if the disk is full.

    Raises:
        DriveError: If the block raises an OSError.
    """
    try:
        yield
    except OSError as error:
        advice = str(error.filename or "try again")
        if error.errno in _FULL:
            advice = full
        elif error.errno in _GONE:
            advice = "Google Drive stopped responding: call mount_gdrive(force_remount=True)"
        reason = f"{error.strerror or error}, errno {error.errno}"
        raise DriveError(f"{doing} failed ({reason}): {advice}") from error


def copy_file_to_drive(file_path: str | Path) -> Generator[CopyProgress, None, Path]:
    """Copy a file to the same relative path on Drive.

    A file outside the current directory is copied to MyDrive itself.

    Args:
        file_path: The file to copy.

    Returns:
        A generator of the progress, which returns the path of the copy.

    Raises:
        DriveError: If the file does not exist, or Drive is not mounted or is full.
    """
    source = user_path(file_path, "file_path")
    target = my_drive() / _relative(source)
    if not source.is_file():
        problem = "is a folder: copy single files, or a run with copy_checkpoint_to_gdrive"
        if not source.is_dir():
            problem = f"does not exist{_hint(source)}"
        raise DriveError(f"{source} {problem}")
    require_space(source.stat().st_size, str(source))
    with drive_errors(f"copying {source} to Google Drive"):
        target.parent.mkdir(parents=True, exist_ok=True)
        yield from copy_file(source, target)
    return target


def copy_file_from_drive(
    file_path: str | Path, on_message: Callable[[str], None] = ignore
) -> Generator[CopyProgress, None, Path]:
    """Copy a file from Drive to the same relative path.

    A longer local file may contain more, so it is kept as `NAME.before`.

    Args:
        file_path: Path of the file on Drive, and of the copy.
        on_message: Called with a message if a local file was kept.

    Returns:
        A generator of the progress, which returns the path of the copy.

    Raises:
        DriveError: If the file does not exist on Drive, or Drive is not mounted.
    """
    drive = my_drive()
    target = user_path(file_path, "file_path")
    if target.is_absolute() and target.is_relative_to(drive):
        target = target.relative_to(drive)
    target = _relative(target)
    source = drive / target
    with drive_errors(f"copying {target} from Google Drive", FULL_HERE):
        if not source.is_file():
            raise DriveError(f"{target} does not exist on Google Drive{_hint(source)}")
        size = source.stat().st_size
        longer = target.is_file() and target.stat().st_size > size
        kept = target.with_name(target.name + PREVIOUS)
        if longer and kept.exists():
            raise DriveError(
                f"the local {target} has {target.stat().st_size:,} bytes, the one on Google Drive "
                f"only {size:,}, and {kept} already exists: move one of the local files first"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if size > free:
            raise DriveError(
                f"{target} needs {file_size(size)}, and {file_size(free)} are free: free some space"
            )
        if longer:
            os.replace(target, kept)
        try:
            yield from copy_file(source, target)
        except BaseException:
            if longer:
                os.replace(kept, target)
            raise
    if longer:
        on_message(f"the longer local {target} is kept as {kept}")
    return target


def _relative(path: Path) -> Path:
    """The path relative to the root of Drive: only the file name if it is absolute or has `..`."""
    return Path(path.name) if path.is_absolute() or ".." in path.parts else path


def _hint(missing: Path) -> str:
    """The most similar file name, or a list of the existing files."""
    with contextlib.suppress(OSError):
        names = sorted(path.name for path in missing.parent.iterdir() if path.is_file())
        if near := nearest(missing.name, names):
            return near
        if names:
            return f": existing files are {', '.join(names[:10])}" + (
                " ..." if len(names) > 10 else ""
            )
    return ""
