"""Finds runs: lists them, and says where a missing run is."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.system.files import PREVIOUS
from gpt2_helpers.system.paths import user_path

# Browsers and Google Drive put a number or a time between the name and the suffix of a download.
_ARCHIVE = (
    r"(?:checkpoint_)?{name}(?:[ _-]?\([0-9]+\)|-[0-9]{{8}}T[0-9]{{6}}Z(?:-[0-9]+)*)?"
    r"\.(?:tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2|txz|zip|7z|rar)"
)
_UNPACKERS = {".zip": "unzip", ".7z": "7z x", ".rar": "unrar x"}
_INDEX = "model*.index"


def run_names(checkpoint_dir: str | Path) -> list[str]:
    """Names of the runs in a folder, newest first."""
    checkpoint_dir = user_path(checkpoint_dir, "checkpoint_dir")
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


def misplaced_run(checkpoint_dir: Path, name: str) -> Path | None:
    """The folder with the files of a run, if it is one or two levels off; else None."""
    if any(checkpoint_dir.glob(_INDEX)):
        return checkpoint_dir
    pattern = glob.escape(name)
    for places in (f"{pattern}/*", f"{pattern}/*/*", f"*/{pattern}"):
        for index in sorted(checkpoint_dir.glob(f"{places}/{_INDEX}")):
            parts = index.parent.relative_to(checkpoint_dir).parts
            if not any(part.startswith(".") for part in parts):  # a temporary folder
                return index.parent
    return None


def describe_misplaced(checkpoint_dir: Path, name: str) -> str:
    """Where the files of a misplaced run are and what to do; empty if there are none."""
    found = misplaced_run(checkpoint_dir, name)
    if found is None:
        return ""
    place = found if found.name.strip(".") else found.resolve()
    options = f"set checkpoint_dir={str(place.parent)!r} and run_name={place.name!r}"
    if found == checkpoint_dir:
        return f"{found} is itself a run: {options}"
    return f"there is a run in {found}: move it to {checkpoint_dir / name}, or {options}"


def refuse_if_misplaced(checkpoint_dir: Path, name: str) -> None:
    """Raise CheckpointError if a run's files are in another folder, where a new run of this name
    would hide them."""
    if found := describe_misplaced(checkpoint_dir, name):
        raise CheckpointError(
            f"no run {name!r} in {checkpoint_dir}, but {found}; a new run needs another run_name"
        )


def where_instead(checkpoint_dir: Path, name: str) -> str:
    """Where a missing run may be: in another folder, in an archive, or in an incomplete folder."""
    if misplaced := describe_misplaced(checkpoint_dir, name):
        return misplaced
    for archive in run_archives((checkpoint_dir, checkpoint_dir.parent, Path()), name):
        return f"{archive} is an archive of it: {how_to_unpack(archive, checkpoint_dir / name)}"
    if (checkpoint_dir / name).is_dir():
        return f"{checkpoint_dir / name} contains no checkpoint (model*.index and its data file)"
    return ""


def how_to_unpack(archive: Path, run: Path) -> str:
    """What to do with an archive that is not opened by this package.

    >>> how_to_unpack(Path("run1.zip"), Path("checkpoint/run1"))
    "unpack it (unzip 'run1.zip'), so that checkpoint/run1 contains model*.index and the rest"
    """
    command = _UNPACKERS.get(archive.suffix.lower(), "tar xf")
    return (
        f"unpack it ({command} {str(archive)!r}), so that {run} contains model*.index and the rest"
    )


def run_archives(folders: tuple[Path, ...], name: str) -> Iterator[Path]:
    """The archives in these folders that are named after a run."""
    run = Path(name)
    pattern = re.compile(_ARCHIVE.format(name=re.escape(run.name)), re.IGNORECASE)
    for folder in folders:
        with suppress(OSError):  # the folder does not exist
            entries = sorted((folder / run.parent).iterdir())
            yield from (path for path in entries if pattern.fullmatch(path.name) and path.is_file())
