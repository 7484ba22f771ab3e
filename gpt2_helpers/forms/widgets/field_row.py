"""A config's field -> a row of a form. Knows one option, nothing of configs or of its neighbours.

What is typed stays as it was typed, wrong or not, and is read by the same function as a word on
the command line: a number box of ipywidgets would put another number in its place without a word.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from gpt2_helpers.fields import Field, parse_value, validate_value
from gpt2_helpers.forms.widgets.style import LABEL_WIDTH, message, sentence

# What a dropdown offers: values, or pairs of what is shown and the value behind it.
Choices = Sequence[Any]

_BITS = 64  # of a whole number, at most


class FieldRow:
    """One field as widgets: `widget` shows it, `read` tells what stands there, `write` changes it.

    A yes or no is a checkbox, a choice a dropdown, all else a line of text (or several, `lines`);
    a number with a usual range has a slider beside it. `choices` makes a dropdown where the field
    itself lists none. `changed` is called whenever the user has changed something.
    """

    def __init__(
        self,
        field: Field,
        value: Any,
        changed: Callable[[], None],
        *,
        choices: Choices | None = None,
        lines: int = 1,
    ) -> None:
        self.field = field
        self._changed = changed
        self._silent = False
        self._unshown: Any = None  # what a checkbox was given and cannot show
        offered = field.choices if choices is None else choices
        self.control = self._make_control(offered, lines)
        self.slider: Any = self._make_slider() if offered is None else None
        self._message, self._under = widgets.HTML(), widgets.HTML()
        self._message.layout.flex = "1 1 200px"
        self._under.add_class("gpt2-below")
        shown = [part for part in (self.control, self.slider, self._message) if part is not None]
        line = widgets.HBox(shown)
        line.add_class("gpt2-line")
        self.widget = widgets.VBox([line, self._under])
        self.error: str | None = None
        self.set_error(None)
        self.note("")
        self.write(value)
        self.control.observe(self._on_control, "value")
        if self.slider is not None:
            self.slider.observe(self._on_slider, "value")

    def raw_value(self) -> Any:
        """What stands there: a value of the field's kind, or the text that is none."""
        if self._unshown is not None:
            return self._unshown
        value = self.control.value
        if not isinstance(self.control, (widgets.Text, widgets.Textarea)):
            return value
        if self.field.kind is str:
            return None if self.field.optional and not value else value
        if self.field.optional and not value.strip():
            return None
        number = parse_value(self.field, value)
        # What is told of memory and time multiplies and divides such a number: Python cannot.
        beyond = isinstance(number, int) and number.bit_length() > _BITS
        return value if beyond and self.field.maximum is None else number

    def read(self) -> Any:
        """The value, checked; OptionError that calls the field by its label."""
        return validate_value(
            dataclasses.replace(self.field, name=self.field.label), self.raw_value()
        )

    def write(self, value: Any) -> None:
        """Let `value` stand there. One that the field refuses is shown too, as typed."""
        with self._silence():
            self._unshown = None
            if isinstance(self.control, widgets.Checkbox):
                if isinstance(value, bool):
                    self.control.value = value
                else:
                    self._unshown = value
            elif isinstance(self.control, widgets.Dropdown):
                if value not in _values(self.control.options):
                    self.control.options = (*self.control.options, _pair(value))
                self.control.value = value
            else:
                self.control.value = "" if value is None else str(value)
            self._move_slider()

    def offer(self, choices: Choices) -> None:
        """Another list for the dropdown; what was chosen stays chosen."""
        value, pairs = self.control.value, [_pair(choice) for choice in choices]
        if pairs == list(self.control.options):
            return  # the browser would choose the first for a moment
        with self._silence():
            self.control.options = pairs
        self.write(value)

    def set_error(self, text: str | None) -> None:
        """Show what is wrong beside the field; None where nothing is."""
        self.error = text
        self._message.value = message("error", text or "")
        self._message.layout.display = None if text else "none"

    def note(self, text: str, *, warning: bool = False) -> None:
        """A remark under the field, beside its help; an empty one takes it away."""
        help = message("help", sentence(self.field.help))
        self._under.value = help + message("warning" if warning else "note", text)

    def _make_control(self, choices: Choices | None, lines: int) -> widgets.DOMWidget:
        field = self.field
        # The description is a <label> of the input in both versions: it is read out with it.
        named = {"description": field.label, "style": {"description_width": LABEL_WIDTH}}
        if field.kind is bool:
            return widgets.Checkbox(layout=widgets.Layout(width="auto"), **named)
        width = "520px" if choices is not None or field.kind is str else "300px"
        layout = widgets.Layout(width=width, max_width="100%")
        if choices is not None:
            return widgets.Dropdown(options=[_pair(c) for c in choices], layout=layout, **named)
        if lines > 1:
            return widgets.Textarea(rows=lines, placeholder="", layout=layout, **named)
        return widgets.Text(placeholder="", layout=layout, **named)

    def _make_slider(self) -> widgets.DOMWidget | None:
        if self.field.usual is None:
            return None
        low, high = self.field.usual
        kind = widgets.IntSlider if self.field.kind is int else widgets.FloatSlider
        return kind(
            value=low,
            min=low,
            max=high,
            step=_step(low, high, whole=self.field.kind is int),
            readout=False,
            layout=widgets.Layout(width="180px"),
        )

    def _on_control(self, _change: Any) -> None:
        if not self._silent:
            self._unshown = None
            with self._silence():
                self._move_slider()
            self._changed()

    def _on_slider(self, change: Any) -> None:
        # A page of ipywidgets 8 moves a slider to its nearest step and tells that as a change: what
        # was typed between two steps must stay.
        typed, step = self.raw_value(), change["owner"].step
        moved, least = change["new"], 0.501 * step
        near = isinstance(typed, (int, float)) and moved - least < typed < moved + least
        if not self._silent and not near:
            with self._silence():
                self.control.value = f"{change['new']:.10g}"
            self._changed()

    def _move_slider(self) -> None:
        """To the number in the box, or the nearer end; a wrong one leaves it where it is."""
        if self.slider is None:
            return
        value = self.raw_value()
        # Not math.isfinite, which refuses a whole number of 400 digits.
        if isinstance(value, (int, float)) and -math.inf < value < math.inf:
            value = min(max(value, self.slider.min), self.slider.max)
            self.slider.value = self.field.kind(value)

    @contextmanager
    def _silence(self) -> Iterator[None]:
        """What the code itself changes is no change by the user."""
        before, self._silent = self._silent, True
        try:
            yield
        finally:
            self._silent = before


def _pair(choice: Any) -> tuple[str, Any]:
    """What a dropdown shows, and the value behind it."""
    if isinstance(choice, tuple):
        shown, value = choice
        return str(shown), value
    return "none" if choice is None else str(choice), choice


def _values(options: Iterable[tuple[str, Any]]) -> list[Any]:
    return [value for _, value in options]


def _step(low: float, high: float, *, whole: bool) -> float:
    """About a hundredth of the range, as a round number.

    >>> _step(0, 1.5, whole=False), _step(0, 5000, whole=True), _step(1, 20, whole=True)
    (0.01, 50, 1)
    """
    rough = (high - low) / 100
    power = 10 ** math.floor(math.log10(rough))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= rough * 1.001)
    return max(1, round(step)) if whole else step
