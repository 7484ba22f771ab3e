"""Forms made from config dataclasses.

Labels, help texts, ranges, choices and defaults come from the fields, and the dataclasses validate
the values. The form defines nothing of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import ipywidgets as widgets

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import Field, ValidatedConfig, fields_of, parse_value
from gpt2_helpers.forms.widgets.field_row import Choices, FieldRow
from gpt2_helpers.forms.widgets.style import message, style_sheet

Config = TypeVar("Config", bound=ValidatedConfig)

VARIABLE_PREFIX = "GPT2_"


class Displayable:
    """Displays its `widget` if it is the last expression of a cell, in ipywidgets 7 and 8."""

    widget: widgets.DOMWidget

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]


class ConfigForm(Displayable):
    """A form for the fields of one or several config dataclasses.

    form = ConfigForm(SamplingConfig, only=("nsamples", "temperature", "seed"))
    form                                    # last line of a cell: displays the form
    form.config()                           # SamplingConfig(...), or OptionError
    form.value("seed")                      # one value, or OptionError
    form.set(seed=1, temperature=0.9)       # as if typed; an invalid value shows its error
    form.on_change(lambda: print(form.is_valid, form.errors))

    The initial value of a field is, in this order of precedence: the environment variable GPT2_
    plus the name in capitals (GPT2_NSAMPLES=20), parsed like a command-line argument; the value in
    `defaults`; the default of the field. An invalid variable is shown with its error.

    Fields that are neither in `only` nor in `hidden` keep their default, without a variable.

    Args:
        *kinds: The config dataclasses.
        only: Names of the fields to show, in this order (default: all).
        hidden: Names of fields that are not shown but can be set by `defaults`, variables and
            `set`.
        advanced: Names of fields in the "Advanced options", besides those that are marked as such.
        defaults: Initial values by field name; `vars(config)` for those of a config.
        choices: By field name, the items of a dropdown for a field without choices of its own:
            values, or pairs of label and value. `offer` replaces them later.
        lines: By field name, the height of a text box (default: 1).
        after: By field name, a widget to place below the field.
        checks: By field name, a function that takes this form and raises OptionError if something
            else is wrong with the field's valid value, such as a file that exists already.

    Raises:
        ValueError: If a name does not exist, or exists in two dataclasses.
    """

    def __init__(
        self,
        *kinds: type[ValidatedConfig],
        only: Iterable[str] = (),
        hidden: Iterable[str] = (),
        advanced: Iterable[str] = (),
        defaults: Mapping[str, Any] | None = None,
        choices: Mapping[str, Choices] | None = None,
        lines: Mapping[str, int] | None = None,
        after: Mapping[str, widgets.DOMWidget] | None = None,
        checks: Mapping[str, Callable[[ConfigForm], object]] | None = None,
    ) -> None:
        self._kinds, self._checks = kinds, checks or {}
        self._fields = _fields_by_name(kinds)
        hidden, folded = set(hidden), set(advanced)
        shown = [name for name in tuple(only) or self._fields if name not in hidden]
        defaults, choices, lines, after = defaults or {}, choices or {}, lines or {}, after or {}
        named = {*shown, *hidden, *folded, *defaults, *choices, *lines, *after, *self._checks}
        unknown = named - {*self._fields}
        if unknown:
            raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
        folded |= {name for name in shown if self._fields[name].advanced}
        start = {name: field.default for name, field in self._fields.items()} | dict(defaults)
        start |= _variables(self._fields[name] for name in (*shown, *hidden))
        self._hidden = {name: value for name, value in start.items() if name not in shown}
        self._rows = {
            name: FieldRow(
                self._fields[name],
                start[name],
                self._notify,
                choices=choices.get(name),
                lines=lines.get(name, 1),
            )
            for name in shown
        }
        self._callbacks: list[Callable[[], None]] = []
        self.errors: dict[str, str] = {}
        self._foot = widgets.HTML()
        self._advanced: widgets.Accordion | None = None
        self._folded = [name for name in shown if name in folded]
        self.widget = self._layout(after)
        self._validate()

    def config(self, kind: type[Config] | None = None) -> Config:
        """Return the config with the values of the form.

        Args:
            kind: The dataclass, if the form has several (default: the first).

        Raises:
            OptionError: If a value is invalid, or values contradict each other.
        """
        wanted: type[Any] = kind or self._kinds[0]
        for field in fields_of(wanted):
            if field.name in self.errors:  # the same text as next to the field
                raise OptionError(self.errors[field.name])
        values = {f.name: self.raw_value(f.name) for f in fields_of(wanted)}
        return wanted(**values)

    def value(self, name: str) -> Any:
        """Return the value of one field. Raises OptionError if it is invalid."""
        return self._rows[name].read() if name in self._rows else self._hidden[name]

    def raw_value(self, name: str) -> Any:
        """Return the value of one field, valid or not."""
        return self._rows[name].raw_value() if name in self._rows else self._hidden[name]

    def set(self, **values: Any) -> None:
        """Set the values of fields, shown or hidden. An invalid one is shown with its error."""
        for name, value in values.items():
            if name in self._rows:
                self._rows[name].write(value)
            elif name in self._hidden:
                self._hidden[name] = value
            else:
                raise ValueError(f"unknown field: {name}")
        self._notify()

    def offer(self, name: str, choices: Choices) -> None:
        """Replace the items of a dropdown. The selection is kept, even if it is not among them."""
        self._rows[name].offer(choices)

    def note(self, name: str, text: str, *, warning: bool = False) -> None:
        """Show a note or warning below a field, as plain text; an empty one removes it."""
        self._rows[name].note(text, warning=warning)

    def row(self, name: str) -> FieldRow:
        """Return the widgets of a field: `.widget` is the row, `.control` the input."""
        return self._rows[name]

    @property
    def is_valid(self) -> bool:
        """Whether all values are valid."""
        return not self.errors

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change, by the user or by `set`, once it is validated."""
        self._callbacks.append(callback)

    def _layout(self, after: Mapping[str, widgets.DOMWidget]) -> widgets.VBox:
        parts: dict[bool, list[widgets.DOMWidget]] = {False: [], True: []}
        for name, row in self._rows.items():
            parts[name in self._folded].append(row.widget)
            if name in after:
                parts[name in self._folded].append(after[name])
        children = [style_sheet(), *parts[False]]
        if parts[True]:
            self._advanced = widgets.Accordion([widgets.VBox(parts[True])], selected_index=None)
            self._advanced.set_title(0, "Advanced options")
            children.append(self._advanced)
        form = widgets.VBox([*children, self._foot])
        form.add_class("gpt2-form")
        return form

    def _notify(self) -> None:
        self._validate()
        for callback in self._callbacks:
            callback()

    def _validate(self) -> None:
        """Validate all values: show errors next to their fields, and contradictions at the foot."""
        self.errors = {}
        for name, row in self._rows.items():
            try:
                row.read()
            except OptionError as error:
                self.errors[name] = str(error)
        foot = []
        for kind in self._kinds:
            if not self.errors.keys() & {field.name for field in fields_of(kind)}:
                try:
                    self.config(kind)
                except OptionError as error:
                    foot += self._assign(str(error))
        for name, check in self._checks.items():
            if name in self._rows and name not in self.errors:
                try:
                    check(self)
                except OptionError as error:
                    self._assign(str(error), name)
        for name, row in self._rows.items():
            row.set_error(self.errors.get(name))
        self._foot.value = "".join(message("error", text) for text in foot)
        if self._advanced is not None and self.errors.keys() & {*self._folded}:
            self._advanced.selected_index = 0  # or the error would stay hidden

    def _assign(self, error: str, checked: str = "") -> list[str]:
        """Assign an error to its field. Returns the errors to show at the foot.

        Args:
            error: The text, which starts with the name of the field if a dataclass raised it.
            checked: The field whose check raised it, if one did.
        """
        name, _, rest = error.partition(" ")
        if name in self._rows and rest.startswith("must "):
            self.errors[name] = f"{self._fields[name].label} {rest}"
            return []
        if checked:
            self.errors[checked] = error
            return []
        self.errors[name if name in self._fields else ""] = error
        return [error]


def _fields_by_name(kinds: Iterable[type[ValidatedConfig]]) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for kind in kinds:
        for field in fields_of(kind):
            if field.name in fields:
                raise ValueError(f"two dataclasses have a field {field.name}")
            fields[field.name] = field
    return fields


def _variables(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the values of those fields that have an environment variable."""
    values = {}
    for field in fields:
        text = os.environ.get(f"{VARIABLE_PREFIX}{field.name.upper()}")
        if text is not None:
            values[field.name] = parse_value(field, text)
    return values
