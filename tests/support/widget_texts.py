"""The visible text of widgets, without HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import ipywidgets as widgets


def parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield a widget and its descendants."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def markup(widget: widgets.Widget) -> str:
    """Return the HTML of a widget and its descendants, without style sheets."""
    values = [part.value for part in parts(widget) if isinstance(part, widgets.HTML)]
    return "\n".join(value for value in values if not value.startswith("<style>"))


def words(widget: widgets.Widget) -> str:
    """Return the text of a widget and its descendants, without HTML tags."""
    return html.unescape(re.sub(r"<[^>]*>", " ", markup(widget)))


def button(widget: widgets.Widget, label: str) -> widgets.Button:
    """Return the button whose label starts with `label`."""
    (found,) = [
        part
        for part in parts(widget)
        if isinstance(part, widgets.Button) and part.description.startswith(label)
    ]
    return found
