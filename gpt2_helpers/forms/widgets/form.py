"""Config dataclasses -> a form, and back. Knows ipywidgets, nothing of what is done with a config.

Labels, help, ranges, choices and defaults come from the fields; what is right and wrong is said by
the dataclasses. The form lists nothing of its own.
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
    """What shows itself as `widget` where it is a cell's last line, in every ipywidgets."""

    widget: widgets.DOMWidget

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]


class ConfigForm(Displayable):
    """The fields of one config dataclass, or of several, as a form.

    form = ConfigForm(SamplingConfig, only=("nsamples", "temperature", "seed"))
    form                                    # as a cell's last line: shows it
    form.config()                           # SamplingConfig(...), or OptionError
    form.value("seed")                      # one value, or OptionError
    form.set(seed=1, temperature=0.9)       # as if typed; a wrong value shows with its message
    form.on_change(lambda: print(form.is_valid, form.errors))

    What a field starts with is, in this order: the environment variable GPT2_ and its name in
    capitals (GPT2_NSAMPLES=20), read as the command line reads a word; `defaults`; the field's own
    default. A wrong variable shows as a wrong value, with its message.

    only      names of the fields to show, in this order; without it all, in the dataclasses' order
    hidden    names that are not shown, yet have defaults and variables, `value` and `set`
    advanced  names to fold away, beside those whose field says so itself
    defaults  start values by name (of a config: `vars(config)`)
    choices   by name, what a dropdown offers for a field that lists no choices itself: values, or
              pairs (shown, value); `offer` changes it later
    lines     by name, how many lines a text box has (1 without it)
    after     by name, a widget of another's making that stands under that field

    A field that is neither in `only` nor in `hidden` keeps its default and asks no variable, so
    that the config is always whole. A name that no class has, or that two have, is a ValueError:
    a mistake of the program's, not of a user's.
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
    ) -> None:
        self._kinds = kinds
        self._fields = _fields_by_name(kinds)
        hidden, folded = set(hidden), set(advanced)
        shown = [name for name in tuple(only) or self._fields if name not in hidden]
        defaults, choices, lines, after = defaults or {}, choices or {}, lines or {}, after or {}
        unknown = {*shown, *hidden, *folded, *defaults, *choices, *lines, *after} - {*self._fields}
        if unknown:
            raise ValueError(f"no such fields: {', '.join(sorted(unknown))}")
        folded |= {name for name in shown if self._fields[name].advanced}
        start = {name: field.default for name, field in self._fields.items()} | dict(defaults)
        start |= _variables(self._fields[name] for name in (*shown, *hidden))
        self._unshown = {name: value for name, value in start.items() if name not in shown}
        self._rows = {
            name: FieldRow(
                self._fields[name],
                start[name],
                self._changed,
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
        self._check()

    def config(self, kind: type[Config] | None = None) -> Config:
        """The config that stands in the form; OptionError, as its dataclass says it, where it is
        wrong. With several classes, `kind` says which."""
        wanted: type[Any] = kind or self._kinds[0]
        for field in fields_of(wanted):
            if field.name in self.errors:  # as it stands beside the field
                raise OptionError(self.errors[field.name])
        values = {f.name: self.raw_value(f.name) for f in fields_of(wanted)}
        return wanted(**values)

    def value(self, name: str) -> Any:
        """What stands in one field; OptionError where it is wrong."""
        return self._rows[name].read() if name in self._rows else self._unshown[name]

    def raw_value(self, name: str) -> Any:
        """What stands in one field, wrong or not."""
        return self._rows[name].raw_value() if name in self._rows else self._unshown[name]

    def set(self, **values: Any) -> None:
        """Put values into fields, shown or hidden. A wrong one shows with its message."""
        for name, value in values.items():
            if name in self._rows:
                self._rows[name].write(value)
            elif name in self._unshown:
                self._unshown[name] = value
            else:
                raise ValueError(f"no such field: {name}")
        self._changed()

    def offer(self, name: str, choices: Choices) -> None:
        """Another list for a dropdown. What was chosen stays chosen, also where it is not in it."""
        self._rows[name].offer(choices)

    def note(self, name: str, text: str, *, warning: bool = False) -> None:
        """A remark under a field, as plain text; an empty one takes it away."""
        self._rows[name].note(text, warning=warning)

    def row(self, name: str) -> FieldRow:
        """The widgets of a field: `.widget` is the whole row, `.control` what is typed into."""
        return self._rows[name]

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.errors

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change by hand or by `set`, when all is checked."""
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

    def _changed(self) -> None:
        self._check()
        for callback in self._callbacks:
            callback()

    def _check(self) -> None:
        """Say beside each field what is wrong with it, and at the foot what fits not together."""
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
                    foot += self._place(str(error))
        for name, row in self._rows.items():
            row.set_error(self.errors.get(name))
        self._foot.value = "".join(message("error", text) for text in foot)
        if self._advanced is not None and self.errors.keys() & {*self._folded}:
            self._advanced.selected_index = 0  # nobody finds a message that is folded away

    def _place(self, error: str) -> list[str]:
        """Note a dataclass's message with its field; what is left for the foot."""
        name, _, rest = error.partition(" ")
        if name in self._rows and rest.startswith("must "):
            self.errors[name] = f"{self._fields[name].label} {rest}"
            return []
        self.errors[name if name in self._fields else ""] = error
        return [error]


def _fields_by_name(kinds: Iterable[type[ValidatedConfig]]) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for kind in kinds:
        for field in fields_of(kind):
            if field.name in fields:
                raise ValueError(f"two of the classes have a field {field.name}")
            fields[field.name] = field
    return fields


def _variables(fields: Iterable[Field]) -> dict[str, Any]:
    """The values that environment variables give to these fields."""
    values = {}
    for field in fields:
        word = os.environ.get(f"{VARIABLE_PREFIX}{field.name.upper()}")
        if word is not None:
            values[field.name] = parse_value(field, word)
    return values
