"""Where the sample data is, in a clone of the project or installed. Knows nothing of its content.

A clone has it in `data/`. Installing copies it into `share/gpt2-helpers` of the environment, and
notes that place in the package's metadata.
"""

from __future__ import annotations

import sysconfig
from importlib import metadata
from pathlib import Path

from gpt2_helpers.errors import DatasetError, OptionError, nearest

SAMPLES = ("stories.txt", "titles.csv")
PARENT = Path(__file__).parents[2]  # the clone, or the folder of installed packages
SHARE = Path("share", "gpt2-helpers")  # as pyproject.toml says under data-files


def sample_path(name: str) -> Path:
    """The file of a sample, whole and ready to train on.

    Raises OptionError for a name that is none, DatasetError where the file was deleted.

    >>> sample_path("titles.csv").name
    'titles.csv'
    """
    if name not in SAMPLES:
        known = ", ".join(SAMPLES)
        raise OptionError(f"the samples are {known}, got {name!r}{nearest(name, SAMPLES)}")
    installed = Path(sysconfig.get_path("data"), SHARE, name)
    beside = PARENT / SHARE / name  # after pip install --target
    for place in (PARENT / "data" / name, *_noted(name), installed, beside):
        if place.is_file():
            return place
    raise DatasetError(
        f"the sample {name} is not where it was installed, {installed}: install the package "
        "again (pip install --force-reinstall --no-deps), or clone the project"
    )


def _noted(name: str) -> list[Path]:
    """Where the package's metadata says that the file was put, also with pip's --user."""
    try:
        files = metadata.files("gpt2-helpers") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())).resolve() for file in files if file.match(str(SHARE / name))]
