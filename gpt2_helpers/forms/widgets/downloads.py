"""Downloads a file from the kernel's machine to the user's computer.

Colab has its own download function. Other front ends get a link. That of a small file contains the
file; that of a large one is relative to the notebook, which JupyterLab resolves, and the path of
the file is shown as well.
"""

from __future__ import annotations

import base64
import mimetypes
from html import escape
from pathlib import Path
from urllib.parse import quote

import ipywidgets as widgets

from gpt2_helpers.errors import OptionError
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.google import colab
from gpt2_helpers.system.sizes import file_size

MAX_LINK_BYTES = 4 * 10**6  # a link's content is stored in the notebook


def download_button(path: str | Path) -> widgets.Widget:
    """Return a widget that downloads a file when clicked.

    Args:
        path: An existing file.

    Raises:
        OptionError: If the file does not exist.
    """
    path = _existing(path)
    if colab.in_colab():
        action = ActionButton(f"Download {path.name}", lambda: colab.download_file(path))
        return widgets.VBox([action.button, action.message])
    return _link(path)


def deliver(path: str | Path) -> widgets.Widget:
    """Download a file at once in Colab; elsewhere return a link to it.

    Args:
        path: An existing file.

    Raises:
        OptionError: If the file does not exist.
    """
    path = _existing(path)
    if colab.in_colab():
        colab.download_file(path)
        return widgets.HTML(message("note", "The browser saves the file."))
    return _link(path)


def download(path: str | Path) -> None:
    """Download a file from a cell: directly in Colab, elsewhere by a link below the cell.

    Args:
        path: An existing file.

    Raises:
        OptionError: If the file does not exist.

    Example:
        forms.download("titles.txt")
    """
    path = _existing(path)
    if colab.in_colab():
        colab.download_file(path)
        return
    from IPython.display import display

    display(_link(path))  # type: ignore[no-untyped-call]


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise OptionError(f"file not found: {path}: check the path, or write the file first")
    return path


def _link(path: Path) -> widgets.Widget:
    size = path.stat().st_size
    if size <= MAX_LINK_BYTES:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        content = base64.b64encode(path.read_bytes()).decode("ascii")
        return widgets.HTML(_anchor(path, f"data:{kind};base64,{content}"))
    place = widgets.HTML(
        message("note", f"{path.name}, {file_size(size)}, is in {path.resolve().parent}")
    )
    if not path.resolve().is_relative_to(Path.cwd()):
        return place
    # JupyterLab resolves relative addresses in the output of a cell, but not in an HTML widget.
    anchor = _anchor(path, quote(path.resolve().relative_to(Path.cwd()).as_posix()))
    shown = {"output_type": "display_data", "data": {"text/html": anchor}, "metadata": {}}
    return widgets.VBox([widgets.Output(outputs=(shown,)), place])


def _anchor(path: Path, address: str) -> str:
    name = escape(path.name)
    return (
        f'<a style="color: inherit; text-decoration: underline" download="{name}" '
        f'href="{address}">Download {name}</a>'
    )
