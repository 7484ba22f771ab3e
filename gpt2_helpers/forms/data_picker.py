"""The choice of a text to train on: what is here, an upload, a path or an address of the web."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.documents import find_files
from gpt2_helpers.data.samples import sample_path
from gpt2_helpers.errors import DatasetError, Gpt2Error, OptionError
from gpt2_helpers.fields import ValidatedConfig, option
from gpt2_helpers.forms.data_preview import DataPreview, format_size, guess_text_column, preview
from gpt2_helpers.forms.uploads import download_into, is_url, save_upload, uploaded_files
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.google import drive

ENDINGS = (".txt", ".csv", ".tsv", ".md", ".npz", ".npy")
_SAMPLES = {
    "stories.txt": "Sample: a play in many parts (stories.txt)",
    "titles.csv": "Sample: titles of questions (titles.csv)",
}
_OF_A_PROJECT = ("requirements", "constraints", "readme", "license", "changelog")
_TYPED = ""  # the choice of what stands in the box below
_UPLOAD_HELP = (
    "Upload takes files of up to about 10 MB. Drag a larger one into the list of files at the left "
    "of the page (in Colaboratory: the folder symbol), then press Look again."
)


@dataclass(frozen=True)
class DataChoice(ValidatedConfig):
    """What stands in the form."""

    dataset: str = option(_TYPED, "the text to learn from", label="Your text")
    address: str = option(
        "",
        "a file, a folder, a pattern such as texts/*.txt, or a web address (https://...)",
        label="Path or address",
    )


class DataPicker(Displayable):
    """A form that ends in the path of a text, table, archive or folder to train on.

    picker = DataPicker()
    picker                       # as a cell's last line: shows it
    load_dataset(picker.path(), tokenizer, DatasetConfig(column=picker.column))

    Offered are the samples, and the files in `folder`, in the folder `data` beside it and at the
    top of a mounted Google Drive; `dataset` is chosen at first, and of a table `column`, without
    it the longest. Uploads and what is fetched go into `folder`. The environment variable
    GPT2_DATASET takes a path or an address, GPT2_COLUMN the column of a table.
    """

    def __init__(
        self,
        folder: str | Path = ".",
        dataset: str | Path | None = None,
        column: str | None = None,
    ) -> None:
        self._folder = Path(folder)
        self._callbacks: list[Callable[[], None]] = []
        self._look: DataPreview | None = None
        self._has_looked = False
        self._looked_at: Any = None
        self._upload = widgets.FileUpload(
            accept=",".join(ENDINGS),
            description="Upload a file",
            layout=widgets.Layout(width="auto"),
        )
        self._upload.observe(self._on_upload, "value")
        self._uploaded = widgets.HTML()
        again = ActionButton("Look again", self.refresh)
        buttons = widgets.HBox([self._upload, again.button, again.message, self._uploaded])
        buttons.add_class("gpt2-line")
        buttons.add_class("gpt2-indent")
        help = widgets.HTML(message("help", _UPLOAD_HELP))
        help.add_class("gpt2-below")
        self._shown = widgets.HTML()
        self._shown.add_class("gpt2-indent")
        found = self._found()
        if dataset in _SAMPLES and not self._folder.joinpath(dataset).is_file():
            dataset = sample_path(str(dataset))
        self.form = ConfigForm(
            DataChoice,
            DatasetConfig,
            only=("dataset", "address", "column"),
            defaults={"dataset": str(dataset or found[0][1]), "column": column},
            choices={"dataset": found, "column": [None]},
            after={"dataset": widgets.VBox([buttons, help]), "column": self._shown},
        )
        self.widget = self.form.widget
        self.form.on_change(self._changed)
        self._update()

    @property
    def value(self) -> str:
        """The path or address as it was chosen; OptionError where nothing is."""
        chosen: str = self.form.value("dataset") or self.form.value("address").strip()
        if not chosen:
            raise OptionError(
                "no text to train on was chosen: choose one, upload one, or type where it is"
            )
        return chosen

    @property
    def column(self) -> str | None:
        """The column of a table with several, else None."""
        known = self._look.columns if self._look else {}
        if self._look and len(known) < 2:
            return None
        column: str | None = self.form.value("column")
        return column

    @property
    def characters(self) -> int | None:
        """How many characters there are to train on, where that is known."""
        return self._look.characters if self._look else None

    def path(self) -> str:
        """What `load_dataset` takes. An address is fetched first, with a bar.

        Raises OptionError where nothing is chosen, DatasetError for what is not there or no text,
        DownloadError for what cannot be fetched.
        """
        chosen = self.value
        if is_url(chosen):
            file = download_into(chosen, self._folder)
            self._choose(file)
            chosen = str(file)
        find_files(chosen)
        return chosen

    def refresh(self) -> None:
        """Look again for the files there are."""
        self.form.offer("dataset", self._found())
        self._looked_at = None
        self._update()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change."""
        self._callbacks.append(callback)

    def _found(self) -> list[tuple[str, str]]:
        """What is offered: pairs of words and path."""
        offered, seen = [], set()
        for name, words in _SAMPLES.items():
            try:
                sample = sample_path(name)
            except DatasetError:
                continue  # deleted: there is enough else to train on
            offered.append((words, str(sample)))
            seen.add(sample.resolve())
        places = [("", self._folder), ("", self._folder / ".." / "data")]
        if drive.is_mounted():
            places.append(("Drive: ", drive.my_drive()))
        for where, folder in places:
            for file in _files_in(folder):
                if file.resolve() not in seen:
                    seen.add(file.resolve())
                    size = format_size(file.stat().st_size)
                    offered.append((f"{where}{file.name} ({size})", str(file)))
        return [*offered, ("A path or web address, typed below", _TYPED)]

    def _choose(self, file: Path) -> None:
        self.form.offer("dataset", self._found())
        self.form.set(dataset=str(file))

    def _on_upload(self, _change: Any) -> None:
        files = uploaded_files(self._upload.value)
        if not files:
            return
        try:
            kept = [save_upload(name, content, self._folder) for name, content in files]
        except Gpt2Error as error:
            self._uploaded.value = message("error", str(error))
            return
        self._uploaded.value = message("note", f"Saved as {kept[-1].name}.")
        self._choose(kept[-1])

    def _changed(self) -> None:
        self._update()
        for callback in self._callbacks:
            callback()

    def _update(self) -> None:
        """Show what was chosen: how much it is, how it begins, or what is wrong with it."""
        typed = self.form.raw_value("dataset") == _TYPED
        self.form.row("address").widget.layout.display = None if typed else "none"
        chosen = str(self.form.raw_value("dataset") or self.form.raw_value("address")).strip()
        key = (chosen, self.form.raw_value("column"))
        if key == self._looked_at:
            return
        self._looked_at, self._look = key, None
        words = ""
        if is_url(chosen):
            words = message("note", "It is fetched when the next cell runs.")
        elif chosen:
            try:
                words = self._look_at(chosen)
            except (Gpt2Error, OSError) as error:
                words = message("error", str(error))
        self._shown.value = words
        several = self._look is not None and len(self._look.columns) > 1
        self.form.row("column").widget.layout.display = None if several else "none"

    def _look_at(self, chosen: str) -> str:
        """Take the look, as HTML; of a table with several columns one is chosen."""
        look = preview(chosen)
        if len(look.columns) > 1:
            column = self.form.raw_value("column")
            # What a variable or a caller says stays, to be refused where it is wrong; what was
            # chosen for another table before is no choice for this one.
            if column is None or (column not in look.columns and self._has_looked):
                column = guess_text_column(look.columns)
            self.form.row("column").write(column)
            self.form.offer("column", list(look.columns))
            self._looked_at = (chosen, column)
            look = preview(chosen, column)
        self._look, self._has_looked = look, True
        parts = [message("heading", look.amounts), message("excerpt", look.beginning)]
        return "".join([*parts, *(message("note", note) for note in look.notes)])


def _files_in(folder: Path) -> Iterable[Path]:
    """The files at the top of a folder that look like something to train on."""
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS)
    except OSError:
        return []
    return [
        file
        for file in files
        if file.is_file() and not file.name.lower().startswith((".", *_OF_A_PROJECT))
    ]
