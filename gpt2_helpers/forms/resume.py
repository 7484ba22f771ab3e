"""Coming back: the runs that there are, here and on Google Drive, and the one to go on with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.errors import Gpt2Error
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

# What another day decides anew, whatever the run was told when it began.
_NOT_RESUMED = {
    "steps",
    "run_name",
    "restore_from",
    "checkpoint_dir",
    "overwrite",
    "backup_to_drive",
}


class ResumeForm(Displayable):
    """A list of the runs that training can go on with, the newest chosen; `run()` brings it here.

    earlier = ResumeForm()
    earlier                                     # as a cell's last line: shows it
    earlier.run()                               # in the next cell
    form = FinetuneForm(**earlier.defaults)     # begins with the run's own text and options

    Nothing happens where there is no run, or where training anew is chosen. With a `run_name` that
    run is chosen in place of the newest, and a new one where it is not there.
    """

    def __init__(
        self, run_name: str | None = None, checkpoint_dir: str | Path = "checkpoint"
    ) -> None:
        from gpt2_helpers.system.tensorflow_setup import load_tensorflow

        load_tensorflow()
        from gpt2_helpers.google.drive_backup import HERE, saved_runs

        self._checkpoint_dir = Path(checkpoint_dir)
        self._record: RunRecord | None = None
        self._dataset: Path | None = None
        notes: list[str] = []  # of Drive
        runs = saved_runs(self._checkpoint_dir, notes.append)
        options: list[tuple[str, SavedRun | None]] = [
            (describe_run(saved, on_drive=saved.place != HERE), saved) for saved in runs
        ]
        self._list = widgets.Dropdown(
            options=[*options, ("begin a new one", None)],
            description="Go on with",
            layout=widgets.Layout(width="700px", max_width="100%"),
            style={"description_width": LABEL_WIDTH},
        )
        if run_name is not None:
            self._list.value = next((saved for saved in runs if saved.name == run_name), None)
        words = warning_messages(notes)
        if not runs:
            words += message("note", "No earlier run was found: there is nothing to do here.")
            self._list.layout.display = "none"
        self.widget = widgets.VBox([style_sheet(), self._list, widgets.HTML(words)])
        self.widget.add_class("gpt2-form")

    @property
    def chosen(self) -> SavedRun | None:
        """The run to go on with, None for a new one."""
        chosen: SavedRun | None = self._list.value
        return chosen

    def choose(self, name: str | None) -> None:
        """Choose a run by its name, None for a new one. Gpt2Error where there is none such."""
        for _, saved in self._list.options:
            if (saved.name if saved else None) == name:
                self._list.value = saved
                return
        raise Gpt2Error(f"there is no run {name!r} in the list")

    def run(self) -> None:
        """Bring the chosen run here from Drive, and its text, where they are not here yet."""
        status = status_line()
        self._record = self._dataset = None
        saved = self.chosen
        if saved is None:
            status.value = message("note", "A new run will be begun.")
            return
        from gpt2_helpers.checkpoint.run_folder import RunFolder
        from gpt2_helpers.google.drive_backup import bring_here

        with plain_errors():
            notes: list[str] = []
            bringing = bring_here(saved, self._checkpoint_dir, notes.append)
            show_copy_progress(bringing, f"Copying {saved.name} from Google Drive", status)
            self._record = RunFolder(self._checkpoint_dir, saved.name).read().record
            self._dataset, word = _text_of(self._record, status)
        status.value = "".join(message("note", line) for line in (*notes, word) if line)

    @property
    def defaults(self) -> dict[str, Any]:
        """What a FinetuneForm begins with, so that it goes on as before; empty for a new run."""
        saved, record = self.chosen, self._record
        if saved is None or record is None:
            return {}
        fields = {
            field.name
            for kind in (FinetuneConfig, RunConfig, DatasetConfig)
            for field in dataclasses.fields(kind)
        }
        own = {n: v for n, v in record.parameters.items() if n in fields - _NOT_RESUMED}
        text = {"dataset": self._dataset} if self._dataset else {}
        return {**own, **text, "run_name": saved.name, "restore_from": "latest"}


def _text_of(record: RunRecord, status: widgets.HTML) -> tuple[Path | None, str]:
    """The text that a run was trained on, from Drive where it is not here; and a word about it."""
    if not record.dataset:
        return None, "It does not say what text it was trained on: choose it in the form."
    path = Path(record.dataset)
    if path.exists():
        return path, ""
    if not path.is_absolute() and drive.is_mounted() and (drive.my_drive() / path).is_file():
        copying = drive.file_from_drive(path)
        return show_copy_progress(copying, f"Copying {path.name} from Google Drive", status), ""
    return None, f"Its text, {path.name}, is not here: upload it in the form below."
