"""Finds the sample data in a clone of the project or an installation.

A clone has it in `data/`. An installation has it in `share/gpt2-helpers` of the environment; the
package's metadata records the exact location.
"""

from __future__ import annotations

import sysconfig
from importlib import metadata
from pathlib import Path

from gpt2_helpers.errors import DatasetError, OptionError, nearest

SAMPLES = ("stories.txt", "titles.csv", "dishes.jsonl")
PARENT = Path(__file__).parents[2]  # the clone, or the site-packages folder
SHARE = Path("share", "gpt2-helpers")  # the same as data-files in pyproject.toml


def sample_path(name: str) -> Path:
    """Return the path of a sample file.

    Args:
        name: `stories.txt`, `titles.csv` or `dishes.jsonl`.

    Raises:
        OptionError: The name is not that of a sample.
        DatasetError: The file is missing.

    Example:
        >>> sample_path("titles.csv").name
        'titles.csv'
    """
    if name not in SAMPLES:
        names = ", ".join(SAMPLES)
        raise OptionError(f"unknown sample {name!r}{nearest(name, SAMPLES)}: choose from {names}")
    in_environment = Path(sysconfig.get_path("data"), SHARE, name)
    in_target = PARENT / SHARE / name  # after pip install --target
    for path in (PARENT / "data" / name, *_recorded_paths(name), in_environment, in_target):
        if path.is_file():
            return path
    raise DatasetError(
        f"the sample {name} is missing from {in_environment}: reinstall the package "
        "(pip install --force-reinstall --no-deps) or clone the project"
    )


def _recorded_paths(name: str) -> list[Path]:
    """The location in the package's metadata, which also covers pip install --user."""
    try:
        files = metadata.files("gpt2-helpers") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())).resolve() for file in files if file.match(str(SHARE / name))]
