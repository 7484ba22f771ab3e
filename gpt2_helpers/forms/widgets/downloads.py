"""A file of the kernel's machine -> the reader's own: a button in a form, or a call in a cell.

Colaboratory sends files itself. Elsewhere the file travels in the page, as a link that holds it,
which every front end can follow; a large one is where it is, and its place is told.
"""

from __future__ import annotations

import base64
import mimetypes
from html import escape
from pathlib import Path

import ipywidgets as widgets

from gpt2_helpers.errors import OptionError
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.google import colab

MAX_LINK_BYTES = 4 * 10**6  # bytes: the notebook keeps them


def download_button(path: str | Path) -> widgets.Widget:
    """What gives the file to whoever clicks on it; for a large one, words that tell its place.

    OptionError where there is no such file.
    """
    path = _existing(path)
    if colab.in_colaboratory():
        action = ActionButton(f"Download {path.name}", lambda: colab.download_file(path))
        return widgets.VBox([action.button, action.message])
    return widgets.HTML(_link(path))


def download(path: str | Path) -> None:
    """Give a file to the reader, in a cell of its own: sent in Colaboratory, elsewhere a link."""
    path = _existing(path)
    if colab.in_colaboratory():
        colab.download_file(path)
        return
    from IPython.display import display

    display(widgets.HTML(_link(path)))  # type: ignore[no-untyped-call]


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise OptionError(f"there is no file {path}: it may have been moved or not been written")
    return path


def _link(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_LINK_BYTES:
        return message("note", f"{path.name}, {size / 1e6:,.1f} MB, is in {path.resolve().parent}")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    name = escape(path.name)
    return (
        f'<a style="color: inherit; text-decoration: underline" download="{name}" '
        f'href="data:{kind};base64,{content}">'
        f"Download {name}</a>"
    )
