"""Google Drive in a notebook: whether to use it, and what is kept there.

How a copy is made, checked and waited for, `drive` and `backups` know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.html import status_line
from gpt2_helpers.forms.widgets.progress import show_copy_progress
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.google import drive

if TYPE_CHECKING:
    from gpt2_helpers.session import Session


@dataclass(frozen=True)
class DriveConfig(ValidatedConfig):
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


class DriveForm(Displayable):
    """Whether to use Drive; `run()` in the next cell opens it, `save()` at the end fills it.

    drive = DriveForm()
    drive                                       # as a cell's last line: shows it
    drive.run()                                 # opens Drive, where that is wished
    drive.save(sess, files=["titles.txt"])      # copies, and waits until Drive has it
    drive.save("run1")                          # a run of checkpoint/ by its name

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

    def run(self) -> None:
        """Open Drive, where that is wished: in Colaboratory a window asks for access."""
        status = status_line()
        with plain_errors():
            if not self.config.use_drive:
                status.value = message("note", "Google Drive is not used.")
                return
            place = drive.mount()
            room = f"{drive.free_bytes() / 1e9:,.1f} GB are free"
        status.value = message("note", f"Google Drive is open: {place}, {room}.")

    def save(
        self, run: str | Session | None = None, files: Iterable[str | Path | None] = ()
    ) -> None:
        """Copy a run and files to Drive, and wait until it has them; elsewhere say where they are.

        `run` is the session that holds it, or its name. A file that is None, as that of a call that
        was interrupted before it wrote one, is passed over. In Colaboratory Drive is closed
        afterwards, and `run()` opens it again.
        """
        status = status_line()
        with plain_errors():
            config, paths = self.config, [Path(path) for path in files if path is not None]
            folder = None if run is None else _folder_of(run)
            if folder is None and not paths:
                status.value = message("note", "There is nothing to keep.")
                return
            if not config.use_drive:
                status.value = message("note", _where(folder, paths))
                return
            drive.mount()
            kept = list(self._copied(folder, paths, config, status))
            words = f"Google Drive has {' and '.join(kept)}."
            if drive.finish_upload():
                words += " It is closed now: the cell that opens it opens it again."
        status.value = message("note", words)

    def _copied(
        self, run: Path | None, files: list[Path], config: DriveConfig, status: widgets.HTML
    ) -> Iterator[str]:
        from gpt2_helpers.google.drive_backup import run_to_drive

        if run is not None:
            copying = run_to_drive(run.name, run.parent, weights_only=config.weights_only)
            path = show_copy_progress(copying, f"Copying {run.name} to Google Drive", status)
            yield path.name
        for path in files:
            target = show_copy_progress(
                drive.file_to_drive(path), f"Copying {path.name} to Google Drive", status
            )
            yield target.name


def _folder_of(run: str | Session) -> Path:
    """The folder of a run, by its name or by the session that holds it."""
    if isinstance(run, str):
        return Path("checkpoint", run)
    if run.run_folder is None:
        raise OptionError(
            "the session holds no finetuned run to keep: train or load one, or give a run's name"
        )
    return run.run_folder


def _where(run: Path | None, files: list[Path]) -> str:
    """Where things are that are not copied."""
    places = [path.resolve() for path in ([run] if run else []) + files]
    return f"Google Drive is not used: you find all in {', '.join(map(str, places))}."
