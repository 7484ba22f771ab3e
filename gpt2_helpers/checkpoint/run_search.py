"""Finds runs: lists them, and says where a missing run is."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gpt2_helpers.system.files import PREVIOUS

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".7z", ".rar")
_INDEX = "model*.index"


def run_names(checkpoint_dir: str | Path) -> list[str]:
    """Names of the runs in a folder, newest first."""
    checkpoint_dir = Path(checkpoint_dir)
    found: dict[str, float] = {}
    for path in checkpoint_dir.glob(f"*/{_INDEX}"):
        name = path.parent.name
        original = name.removesuffix(PREVIOUS)
        if current_path(checkpoint_dir, original) == path.parent:
            name = original
        with suppress(FileNotFoundError):  # a running process may just have deleted it
            found[name] = max(path.stat().st_mtime, found.get(name, 0.0))
    return sorted(found, key=lambda name: found[name], reverse=True)


def current_path(checkpoint_dir: Path, name: str) -> Path:
    """The folder with a run's files, `NAME.before` if replacing the run was interrupted."""
    path, previous = checkpoint_dir / name, checkpoint_dir / (name + PREVIOUS)
    if not path.exists() and (checkpoint_dir / f".part-{name}").is_dir() and previous.is_dir():
        return previous
    return path


def misplaced_run(checkpoint_dir: Path, name: str) -> str:
    """Where the files of a run are if they are one or two folders off, and what to do.

    Returns:
        A sentence, or an empty string if none are found.
    """
    if any(checkpoint_dir.glob(_INDEX)):
        place = checkpoint_dir.resolve()
        return (
            f"{checkpoint_dir} is itself a run: set checkpoint_dir={str(place.parent)!r} and "
            f"run_name={place.name!r}"
        )
    pattern = glob.escape(name)
    for place in (f"{pattern}/*", f"{pattern}/*/*", f"*/{pattern}"):
        for index in sorted(checkpoint_dir.glob(f"{place}/{_INDEX}")):
            folder = index.parent
            if not any(part.startswith(".") for part in folder.relative_to(checkpoint_dir).parts):
                return (
                    f"there is a run in {folder}: move it to {checkpoint_dir / name}, or set "
                    f"checkpoint_dir={str(folder.parent)!r} and run_name={folder.name!r}"
                )
    return ""


def whereabouts(checkpoint_dir: Path, name: str) -> str:
    """What there is of a run that cannot be opened: misplaced files, an archive, or a folder."""
    if misplaced := misplaced_run(checkpoint_dir, name):
        return misplaced
    for archive in run_archives((checkpoint_dir, checkpoint_dir.parent, Path()), name):
        return (
            f"{archive} is an archive of it: unpack it, so that {checkpoint_dir / name} contains "
            "model*.index and the files next to it"
        )
    if (checkpoint_dir / name).is_dir():
        return f"{checkpoint_dir / name} contains no checkpoint (model*.index and its data file)"
    return ""


def run_archives(folders: tuple[Path, ...], name: str) -> Iterator[Path]:
    """The archives in these folders that are named after a run."""
    for folder in folders:
        for stem in (f"checkpoint_{name}", name):
            for suffix in ARCHIVE_SUFFIXES:
                if (path := folder / f"{stem}{suffix}").is_file():
                    yield path
