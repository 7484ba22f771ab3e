"""Data picker: chooses training text from local files, uploads, paths and web addresses."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.compression import data_name
from gpt2_helpers.data.find_files import find_files
from gpt2_helpers.data.json_files import PAIR_KEYS
from gpt2_helpers.data.remote_files import is_url
from gpt2_helpers.data.samples import sample_path
from gpt2_helpers.errors import DatasetError, Gpt2Error, OptionError
from gpt2_helpers.fields import ValidatedConfig, option
from gpt2_helpers.forms.data_preview import DataPreview, guess_text_column, preview
from gpt2_helpers.forms.uploads import (
    download_into,
    is_web_address,
    save_upload,
    uploaded_files,
)
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.form import ConfigForm, Displayable
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.generation.output_file import is_generated
from gpt2_helpers.google import drive
from gpt2_helpers.system.sizes import file_size

SUFFIXES = (".txt", ".csv", ".tsv", ".md", ".npz", ".npy", ".jsonl", ".ndjson", ".json", ".parquet")
_COMPRESSED = (".gz", ".zst")  # after one of the suffixes above
_SAMPLES = {
    "stories.txt": "Sample: a play (stories.txt)",
    "titles.csv": "Sample: question titles (titles.csv)",
    "dishes.jsonl": "Sample: dishes from three ingredients (dishes.jsonl)",
}
_PROJECT_FILES = ("requirements", "constraints", "readme", "license", "changelog")
_COLUMNS = ("column", "prompt_column", "keywords_from")
_TYPED = ""  # the item that refers to the text box below
_UPLOAD_HELP = (
    "Files of up to about 10 MB can be uploaded here. Drag a larger file into the file browser on "
    "the left (in Colab: the folder icon), then press Refresh."
)


@dataclass(frozen=True)
class DataChoice(ValidatedConfig):
    """The values of the form."""

    dataset: str = option(
        _TYPED, "plain text, a table, or a file of encoded text", label="Training text"
    )
    address: str = option(
        "",
        "a file, a folder, a pattern such as texts/*.txt, or a URL (https://, s3://, gs://)",
        label="Path or URL",
    )


class DataPicker(Displayable):
    """A form to choose the training text, with a preview.

    picker = DataPicker()
    picker                       # last line of a cell: displays the form
    load_dataset(picker.path(), tokenizer, DatasetConfig(column=picker.column))

    It lists the samples and the files in `folder`, in a folder `data` next to it, and at the top
    level of a mounted Google Drive, except files of generated texts. The environment
    variables GPT2_DATASET (a path or URL) and GPT2_COLUMN override the arguments.

    Args:
        folder: Where to list files, and to save uploads and downloads.
        dataset: The initial choice: a path, or the name of a sample.
        column: The initial column of a table (default: the one with the most text).
    """

    def __init__(
        self,
        folder: str | Path = ".",
        dataset: str | Path | None = None,
        column: str | None = None,
    ) -> None:
        self._folder = Path(folder)
        self._callbacks: list[Callable[[], None]] = []
        self._preview: DataPreview | None = None
        self._has_preview = False
        self._previewed: Any = None
        self._upload = widgets.FileUpload(
            accept=",".join((*SUFFIXES, *_COMPRESSED)),
            description="Upload a file",
            layout=widgets.Layout(width="auto"),
        )
        self._upload.observe(self._on_upload, "value")
        self._uploaded = widgets.HTML()
        refresh = ActionButton("Refresh", self.refresh)
        buttons = widgets.HBox([self._upload, refresh.button, refresh.message, self._uploaded])
        buttons.add_class("gpt2-line")
        buttons.add_class("gpt2-indent")
        help = widgets.HTML(message("help", _UPLOAD_HELP))
        help.add_class("gpt2-below")
        self._shown, self._warning = widgets.HTML(), widgets.HTML()
        self._warning.add_class("gpt2-indent")
        below = widgets.VBox([self._shown, self._warning])
        self._shown.add_class("gpt2-indent")
        items = self._items()
        if dataset in _SAMPLES and not self._folder.joinpath(dataset).is_file():
            dataset = sample_path(str(dataset))
        self.form = ConfigForm(
            DataChoice,
            DatasetConfig,
            only=("dataset", "address", *_COLUMNS, "encoding"),
            defaults={"dataset": str(dataset or items[0][1]), "column": column},
            choices={"dataset": items, **dict.fromkeys(_COLUMNS, [None])},
            after={
                "dataset": widgets.VBox([buttons, help]),
                "column": below,
            },
        )
        self.widget = self.form.widget
        self.form.on_change(self._notify)
        self._update()

    @property
    def value(self) -> str:
        """The chosen path or URL. Raises OptionError if nothing is chosen."""
        chosen: str = self.form.value("dataset") or self.form.value("address").strip()
        if not chosen:
            raise OptionError(
                "no training text chosen: select a file, upload one, or type a path or URL"
            )
        return chosen

    @property
    def column(self) -> str | None:
        """The chosen column of a table, or None for data with a single column."""
        return self._column("column")

    @property
    def prompt_column(self) -> str | None:
        """The chosen column of the prompts, if any."""
        return self._column("prompt_column")

    @property
    def keywords_from(self) -> str | None:
        """The chosen column to draw keywords from, if any."""
        return self._column("keywords_from")

    def _column(self, name: str) -> str | None:
        if self._preview and len(self._preview.columns) < 2 and name != "keywords_from":
            return None
        column: str | None = self.form.value(name)
        return column

    @property
    def encoding(self) -> str | None:
        """The chosen encoding of the text, or None to detect it."""
        encoding: str | None = self.form.value("encoding")
        return encoding

    @property
    def preview(self) -> DataPreview | None:
        """What is known about the training text, or None if none is chosen."""
        return self._preview

    def path(self) -> str:
        """Return the path for `load_dataset`. A URL is downloaded first, with a progress bar.

        Raises:
            OptionError: If nothing is chosen.
            DatasetError: If the file does not exist or contains no text.
            DownloadError: If the URL cannot be downloaded.
        """
        chosen = self.value
        if is_web_address(chosen):
            file = download_into(chosen, self._folder)
            self._choose(file)
            chosen = str(file)
        if not is_url(chosen):  # of another protocol, which is read by load_dataset
            find_files(chosen)
        return chosen

    def refresh(self) -> None:
        """List the files again."""
        self.form.offer("dataset", self._items())
        self._previewed = None
        self._update()

    def warn(self, text: str) -> None:
        """Show a warning below the preview; an empty text removes it."""
        self._warning.value = message("warning", text)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change."""
        self._callbacks.append(callback)

    def _items(self) -> list[tuple[str, str]]:
        """Return the items of the dropdown: pairs of label and path."""
        items, seen, samples = [], set(), {}
        for name, label in _SAMPLES.items():
            try:
                sample = sample_path(name)
            except DatasetError:
                continue  # the sample was deleted
            items.append((label, str(sample)))
            seen.add(sample.resolve())
            samples[name] = sample
        places = [("", self._folder), ("", self._folder / ".." / "data")]
        if drive.is_mounted():
            places.append(("Drive: ", drive.my_drive()))
        for prefix, folder in places:
            for file in _files_in(folder):
                is_sample = file.name in samples and _is_same(file, samples[file.name])
                if file.resolve() not in seen and not is_sample:
                    seen.add(file.resolve())
                    size = file_size(file.stat().st_size)
                    items.append((f"{prefix}{file.name} ({size})", str(file)))
        return [*items, ("Other path or URL", _TYPED)]

    def _choose(self, file: Path) -> None:
        self.form.offer("dataset", self._items())
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

    def _notify(self) -> None:
        self._update()
        for callback in self._callbacks:
            callback()

    def _update(self) -> None:
        """Show a preview of the chosen text, or what is wrong with it."""
        typed = self.form.raw_value("dataset") == _TYPED
        self.form.row("address").widget.layout.display = None if typed else "none"
        chosen = str(self.form.raw_value("dataset") or self.form.raw_value("address")).strip()
        key = self._preview_key(chosen)
        if key == self._previewed:
            return
        self._previewed, self._preview = key, None
        shown = ""
        asks_encoding = bool(self.form.raw_value("encoding"))
        if is_url(chosen):
            shown = message("note", "The file is downloaded when the next cell runs.")
        elif chosen:
            try:
                shown = self._show_preview(chosen)
            except (Gpt2Error, OSError) as error:
                shown = message("error", str(error))
                asks_encoding = True
        if self._preview is not None:
            asks_encoding |= any("guess" in note for note in self._preview.notes)
        self.form.row("encoding").widget.layout.display = None if asks_encoding else "none"
        self._shown.value = shown
        n_columns = 0 if self._preview is None else len(self._preview.columns)
        for name in _COLUMNS:
            is_shown = n_columns > (0 if name == "keywords_from" else 1)
            self.form.row(name).widget.layout.display = None if is_shown else "none"

    def _preview_key(self, chosen: str) -> tuple[Any, ...]:
        return (chosen, *(self.form.raw_value(name) for name in (*_COLUMNS, "encoding")))

    def _show_preview(self, chosen: str) -> str:
        """Return the preview as HTML. Selects a column if the table has several."""
        encoding = self.encoding
        found = preview(chosen, encoding=encoding)
        optional = [("none", None), *((name, name) for name in found.columns)]
        for name in ("prompt_column", "keywords_from"):
            if self.form.raw_value(name) not in (None, *found.columns) and self._has_preview:
                self.form.row(name).write(None)
            self.form.offer(name, optional)
        if len(found.columns) > 1:
            column = self.form.raw_value("column")
            # A column that was chosen for the previous table is dropped. One from a variable or an
            # argument is kept, so that a wrong name shows an error.
            if column is None or (column not in found.columns and self._has_preview):
                column = guess_text_column(found.columns)
                if column == PAIR_KEYS[1] and PAIR_KEYS[0] in found.columns:
                    self.form.row("prompt_column").write(PAIR_KEYS[0])
            self.form.row("column").write(column)
            self.form.offer("column", list(found.columns))
            self._previewed = self._preview_key(chosen)
        if len(found.columns) > 1 or self.form.raw_value("keywords_from"):
            columns = (self.form.raw_value(name) for name in ("prompt_column", "keywords_from"))
            found = preview(chosen, self.form.raw_value("column"), encoding, *columns)
        self._preview, self._has_preview = found, True
        parts = [message("heading", found.size), message("excerpt", found.excerpt)]
        return "".join([*parts, *(message("note", note) for note in found.notes)])


def _files_in(folder: Path) -> Iterable[Path]:
    """Return the files in a folder that look like training text, without generated texts."""
    try:
        files = sorted(
            file for file in folder.iterdir() if data_name(file).suffix.lower() in SUFFIXES
        )
    except OSError:
        return []
    return [
        file
        for file in files
        if file.is_file()
        and not file.name.lower().startswith((".", *_PROJECT_FILES))
        and not is_generated(file)
    ]


def _is_same(file: Path, other: Path) -> bool:
    """Whether two files have the same content, such as the copies of a sample in a clone and in an
    installation."""
    try:
        return filecmp.cmp(file, other, shallow=False)
    except OSError:
        return False
