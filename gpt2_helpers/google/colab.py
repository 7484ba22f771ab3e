"""What only Colaboratory has, each call of google.colab in one place. Knows nothing of runs.

google.colab comes with Colaboratory and cannot be installed: it is imported where it is used, and
elsewhere each function says what to do instead.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from gpt2_helpers.errors import DriveError, Gpt2Error


def in_colab() -> bool:
    """Whether this Python runs in Google's Colaboratory."""
    return bool(os.environ.get("COLAB_RELEASE_TAG")) or "google.colab" in sys.modules


def is_mount(point: str | Path) -> bool:
    """Whether something is mounted there, be it one that broke down: a folder that only bears
    Drive's name goes with the machine."""
    try:
        os.lstat(point)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # it no longer answers
        return True
    return os.path.ismount(point)


def mount_drive(mountpoint: str | Path, force_remount: bool = False) -> None:
    """Make Google Drive a folder; Colaboratory asks for access in a window. Raises DriveError."""
    drive = _part("drive", "Google Drive can be mounted", "files here stay where they are")
    try:
        drive.mount(str(mountpoint), force_remount=force_remount)
    except Exception as error:  # of half a dozen kinds, its own among them
        raise DriveError(
            f"Google Drive was not mounted ({_line(error)}): run the cell again and allow the "
            "access that the window asks for"
        ) from error


def unmount_drive() -> None:
    """Wait until Google Drive has all that was written, then let go of it. Raises DriveError."""
    drive = _part("drive", "Google Drive can be unmounted", "nothing is mounted here")
    try:
        drive.flush_and_unmount()
    except Exception as error:
        raise DriveError(
            f"Google Drive did not say that it has everything ({_line(error)}): keep this runtime "
            "open and call finish_upload() again"
        ) from error


def download_file(path: str | Path) -> None:
    """Hand a file of this machine to the browser, which saves it. Raises Gpt2Error."""
    path = Path(path)
    if not path.is_file():
        raise Gpt2Error(f"there is no file {path} to download")
    _part("files", "a browser's download starts", f"the file is {path.absolute()}").download(
        str(path)
    )


def authenticate_user(project_id: str | None = None) -> None:
    """Sign the user in to Google Cloud; Colaboratory asks in a window. Raises Gpt2Error."""
    auth = _part(
        "auth", "signing in by a window works", "run `gcloud auth application-default login`"
    )
    try:
        auth.authenticate_user(project_id=project_id)
    except Exception as error:
        raise Gpt2Error(
            f"signing in to Google did not work ({_line(error)}): run the cell again and allow "
            "the access that the window asks for"
        ) from error


def show_port(port: int) -> None:
    """Show what listens on a port of this machine below the cell, which Colaboratory passes on to
    the signed-in user alone. Raises Gpt2Error."""
    output = _part("output", "a page is shown below the cell", f"it is on port {port}")
    output.serve_kernel_port_as_iframe(port, height="720")


def _part(name: str, what: str, instead: str) -> ModuleType:
    """A module of google.colab; DriveError or Gpt2Error where this is not Colaboratory."""
    if in_colab():
        try:
            return importlib.import_module(f"google.colab.{name}")
        except ImportError:
            pass  # such as Colaboratory's own image, run on another machine
    kind = DriveError if name == "drive" else Gpt2Error
    raise kind(f"{what} only in Colaboratory, and this is none: {instead}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
