"""What a person would read in a form: the words of its widgets, without the HTML around them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import ipywidgets as widgets


def parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """A widget and all that stands in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def markup(widget: widgets.Widget) -> str:
    """The HTML of it and all in it, but for the CSS."""
    values = [part.value for part in parts(widget) if isinstance(part, widgets.HTML)]
    return "\n".join(value for value in values if not value.startswith("<style>"))


def words(widget: widgets.Widget) -> str:
    """The same as read."""
    return html.unescape(re.sub(r"<[^>]*>", " ", markup(widget)))


def button(widget: widgets.Widget, label: str) -> widgets.Button:
    """The button in it whose label begins so."""
    (found,) = [
        part
        for part in parts(widget)
        if isinstance(part, widgets.Button) and part.description.startswith(label)
    ]
    return found
