"""Output of cells: tables, warnings and the status line."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import pytest

from gpt2_helpers.forms.widgets import html
from gpt2_helpers.forms.widgets.html import show, status_line, table, warning_messages
from gpt2_helpers.forms.widgets.style import message
from widget_texts import markup, parts, words


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The displayed widgets."""
    shown: list[Any] = []
    monkeypatch.setattr(html, "display", shown.append)
    return shown


def test_shown_widgets_bring_the_style_sheet(page: list[Any]) -> None:
    show(widgets.HTML(message("note", "done")))
    sheets = [part.value for part in parts(page[0]) if isinstance(part, widgets.HTML)]
    assert sheets[0].startswith("<style>")
    assert words(page[0]).strip() == "done"


def test_a_status_line_is_updated_in_place(page: list[Any]) -> None:
    status = status_line()
    status.value = message("note", "first")
    status.value = message("note", "second")
    assert words(page[0]).strip() == "second"
    assert len(page) == 1


def test_warnings_lose_their_prefix() -> None:
    shown = warning_messages(["Warning: a < b", "c"])
    assert shown == message("warning", "a < b") + message("warning", "c")


def test_tables_are_escaped(page: list[Any]) -> None:
    show(widgets.HTML(table([["<i>", "2"]], head=("name", "count"))))
    shown = markup(page[0])
    assert "<th>name</th><th>count</th>" in shown
    assert "<td>&lt;i&gt;</td><td>2</td>" in shown
