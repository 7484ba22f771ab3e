"""Downloads a run as one file, which can be unpacked elsewhere or put into Google Drive."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets

from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.downloads import deliver
from gpt2_helpers.forms.widgets.progress import show_copy_progress
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.google.run_archive import (
    archive_members,
    archive_name,
    delete_archive,
    pack,
    packed_size,
)
from gpt2_helpers.system.sizes import file_size

_HELP = (
    "Unpack the file to get the run's folder, or put it at the top level of your Google Drive: the "
    "notebooks list it there."
)


def run_download(folder: str | Path) -> widgets.VBox:
    """Return a button that packs a run into one file and downloads it.

    Without the optimizer state the file is a third of the size: enough to generate, while training
    would resume with a fresh optimizer.

    Args:
        folder: The folder of the run, such as checkpoint/run1.

    Example:
        display(run_download(sess.run_folder))
    """
    run = RunFolder(Path(folder).parent, Path(folder).name)
    status, result = widgets.HTML(), widgets.VBox()
    everything = widgets.Checkbox(
        description="With the optimizer state (three times the size)",
        indent=False,
        layout=widgets.Layout(width="auto"),
    )

    def download() -> None:
        result.children = []
        members = archive_members(run.require(), weights_only=not everything.value)
        archive = Path(archive_name(run.name))
        delete_archive(archive)  # an earlier download
        show_copy_progress(pack(members, archive), f"Packing {archive}", status)
        size = f"{file_size(packed_size(members))}"
        status.value = message("note", f"{archive}, {size}. {_HELP}")
        result.children = [deliver(archive)]

    action = ActionButton(f"Download {run.name} (one file)", download)
    line = widgets.HBox([action.button, everything])
    line.add_class("gpt2-line")
    box = widgets.VBox([line, action.message, status, result])
    box.add_class("gpt2-form")
    return box
