"""One row of a form, made from a config field.

Text boxes keep invalid input and are parsed like command-line arguments. A number box of ipywidgets
would silently replace invalid input by another number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from gpt2_helpers.fields import Field, format_value, parse_value, validate_value
from gpt2_helpers.forms.widgets.style import LABEL_WIDTH, as_sentence, message

# The items of a dropdown: values, or pairs of label and value.
Choices = Sequence[Any]

_MAX_BITS = 64  # of an integer without a maximum


class FieldRow:
    """The widgets of one field: `widget` displays it, `read` and `write` access its value.

    A boolean is a checkbox, a field with choices a dropdown, any other field a text box. A number
    with a suggested range also has a slider.

    Args:
        field: The config field.
        value: The initial value, valid or not.
        on_change: Called after each change by the user.
        choices: Items of a dropdown for a field that has no choices of its own.
        lines: Height of a text box.
    """

    def __init__(
        self,
        field: Field,
        value: Any,
        on_change: Callable[[], None],
        *,
        choices: Choices | None = None,
        lines: int = 1,
    ) -> None:
        self.field = field
        self._on_change = on_change
        self._silent = False
        self._invalid: Any = None  # a value that a checkbox cannot show
        items = field.choices if choices is None else choices
        self.control = self._make_control(items, lines)
        self.slider: Any = self._make_slider() if items is None else None
        self._message, self._below = widgets.HTML(), widgets.HTML()
        self._message.layout.flex = "1 1 200px"
        self._below.add_class("gpt2-below")
        parts = [part for part in (self.control, self.slider, self._message) if part is not None]
        line = widgets.HBox(parts)
        line.add_class("gpt2-line")
        self.widget = widgets.VBox([line, self._below])
        self.error: str | None = None
        self.set_error(None)
        self.note("")
        self.write(value)
        self.control.observe(self._on_control, "value")
        if self.slider is not None:
            self.slider.observe(self._on_slider, "value")

    def raw_value(self) -> Any:
        """Return the parsed value, or the text itself if it cannot be parsed."""
        if self._invalid is not None:
            return self._invalid
        value = self.control.value
        if not isinstance(self.control, (widgets.Text, widgets.Textarea)):
            return value
        if self.field.kind in (tuple, dict):
            return parse_value(self.field, value) or None
        if self.field.kind is str:
            return None if self.field.optional and not value else value
        if self.field.optional and not value.strip():
            return None
        number = parse_value(self.field, value)
        # Estimates of memory and time divide by such numbers, which would overflow a float.
        is_huge = isinstance(number, int) and number.bit_length() > _MAX_BITS
        return value if is_huge and self.field.maximum is None else number

    def read(self) -> Any:
        """Return the validated value. Raises OptionError, which names the field by its label."""
        return validate_value(
            dataclasses.replace(self.field, name=self.field.label), self.raw_value()
        )

    def write(self, value: Any) -> None:
        """Set the value. An invalid one is shown as if it had been typed."""
        with self._silenced():
            self._invalid = None
            if isinstance(self.control, widgets.Checkbox):
                if isinstance(value, bool):
                    self.control.value = value
                else:
                    self._invalid = value
            elif isinstance(self.control, widgets.Dropdown):
                if value not in _values(self.control.options):
                    self.control.options = (*self.control.options, _pair(value))
                self.control.value = value
            else:
                self.control.value = format_value(value)
            self._move_slider()

    def offer(self, choices: Choices) -> None:
        """Replace the items of the dropdown and keep the selection."""
        value, pairs = self.control.value, [_pair(choice) for choice in choices]
        if pairs == list(self.control.options):
            return  # the browser would briefly select the first item
        with self._silenced():
            self.control.options = pairs
        self.write(value)

    def set_error(self, text: str | None) -> None:
        """Show an error next to the field, or none."""
        self.error = text
        self._message.value = message("error", text or "")
        self._message.layout.display = None if text else "none"

    def note(self, text: str, *, warning: bool = False) -> None:
        """Show a note or warning below the help text; an empty one removes it."""
        help = message("help", as_sentence(self.field.help) + self._format_help)
        self._below.value = help + message("warning" if warning else "note", text)

    @property
    def _format_help(self) -> str:
        return " One per line; \\n is a newline." if self.field.kind in (tuple, dict) else ""

    def _make_control(self, choices: Choices | None, lines: int) -> widgets.DOMWidget:
        field = self.field
        # ipywidgets 7 and 8 both make the description the <label> of the input, for screen readers.
        label = {"description": field.label, "style": {"description_width": LABEL_WIDTH}}
        if field.kind is bool:
            return widgets.Checkbox(layout=widgets.Layout(width="auto"), **label)
        is_text = field.kind in (str, tuple, dict)
        width = "520px" if choices is not None or is_text else "300px"
        layout = widgets.Layout(width=width, max_width="100%")
        if choices is not None:
            return widgets.Dropdown(options=[_pair(c) for c in choices], layout=layout, **label)
        if field.kind in (tuple, dict):
            lines = max(lines, 2)
        if lines > 1:
            return widgets.Textarea(rows=lines, placeholder="", layout=layout, **label)
        return widgets.Text(placeholder="", layout=layout, **label)

    def _make_slider(self) -> widgets.DOMWidget | None:
        if self.field.suggested_range is None:
            return None
        low, high = self.field.suggested_range
        slider = widgets.IntSlider if self.field.kind is int else widgets.FloatSlider
        return slider(
            value=low,
            min=low,
            max=high,
            step=_step(low, high, whole=self.field.kind is int),
            readout=False,
            layout=widgets.Layout(width="180px"),
        )

    def _on_control(self, _change: Any) -> None:
        if not self._silent:
            self._invalid = None
            with self._silenced():
                self._move_slider()
            self._on_change()

    def _on_slider(self, change: Any) -> None:
        # ipywidgets 8 rounds a slider to its nearest step and reports that as a change, which must
        # not overwrite a number that was typed between two steps.
        typed, moved = self.raw_value(), change["new"]
        half = 0.501 * change["owner"].step
        is_rounded = isinstance(typed, (int, float)) and moved - half < typed < moved + half
        if not self._silent and not is_rounded:
            with self._silenced():
                self.control.value = f"{moved:.10g}"
            self._on_change()

    def _move_slider(self) -> None:
        """Move the slider to the number in the text box, within the slider's range."""
        if self.slider is None:
            return
        value = self.raw_value()
        # math.isfinite raises OverflowError for an integer of 400 digits.
        if isinstance(value, (int, float)) and -math.inf < value < math.inf:
            value = min(max(value, self.slider.min), self.slider.max)
            self.slider.value = self.field.kind(value)

    @contextmanager
    def _silenced(self) -> Iterator[None]:
        """Ignore changes that are made by the code and not by the user."""
        previous, self._silent = self._silent, True
        try:
            yield
        finally:
            self._silent = previous


def _pair(choice: Any) -> tuple[str, Any]:
    """Return the label and the value of a dropdown item."""
    if isinstance(choice, tuple):
        label, value = choice
        return str(label), value
    return "none" if choice is None else str(choice), choice


def _values(options: Iterable[tuple[str, Any]]) -> list[Any]:
    return [value for _, value in options]


def _step(low: float, high: float, *, whole: bool) -> float:
    """Return about a hundredth of the range as a round number: 1, 2 or 5 times a power of ten.

    >>> _step(0, 1.5, whole=False), _step(0, 5000, whole=True), _step(1, 20, whole=True)
    (0.01, 50, 1)
    """
    rough = (high - low) / 100
    power = 10 ** math.floor(math.log10(rough))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= rough * 1.001)
    return max(1, round(step)) if whole else step
