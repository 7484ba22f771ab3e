"""The form to resume a run: lists local runs and those on Google Drive."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.errors import Gpt2Error, brief
from gpt2_helpers.forms.model_picker import describe_run
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.form import Displayable
from gpt2_helpers.forms.widgets.html import status_line, warning_messages
from gpt2_helpers.forms.widgets.progress import show_copy_progress
from gpt2_helpers.forms.widgets.style import LABEL_WIDTH, message, style_sheet
from gpt2_helpers.google import drive

if TYPE_CHECKING:
    from gpt2_helpers.checkpoint.run_record import RunRecord
    from gpt2_helpers.google.drive_backup import SavedRun

# Options that the form does not take from the run.
_NOT_RESUMED = {
    "steps",
    "run_name",
    "restore_from",
    "checkpoint_dir",
    "overwrite",
    "backup_to_drive",
}


class ResumeForm(Displayable):
    """A list of runs to resume. `run()` copies the chosen one from Google Drive if necessary.

    resume = ResumeForm()
    resume                                      # last line of a cell: displays the form
    resume.run()                                # in the next cell
    form = FinetuneForm(**resume.defaults)      # has the dataset and options of the run

    Args:
        run_name: The run to select, or a new run if it does not exist (default: the newest run).
        checkpoint_dir: Folder of the local runs.
    """

    def __init__(
        self, run_name: str | None = None, checkpoint_dir: str | Path = "checkpoint"
    ) -> None:
        from gpt2_helpers.system.tensorflow_setup import load_tensorflow

        load_tensorflow()
        from gpt2_helpers.google.drive_backup import LOCAL, saved_runs

        self._checkpoint_dir = Path(checkpoint_dir)
        self._record: RunRecord | None = None
        self._dataset: Path | None = None
        notes: list[str] = []
        runs = saved_runs(self._checkpoint_dir, notes.append)
        options: list[tuple[str, SavedRun | None]] = [
            (describe_run(saved, on_drive=saved.location != LOCAL), saved) for saved in runs
        ]
        self._list = widgets.Dropdown(
            options=[*options, ("start a new run", None)],
            description="Resume",
            layout=widgets.Layout(width="700px", max_width="100%"),
            style={"description_width": LABEL_WIDTH},
        )
        if run_name is not None:
            self._list.value = next((saved for saved in runs if saved.name == run_name), None)
        text = warning_messages(notes)
        if not runs:
            text += message("note", "No runs found: nothing to do here.")
            self._list.layout.display = "none"
        self.widget = widgets.VBox([style_sheet(), self._list, widgets.HTML(text)])
        self.widget.add_class("gpt2-form")

    @property
    def chosen(self) -> SavedRun | None:
        """The run to resume, or None for a new one."""
        chosen: SavedRun | None = self._list.value
        return chosen

    def choose(self, name: str | None) -> None:
        """Select a run by name, or None for a new one. Raises Gpt2Error if it does not exist."""
        for _, saved in self._list.options:
            if (saved.name if saved else None) == name:
                self._list.value = saved
                return
        raise Gpt2Error(f"no run {name!r} in the list")

    def run(self) -> None:
        """Copy the chosen run and its dataset from Google Drive if they are not here yet."""
        status = status_line()
        self._record = self._dataset = None
        saved = self.chosen
        if saved is None:
            status.value = message("note", "A new run will be started.")
            return
        from gpt2_helpers.checkpoint.run_folder import RunFolder
        from gpt2_helpers.google.drive_backup import fetch_saved_run

        with plain_errors():
            notes: list[str] = []
            copying = fetch_saved_run(saved, self._checkpoint_dir, notes.append)
            show_copy_progress(copying, f"Copying {saved.name} from Google Drive", status)
            self._record = RunFolder(self._checkpoint_dir, saved.name).read().record
            self._dataset, note = _find_dataset(self._record, status)
        status.value = "".join(message("note", line) for line in (*notes, note) if line)

    @property
    def defaults(self) -> dict[str, Any]:
        """Arguments for FinetuneForm to resume the run as before; empty for a new run."""
        saved, record = self.chosen, self._record
        if saved is None or record is None:
            return {}
        fields = {
            field.name
            for kind in (FinetuneConfig, RunConfig, DatasetConfig)
            for field in dataclasses.fields(kind)
        }
        options = {n: v for n, v in record.parameters.items() if n in fields - _NOT_RESUMED}
        dataset = {"dataset": self._dataset} if self._dataset else {}
        return {**options, **dataset, "run_name": saved.name, "restore_from": "latest"}


def _find_dataset(record: RunRecord, status: widgets.HTML) -> tuple[Path | None, str]:
    """Return the dataset of a run, copied from Drive if necessary, and a note if it is missing."""
    if not record.dataset:
        return None, "The run does not record its training text: choose it in the form below."
    path = Path(record.dataset)
    # The record may be from somebody else, with a name that is too long for a file.
    if os.path.exists(path):
        return path, ""
    is_relative = not path.is_absolute()
    if is_relative and drive.is_mounted() and os.path.isfile(drive.my_drive() / path):
        copying = drive.copy_file_from_drive(path)
        return show_copy_progress(copying, f"Copying {path.name} from Google Drive", status), ""
    return (
        None,
        f"The training text {brief(path.name, 80)} is missing: upload it in the form below.",
    )
