"""Fake google.colab.drive: the mounted Drive is a link to a folder."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from pathlib import Path
from typing import Any

_open, _ismount, _replace = builtins.open, os.path.ismount, os.replace


class _Metered(io.FileIO):
    """A file on a Drive with a quota: writing more raises errno 5."""

    def write(self, data: Any) -> int:
        left = int(os.environ["FAKE_COLAB_QUOTA"]) - len(data)
        if left < 0:
            raise OSError(errno.EIO, "Input/output error")
        os.environ["FAKE_COLAB_QUOTA"] = str(left)
        return super().write(data)


def mount(
    mountpoint: str, force_remount: bool = False, timeout_ms: int = 120000, readonly: bool = False
) -> None:
    """Link `mountpoint/MyDrive` to Drive, with the real function's checks."""
    point = Path(mountpoint)
    if " " in mountpoint:
        raise ValueError(f'Mountpoint "{mountpoint}" must not contain a space.')
    if point.is_symlink():
        raise ValueError("Mountpoint must not be a symlink")
    link = point / "MyDrive"
    if link.is_symlink():
        if not force_remount:
            print(f"Drive already mounted at {mountpoint}.")
            return
        link.unlink()
    if point.exists() and not point.is_dir():
        raise ValueError("Mountpoint must either be a directory or not exist")
    if point.is_dir() and any(point.iterdir()):
        raise ValueError("Mountpoint must not already contain files")
    if os.environ.get("FAKE_COLAB_MOUNT_REFUSED"):
        raise ValueError("mount failed")
    point.mkdir(parents=True, exist_ok=True)
    link.symlink_to(_cache() if _uploads_late() else _google())
    if os.environ.get("FAKE_COLAB_LAG"):
        os.replace = _replaced_on(link)  # type: ignore[assignment]
    if "FAKE_COLAB_QUOTA" in os.environ:
        builtins.open = _opened_on(link)
    print(f"Mounted at {mountpoint}")
    _mounts.append(link)


def flush_and_unmount(timeout_ms: int = 86400000) -> None:
    """Upload all files and remove the mount."""
    if not _mounts:
        print("Drive not mounted, so nothing to flush and unmount.")
    while _mounts:
        _mounts.pop().unlink(missing_ok=True)
    if _uploads_late():
        waiting, google = _cache(), _google()
        shutil.rmtree(google)
        waiting.rename(google)
    builtins.open, os.replace = _open, _replace


_mounts: list[Path] = []


def _is_mount(path: Any) -> bool:
    return _ismount(path) or Path(path, "MyDrive").is_symlink()


os.path.ismount = _is_mount


def _uploads_late() -> bool:
    return bool(os.environ.get("FAKE_COLAB_SLOW") or os.environ.get("FAKE_COLAB_LAG"))


def _google() -> Path:
    folder = Path(os.environ["FAKE_COLAB_DRIVE"]).absolute() / "MyDrive"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _cache() -> Path:
    """The files that the runtime shows, uploaded or not."""
    folder = _google().with_name("waiting for upload")
    if not folder.exists():
        shutil.copytree(_google(), folder)
    return folder


def _replaced_on(drive: Path) -> Any:
    """After each archive, only half of an earlier one is uploaded."""
    late = int(os.environ["FAKE_COLAB_LAG"])
    states: list[Path] = []

    def late_replace(source: Any, target: Any, **named: Any) -> None:
        _replace(source, target, **named)
        archive = Path(target)
        if archive.parent != drive or archive.suffix != ".tar" or ".before" in archive.name:
            return
        google = _google()
        states.append(google.with_name(f"state {len(states) + 1}"))
        shutil.copytree(_cache(), states[-1])
        if len(states) >= late:
            shutil.rmtree(google)
            shutil.copytree(states[-late], google)
            os.truncate(google / archive.name, (google / archive.name).stat().st_size // 2)

    return late_replace


def _opened_on(drive: Path) -> Any:
    def metered_open(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        writes = set(mode) & set("wax+")
        if not writes or isinstance(file, int) or drive not in Path(file).absolute().parents:
            return _open(file, mode, *rest, **named)
        raw = _Metered(file, mode.replace("b", "").replace("t", ""))
        binary = io.BufferedWriter(raw)
        return binary if "b" in mode else io.TextIOWrapper(binary, encoding="utf-8")

    return metered_open
