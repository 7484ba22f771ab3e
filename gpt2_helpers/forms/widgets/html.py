"""Output of cells in the style of the forms: widgets, a status line, tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.forms.widgets.style import message, style_sheet


def show(*parts: widgets.Widget) -> None:
    """Display widgets below the current cell."""
    box = widgets.VBox([style_sheet(), *parts])
    box.add_class("gpt2-form")
    display(box)  # type: ignore[no-untyped-call]


def status_line() -> widgets.HTML:
    """Display an empty line below the current cell. Set its `value` to HTML from `message`."""
    line = widgets.HTML()
    show(line)
    return line


def warning_messages(notes: Iterable[str]) -> str:
    """Return notes as the HTML of warnings."""
    return "".join(message("warning", note.removeprefix("Warning: ")) for note in notes)


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return an HTML table. The cells are plain text and are escaped.

    >>> table([["a < b"]]).count("a &lt; b")
    1
    """
    lines = [_table_row(head, "th")] if head else []
    lines += [_table_row(cells, "td") for cells in rows]
    return f'<table class="gpt2-table">{"".join(lines)}</table>'


def _table_row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
