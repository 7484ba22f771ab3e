"""The form for Google Drive: mounts it and saves runs and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option
from gpt2_helpers.forms.run_download import run_download
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.html import show, status_line
from gpt2_helpers.forms.widgets.progress import show_copy_progress
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.google import drive
from gpt2_helpers.system.sizes import file_size

if TYPE_CHECKING:
    from gpt2_helpers.session import Session


@dataclass(frozen=True)
class DriveConfig(ValidatedConfig):
    """Whether to use Google Drive, and what to save there."""

    use_drive: bool = option(
        False,
        "keep runs and files there, and load them again another day",
        label="Use Google Drive",
    )
    weights_only: bool = option(
        False,
        "save only what generation needs, a third of the size; training cannot be resumed exactly",
        label="Weights only",
        advanced=True,
    )


class DriveForm(Displayable):
    """A form to use Google Drive. `run()` mounts it, `save()` copies runs and files to it.

    drive = DriveForm()
    drive                                       # last line of a cell: displays the form
    drive.run()                                 # next cell: mounts Drive if the box is checked
    drive.save(sess, files=["titles.txt"])      # copies and waits until Drive has the files
    drive.save("run1")                          # a run in checkpoint/ by its name

    If Drive is already mounted, the box is checked. The environment variables GPT2_USE_DRIVE and
    GPT2_WEIGHTS_ONLY override the arguments.

    Args:
        **defaults: Initial values of the fields of DriveConfig.
    """

    def __init__(self, **defaults: Any) -> None:
        self.form = ConfigForm(DriveConfig, defaults={"use_drive": drive.is_mounted(), **defaults})
        self.widget = self.form.widget

    @property
    def config(self) -> DriveConfig:
        """The values of the form."""
        return self.form.config(DriveConfig)

    def run(self) -> None:
        """Mount Drive if the box is checked. Colab asks for permission in a window."""
        status = status_line()
        with plain_errors():
            if not self.config.use_drive:
                status.value = message("note", "Google Drive is not used.")
                return
            path = drive.mount()
            free = f"{file_size(max(0, drive.free_bytes()))} free"
        status.value = message("note", f"Google Drive is mounted at {path}, {free}.")

    def save(
        self, run: str | Session | None = None, files: Iterable[str | Path | None] = ()
    ) -> None:
        """Copy a run and files to Drive and wait for the upload.

        Without Drive, show their paths and a button that downloads the run as one file.

        Colab unmounts Drive at the end, which completes the upload; `run()` mounts it again.

        Args:
            run: A session with a finetuned run, or the name of a run in checkpoint/.
            files: Other files. None is skipped, such as the result of an interrupted call.

        Raises:
            NotebookError: If Drive is not available, or a run or file does not exist.
        """
        status = status_line()
        with plain_errors():
            config, paths = self.config, [Path(path) for path in files if path is not None]
            folder = None if run is None else _folder_of(run)
            if folder is None and not paths:
                status.value = message("note", "Nothing to save.")
                return
            if not config.use_drive:
                status.value = message("note", _local_paths(folder, paths))
                if folder is not None:
                    show(run_download(folder))
                return
            drive.mount()
            names = list(self._copy(folder, paths, config, status))
            text = f"Saved in Google Drive: {', '.join(names)}."
            if drive.finish_upload():
                text += " Drive is now unmounted; drive.run() mounts it again."
        status.value = message("note", text)

    def _copy(
        self, run: Path | None, files: list[Path], config: DriveConfig, status: widgets.HTML
    ) -> Iterator[str]:
        from gpt2_helpers.google.drive_backup import copy_run_to_drive

        if run is not None:
            copying = copy_run_to_drive(run.name, run.parent, weights_only=config.weights_only)
            path = show_copy_progress(copying, f"Copying {run.name} to Google Drive", status)
            yield path.name
        for path in files:
            target = show_copy_progress(
                drive.copy_file_to_drive(path), f"Copying {path.name} to Google Drive", status
            )
            yield target.name


def _folder_of(run: str | Session) -> Path:
    """Return the folder of a run, given its name or its session."""
    if isinstance(run, str):
        return Path("checkpoint", run)
    if run.run_folder is None:
        raise OptionError(
            "the session has no finetuned run to save: train or load one, or enter a run's name"
        )
    return run.run_folder


def _local_paths(run: Path | None, files: list[Path]) -> str:
    """Return a sentence with the paths of files that are not copied."""
    paths = [path.resolve() for path in ([run] if run else []) + files]
    return f"Google Drive is not used. Saved on this machine: {', '.join(map(str, paths))}."
