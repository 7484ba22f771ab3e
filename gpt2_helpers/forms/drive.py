"""Google Drive in a notebook: whether to use it, and what is kept there.

How a copy is made, checked and waited for, `drive` and `backups` know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from gpt2_helpers import drive
from gpt2_helpers.fields import Checked, option
from gpt2_helpers.forms.cells import status_line
from gpt2_helpers.forms.form import ConfigForm, Shown
from gpt2_helpers.forms.progress import shown_moving
from gpt2_helpers.forms.refusal import plain_errors
from gpt2_helpers.forms.style import told


@dataclass(frozen=True)
class DriveConfig(Checked):
    """Whether Google Drive is used, and how much of a run is kept there."""

    use_drive: bool = option(
        False,
        "runs and files are kept in your Google Drive, and found there again",
        label="Use Google Drive",
    )
    weights_only: bool = option(
        False,
        "keep only what generating needs, a third of the size; training cannot go on exactly",
        label="Weights only",
        advanced=True,
    )


class DriveForm(Shown):
    """Whether to use Drive; `run()` in the next cell opens it, `keep()` at the end fills it.

    drive = DriveForm()
    drive                                       # as a cell's last line: shows it
    drive.run()                                 # opens Drive, where that is wished
    drive.keep("run1", files=["titles.txt"])    # copies, and waits until Drive has it

    The environment variables GPT2_USE_DRIVE and GPT2_WEIGHTS_ONLY go before `defaults`. What is
    mounted already is used by itself.
    """

    def __init__(self, **defaults: Any) -> None:
        self.form = ConfigForm(DriveConfig, defaults={"use_drive": drive.is_mounted(), **defaults})
        self.widget = self.form.widget

    @property
    def config(self) -> DriveConfig:
        """What stands in the form; OptionError where it is wrong."""
        return self.form.config(DriveConfig)

    @property
    def is_open(self) -> bool:
        """Whether Drive is wished for, and can be used now."""
        return self.config.use_drive and drive.is_mounted()

    def run(self) -> None:
        """Open Drive, where that is wished: in Colaboratory a window asks for access."""
        status = status_line()
        with plain_errors():
            if not self.config.use_drive:
                status.value = told("note", "Google Drive is not used.")
                return
            place = drive.mount()
            room = f"{drive.free_bytes() / 1e9:,.1f} GB are free"
        status.value = told("note", f"Google Drive is open: {place}, {room}.")

    def keep(self, run_name: str | None = None, files: Iterable[str | Path] = ()) -> None:
        """Copy a run and files to Drive, and wait until it has them; elsewhere say where they are.

        In Colaboratory Drive is closed afterwards, and `run()` opens it again.
        """
        status = status_line()
        with plain_errors():
            config, paths = self.config, [Path(path) for path in files]
            if not config.use_drive:
                status.value = told("note", _where(run_name, paths))
                return
            drive.mount()
            kept = list(self._copied(run_name, paths, config, status))
            words = f"Google Drive has {' and '.join(kept)}."
            if drive.finish_upload():
                words += " It is closed now: the cell that opens it opens it again."
        status.value = told("note", words)

    def _copied(
        self, run_name: str | None, files: list[Path], config: DriveConfig, status: widgets.HTML
    ) -> Iterator[str]:
        from gpt2_helpers.backups import run_to_drive

        if run_name is not None:
            copying = run_to_drive(run_name, weights_only=config.weights_only)
            path = shown_moving(copying, f"Copying {run_name} to Google Drive", status)
            yield path.name
        for path in files:
            target = shown_moving(
                drive.file_to_drive(path), f"Copying {path.name} to Google Drive", status
            )
            yield target.name


def _where(run_name: str | None, files: list[Path]) -> str:
    """Where things are that are not copied."""
    places = [Path("checkpoint", run_name).resolve()] if run_name else []
    places += [path.resolve() for path in files]
    return f"Google Drive is not used: you find all in {', '.join(map(str, places))}."
