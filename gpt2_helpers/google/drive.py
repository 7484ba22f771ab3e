"""Google Drive as a folder: where it is, whether there is room, files to and from it.

Knows nothing of models and runs, and needs no TensorFlow. In Colaboratory Drive is mounted at
/content/drive. The environment variable GPT2_DRIVE_MOUNT names another place: in Colaboratory where
to mount it, elsewhere a folder that stands for Drive, such as the one that Google's program for
Windows and macOS keeps in step with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from gpt2_helpers.errors import DriveError, nearest
from gpt2_helpers.google import colab
from gpt2_helpers.system.files import PREVIOUS, CopyProgress, copy_file, ignore

MOUNT_VARIABLE = "GPT2_DRIVE_MOUNT"
_COLABORATORYS = "/content/drive"
_MARGIN = 100 << 20  # bytes left free: Drive needs some for itself
_FULL = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # Colaboratory shows a full one as EIO
_GONE = (errno.ENOTCONN, errno.ENODEV, errno.ESTALE)
_UNCHANGED = "; what was there before is unchanged"
_FULL_DRIVE = (
    f"Google Drive is full or takes no more today: make room there, and empty its bin{_UNCHANGED}"
)
FULL_HERE = (
    "the disk here is full, or Google Drive does not hand it out now: make room, try again"
    f"{_UNCHANGED}"
)
UNREADABLE = "Google Drive does not hand it out now: try again later"
_ELSEWHERE = (
    "Google Drive can be mounted only in Colaboratory, and this is none: files here stay where "
    f"they are; set {MOUNT_VARIABLE} to a folder, such as Google Drive's on this computer, to copy "
    "them there"
)


def mount_point() -> Path | None:
    """Where Drive is to be found; None outside Colaboratory where no place was named."""
    named = os.environ.get(MOUNT_VARIABLE, "").strip()
    if not named and not colab.in_colab():
        return None
    return Path(named or _COLABORATORYS).expanduser()


def is_mounted() -> bool:
    """Whether Google Drive, or a folder that stands for it, can be used now."""
    return _my_drive() is not None


def my_drive() -> Path:
    """The folder of one's own files on Drive. DriveError, with the line that mounts it, where it
    is not mounted."""
    folder = _my_drive()
    if folder is None:
        point = mount_point()
        if colab.in_colab():
            raise DriveError(
                "Google Drive is not mounted: call mount_gdrive() and allow the access it asks for"
            )
        if point is None:
            raise DriveError(_ELSEWHERE)
        raise DriveError(f"{MOUNT_VARIABLE} names {point}, which is no folder: make or correct it")
    return folder


def _my_drive() -> Path | None:
    point = mount_point()
    if point is None:
        return None
    if colab.in_colab() and not colab.is_mount(point):
        return None
    with contextlib.suppress(OSError):  # a mount that broke down
        for name in ("MyDrive", "My Drive"):
            if (point / name).is_dir():
                return point / name
        if not colab.in_colab() and point.is_dir():
            return point
    return None


def mount(force_remount: bool = False) -> Path:
    """Mount Drive, where it isn't yet; returns the folder of one's own files on it.

    `force_remount` mounts it anew where it no longer answers. Raises DriveError.
    """
    if colab.in_colab() and (force_remount or not is_mounted()):
        point = mount_point()
        assert point is not None
        refusal = None
        try:
            colab.mount_drive(point, force_remount)
        except DriveError as error:
            refusal = error
        if os.path.isdir(point) and not colab.is_mount(point) and os.listdir(point):
            raise DriveError(
                f"Google Drive is to be mounted at {point}, which is an ordinary folder with files "
                f"in it: move it away first, !mv {point} {point}{PREVIOUS}"
            ) from refusal
        if refusal:
            raise refusal
    return my_drive()


def finish_upload() -> bool:
    """Wait until Drive has all that was written, and unmount it: writing there returns before the
    upload is done. False where nothing is mounted that could be waited for. Raises DriveError."""
    point = mount_point()
    if point is None or not colab.in_colab() or not colab.is_mount(point):
        return False
    if not is_mounted():
        raise DriveError(
            "Google Drive no longer answers, and may not have everything: keep this runtime open, "
            "call mount_gdrive(force_remount=True), copy again what was copied last, then "
            "finish_upload()"
        )
    colab.unmount_drive()
    return True


def free_bytes() -> int:
    """Room on Drive, as far as it tells, less a margin. In Colaboratory what is written waits on
    the runtime's own disk for its upload, so there must be room as well."""
    places = [my_drive()]
    if colab.in_colab():
        places.append(Path.home())
    with drive_errors("looking for room"):
        return min(shutil.disk_usage(place).free for place in places) - _MARGIN


def require_space(needed: int, what: str) -> None:
    """DriveError where Drive has no room for `needed` bytes."""
    free = free_bytes()
    if needed > free:
        raise DriveError(
            f"{what} needs {megabytes(needed)} on Google Drive, which has room for "
            f"{megabytes(max(0, free))}: make room there, and empty its bin"
        )


@contextlib.contextmanager
def drive_errors(doing: str, full: str = _FULL_DRIVE) -> Iterator[None]:
    """Errors of a mounted Drive as DriveError, in words; `doing` begins the sentence, and `full`
    ends it where no more could be written."""
    try:
        yield
    except OSError as error:
        advice = str(error.filename or "try again")
        if error.errno in _FULL:
            advice = full
        elif error.errno in _GONE:
            advice = "Google Drive no longer answers: call mount_gdrive(force_remount=True)"
        reason = f"{error.strerror or error}, errno {error.errno}"
        raise DriveError(f"{doing} did not work ({reason}): {advice}") from error


def copy_file_to_drive(file_path: str | Path) -> Generator[CopyProgress, None, Path]:
    """Copy a file to Drive, to the same relative path there; returns where it is then.

    A path that leads out of this folder goes to MyDrive itself. Raises DriveError.
    """
    source = Path(file_path)
    target = my_drive() / _relative(source)
    if not source.is_file():
        what = "is a folder: copy its files, or a run by copy_checkpoint_to_gdrive"
        what = what if source.is_dir() else f"is not there{_hint(source)}"
        raise DriveError(f"{source} {what}")
    require_space(source.stat().st_size, str(source))
    with drive_errors(f"copying {source} to Google Drive"):
        target.parent.mkdir(parents=True, exist_ok=True)
        yield from copy_file(source, target)
    return target


def copy_file_from_drive(
    file_path: str | Path, note: Callable[[str], None] = ignore
) -> Generator[CopyProgress, None, Path]:
    """Copy a file from Drive to the same relative path here; returns that path.

    A longer file of its name here may hold more: it is kept as `NAME.before`, and `note` told.
    Raises DriveError where there is no such file on Drive.
    """
    drive = my_drive()
    target = Path(file_path)
    if target.is_absolute() and target.is_relative_to(drive):
        target = target.relative_to(drive)
    target = _relative(target)
    source = drive / target
    with drive_errors(f"copying {target} from Google Drive", FULL_HERE):
        if not source.is_file():
            raise DriveError(f"there is no file {target} on Google Drive{_hint(source)}")
        size = source.stat().st_size
        longer = target.is_file() and target.stat().st_size > size
        kept = target.with_name(target.name + PREVIOUS)
        if longer and kept.exists():
            raise DriveError(
                f"{target} here has {target.stat().st_size:,} bytes, on Google Drive only "
                f"{size:,}, and {kept} is there already: move one of them away to copy the other"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if size > free:
            raise DriveError(
                f"{target} has {megabytes(size)}, here is room for {megabytes(free)}: make room"
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
        note(f"the longer {target} that stood there before is kept as {kept}")
    return target


def megabytes(count: int) -> str:
    """A number of bytes for people.

    >>> megabytes(1_497_759_104)
    '1,497.8 MB'
    """
    return f"{count / 1e6:,.1f} MB"


def _relative(path: Path) -> Path:
    """Where a path stands on Drive, and here: absolute ones and `..` would lead elsewhere."""
    return Path(path.name) if path.is_absolute() or ".." in path.parts else path


def _hint(missing: Path) -> str:
    """The nearest name, or those there are, where a file is missing."""
    with contextlib.suppress(OSError):
        names = sorted(path.name for path in missing.parent.iterdir() if path.is_file())
        if near := nearest(missing.name, names):
            return near
        if names:
            return f": there are {', '.join(names[:10])}" + (" ..." if len(names) > 10 else "")
    return ""
