"""What a call puts on the page, in the looks of the forms: a line, a status, a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import ipywidgets as widgets
from IPython.display import display

from gpt2_helpers.forms.widgets.style import message, style_sheet


def show(*parts: widgets.Widget) -> None:
    """Show widgets in this cell, below each other."""
    box = widgets.VBox([style_sheet(), *parts])
    box.add_class("gpt2-form")
    display(box)  # type: ignore[no-untyped-call]


def status_line() -> widgets.HTML:
    """A line in this cell, empty at first: its `value` is HTML, as `style.told` makes it."""
    line = widgets.HTML()
    show(line)
    return line


def warning_messages(notes: Iterable[str]) -> str:
    """Notes of trouble as HTML, which says by its looks that they are warnings."""
    return "".join(message("warning", note.removeprefix("Warning: ")) for note in notes)


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """An HTML table; what stands in its cells is text and never markup.

    >>> table([["a < b"]]).count("a &lt; b")
    1
    """
    lines = [_line(head, "th")] if head else []
    lines += [_line(cells, "td") for cells in rows]
    return f'<table class="gpt2-table">{"".join(lines)}</table>'


def _line(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
