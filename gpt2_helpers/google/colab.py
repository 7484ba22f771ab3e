"""All uses of the package google.colab, which exists only in Google Colaboratory (Colab).

The package can't be installed elsewhere, so it is imported when a function needs it. Outside Colab
the functions raise an error that says what to do instead.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from gpt2_helpers.errors import DriveError, Gpt2Error


def in_colab() -> bool:
    """Whether this process runs in Colab."""
    return bool(os.environ.get("COLAB_RELEASE_TAG")) or "google.colab" in sys.modules


def is_mount(point: str | Path) -> bool:
    """Whether a file system is mounted at a path, even if it stopped responding.

    A plain folder with the name of a mount point would be lost at the end of the Colab runtime.
    """
    try:
        os.lstat(point)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # the mount stopped responding
        return True
    return os.path.ismount(point)


def mount_drive(mountpoint: str | Path, force_remount: bool = False) -> None:
    """Mount Google Drive; Colab asks for permission in a window. Raises DriveError."""
    drive = _import_part("drive", "Google Drive can be mounted", "local files stay where they are")
    try:
        drive.mount(str(mountpoint), force_remount=force_remount)
    except Exception as error:  # it raises half a dozen types
        raise DriveError(
            f"mounting Google Drive failed ({_line(error)}): run the cell again and grant the "
            "permission that the window asks for"
        ) from error


def unmount_drive() -> None:
    """Wait until all files are uploaded to Google Drive, then unmount it. Raises DriveError."""
    drive = _import_part("drive", "Google Drive can be unmounted", "nothing is mounted")
    try:
        drive.flush_and_unmount()
    except Exception as error:
        raise DriveError(
            f"Google Drive did not confirm that the upload is complete ({_line(error)}): keep this "
            "runtime open and call finish_upload() again"
        ) from error


def download_file(path: str | Path) -> None:
    """Download a file with the user's browser. Raises Gpt2Error."""
    path = Path(path)
    if not path.is_file():
        raise Gpt2Error(f"{path} does not exist: there is nothing to download")
    files = _import_part("files", "browser downloads work", f"the file is {path.absolute()}")
    files.download(str(path))


def authenticate_user(project_id: str | None = None) -> None:
    """Sign in to Google Cloud; Colab asks for permission in a window. Raises Gpt2Error."""
    auth = _import_part(
        "auth", "signing in with a window works", "run `gcloud auth application-default login`"
    )
    try:
        auth.authenticate_user(project_id=project_id)
    except Exception as error:
        raise Gpt2Error(
            f"signing in to Google failed ({_line(error)}): run the cell again and grant the "
            "permission that the window asks for"
        ) from error


def show_port(port: int) -> None:
    """Show a local web server below the cell; only the signed-in user can reach it.

    Raises Gpt2Error.
    """
    output = _import_part("output", "a page can be shown below a cell", f"open port {port}")
    output.serve_kernel_port_as_iframe(port, height="720")


def _import_part(name: str, feature: str, instead: str) -> ModuleType:
    """Import a module of google.colab; raises DriveError or Gpt2Error outside Colab."""
    if in_colab():
        try:
            return importlib.import_module(f"google.colab.{name}")
        except ImportError:
            pass  # for example Colab's Docker image on another machine
    kind = DriveError if name == "drive" else Gpt2Error
    raise kind(f"{feature} only in Colab, and this is not Colab: {instead}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
