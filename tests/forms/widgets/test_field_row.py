"""Rows of a form: parsing, invalid input, sliders, dropdowns and change events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, fields_of, option
from gpt2_helpers.forms.widgets.field_row import Choices, FieldRow


@dataclass(frozen=True)
class Trip(ValidatedConfig):
    """A field of each kind."""

    days: int = option(4, "length of the trip", minimum=1, maximum=100, suggested_range=(1, 11))
    budget: float | None = option(None, "money to spend", label="Budget (EUR)", minimum=0.0)
    flight: bool = option(False, "travel by plane")
    season: str = option("summer", "time of the year", choices=("summer", "winter"))
    place: str = option("Rome", "destination")
    stops: Sequence[str] | None = option(None, "places on the way")
    hours: Mapping[str, float] | None = option(None, "time at each stop")


class Changes:
    """Counts change events."""

    count = 0

    def __call__(self) -> None:
        self.count += 1


def row_of(
    name: str, value: Any, changes: Changes | None = None, choices: Choices | None = None
) -> FieldRow:
    (field,) = [field for field in fields_of(Trip) if field.name == name]
    return FieldRow(field, value, changes or Changes(), choices=choices)


def test_text_is_parsed_and_validated() -> None:
    row = row_of("days", 4)
    row.control.value = " 7 "
    assert (row.raw_value(), row.read()) == (7, 7)
    row.control.value = "101"
    assert row.raw_value() == 101
    with pytest.raises(OptionError, match="^Days must be between 1 and 100, got 101"):
        row.read()
    row.control.value = "a week"
    assert row.raw_value() == "a week"


def test_lists_and_mappings_have_a_line_per_entry() -> None:
    row = row_of("stops", ("Pisa", "a\nb"))
    assert isinstance(row.control, widgets.Textarea)
    assert row.control.value == "Pisa\na\\nb"
    assert row.read() == ("Pisa", "a\nb")
    row.control.value = "\n"
    assert row.read() is None
    row = row_of("hours", {"Pisa": 2.5})
    assert row.control.value == "Pisa=2.5"
    assert row.read() == {"Pisa": 2.5}
    row.control.value = "Pisa"
    with pytest.raises(OptionError, match="Hours must be strings with a number each"):
        row.read()


def test_an_empty_box_of_an_optional_field_is_none() -> None:
    row = row_of("budget", 100.0)
    assert row.read() == 100.0
    row.control.value = " "
    assert row.read() is None


def test_a_checkbox_keeps_an_invalid_value_until_it_is_clicked() -> None:
    row = row_of("flight", "maybe")
    assert isinstance(row.control, widgets.Checkbox)
    assert row.raw_value() == "maybe"
    row.control.value = True
    assert row.read() is True


def test_only_the_user_causes_change_events() -> None:
    changes = Changes()
    row = row_of("days", 4, changes)
    row.write(5)
    assert changes.count == 0
    row.control.value = "6"
    assert changes.count == 1
    row.slider.value = 8
    assert (changes.count, row.control.value) == (2, "8")


def test_a_slider_rounding_does_not_change_the_typed_number() -> None:
    row = row_of("days", 4)
    row.slider.step = 5
    row.control.value = "7"
    row.slider.value = 6  # as a browser reports its nearest step
    assert row.read() == 7


def test_a_dropdown_keeps_its_selection() -> None:
    changes = Changes()
    row = row_of("place", "Rome", changes, choices=[("Rome, Italy", "Rome"), "Oslo"])
    assert row.control.label == "Rome, Italy"
    row.offer(["Oslo", "Bern"])
    assert row.read() == "Rome"
    assert [value for _, value in row.control.options] == ["Oslo", "Bern", "Rome"]
    assert changes.count == 0


def test_errors_and_notes_are_shown_beside_the_help() -> None:
    row = row_of("days", 4)
    row.set_error("too <long>")
    assert "too &lt;long&gt;" in row._message.value
    assert row._message.layout.display is None
    row.set_error(None)
    assert row._message.layout.display == "none"
    row.note("that is short", warning=True)
    assert "Length of the trip." in row._below.value
    assert "that is short" in row._below.value
