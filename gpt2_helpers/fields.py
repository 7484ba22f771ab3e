"""Options as dataclass fields with metadata: default, help, label, limits and choices.

The command line, the forms, the web API and the docstrings of the public functions are generated
from these fields. This module knows none of them.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gpt2_helpers.errors import OptionError, brief_repr, nearest
from gpt2_helpers.system.paths import user_path

# Of a folder's name: the names of files made from it are longer, and file systems allow 255.
MAX_NAME_BYTES = 200

# The field types for lists of texts and for texts with a number each.
_COLLECTIONS: dict[Any, type] = {Sequence: tuple, Mapping: dict}
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}  # in a line of a text box
_ESCAPED = re.compile("|".join(re.escape(text) for text in _ESCAPES.values()))

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
TRUTH_WORDS = frozenset(_TRUTH)


def option(
    default: Any,
    help: str,
    *,
    label: str | None = None,
    default_text: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    max_items: int | None = None,
    suggested_range: tuple[float, float] | None = None,
    choices: tuple[str, ...] | None = None,
    advanced: bool = False,
    is_path: bool = False,
) -> Any:
    """A dataclass field with the metadata of an option.

    Args:
        default: The default value.
        help: Meaning and unit in one line, without the default and without a final period.
        label: The name shown in a form. Defaults to the field's name in words.
        default_text: How a default of None takes effect, such as "random".
        minimum: The smallest valid value, or number of a mapping.
        maximum: The largest valid value, or number of a mapping.
        max_items: The largest valid number of entries of a list or mapping.
        suggested_range: The range of a slider in a form; other valid values can be typed.
        choices: The valid values, if there are only a few.
        advanced: Whether the option is listed under "advanced options".
        is_path: Whether the value is a path, in which `~` is the home folder.

    Returns:
        A field for a `ValidatedConfig`.

    Example:
        steps: int = option(1000, "optimizer steps to run", label="Training steps", minimum=1)
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "label": label,
            "default_text": default_text,
            "minimum": minimum,
            "maximum": maximum,
            "max_items": max_items,
            "suggested_range": suggested_range,
            "choices": choices,
            "advanced": advanced,
            "is_path": is_path,
        },
    )


@dataclass(frozen=True)
class Field:
    """One option, resolved.

    `kind` is int, float, bool, str, tuple (a list of texts) or dict (texts with a number each).
    `optional` means that it may be None.
    """

    name: str
    kind: type
    optional: bool
    default: Any
    help: str
    label: str
    default_text: str | None
    minimum: float | None
    maximum: float | None
    max_items: int | None
    suggested_range: tuple[float, float] | None
    choices: tuple[str, ...] | None
    advanced: bool
    is_path: bool

    @property
    def shown_default(self) -> str:
        """The default as text for a user.

        >>> from gpt2_helpers.config import FinetuneConfig
        >>> [field.shown_default for field in fields_of(FinetuneConfig)][:2]
        ['1000', '1']
        """
        if self.default is None or self.default == "":
            return self.default_text or "none"
        return str(self.default)


def fields_of(config_class: type) -> list[Field]:
    """The options of a config dataclass, in order of definition.

    >>> from gpt2_helpers.config import ModelConfig
    >>> [field.name for field in fields_of(ModelConfig)][:2]
    ['n_vocab', 'n_ctx']
    """
    return list(_fields_of(config_class))


@cache  # a server creates configs for each request
def _fields_of(config_class: type) -> tuple[Field, ...]:
    hints = typing.get_type_hints(config_class)
    fields = []
    for field in dataclasses.fields(config_class):
        is_union = typing.get_origin(hints[field.name]) in (types.UnionType, typing.Union)
        members = typing.get_args(hints[field.name]) if is_union else (hints[field.name],)
        kinds = [kind for kind in members if kind is not types.NoneType]
        label = field.metadata["label"] or field.name.replace("_", " ").capitalize()
        fields.append(
            Field(
                name=field.name,
                kind=_COLLECTIONS.get(typing.get_origin(kinds[0]), kinds[0]),
                optional=len(kinds) < len(members),
                default=field.default,
                **{**field.metadata, "label": label},
            )
        )
    return tuple(fields)


def parse_value(field: Field, text: str) -> Any:
    """Convert text to the field's type; text that can't be converted is returned as it is.

    `validate_value` then rejects it with a message that shows what was typed.

    >>> from gpt2_helpers.config import FinetuneConfig
    >>> steps = fields_of(FinetuneConfig)[0]
    >>> parse_value(steps, "40"), parse_value(steps, "forty")
    (40, 'forty')

    A list has an entry per line, and a mapping has lines such as `text=2`. In a line, `\\n` is a
    newline, `\\t` a tab and `\\\\` a backslash.
    """
    if field.kind in (tuple, dict):
        lines = [_ESCAPED.sub(_unescape, line) for line in text.split("\n") if line]
        return lines if field.kind is tuple else parse_pairs(lines)
    word = text.strip().lower()
    if field.optional and word == "none":
        return None
    if field.kind is bool:
        return _TRUTH.get(word, text)
    for kind in (int, float) if field.kind in (int, float) else ():
        try:
            number = kind(text)
        except ValueError:
            continue
        # A number of thousands of digits becomes infinite, which was not typed.
        return text if number in (math.inf, -math.inf) and "inf" not in word else number
    return text


def parse_pairs(lines: Sequence[str]) -> Any:
    """Parse entries such as `text=2` of a mapping; returns the first invalid entry, if any.

    >>> parse_pairs([" cat=2", "==-0.5"])
    {' cat': 2.0, '=': -0.5}
    """
    pairs = {}
    for line in lines:
        text, _, number = line.rpartition("=")
        try:
            pairs[text] = float(number)
        except ValueError:
            return line
    return pairs


def format_value(value: Any) -> str:
    """Format a value as text that `parse_value` parses; None becomes an empty text.

    >>> format_value(["a", "\\n"])
    'a\\n\\\\n'
    """
    if isinstance(value, Mapping):
        value = [f"{text}={number:g}" for text, number in value.items()]
    if isinstance(value, (list, tuple)):
        return "\n".join("".join(_ESCAPES.get(c, c) for c in str(text)) for text in value)
    return "" if value is None else str(value)


def _unescape(match: re.Match[str]) -> str:
    return next(text for text, escape in _ESCAPES.items() if escape == match[0])


def validate_value(field: Field, value: Any) -> Any:
    """Check a value and convert it to the field's type.

    Args:
        field: The option.
        value: A Python or NumPy value; a Path is accepted for a string, and a string for a list.

    Returns:
        The value as int, float, bool, str, tuple, dict or None. An empty list or mapping is None.

    Raises:
        OptionError: If the type is wrong, or the value is out of range or not among the choices.

    Example:
        validate_value(steps, np.int64(40))  # 40
    """
    if value is None and field.optional:
        return None
    if field.kind in (tuple, dict):
        return _validate_items(field, value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()  # a NumPy scalar as a Python value
    expected = {int: "a whole number", float: "a number", bool: "True or False", str: "a string"}
    type_error = OptionError(
        f"{field.name} must be {expected[field.kind]}, got {brief_repr(value)}"
    )
    if field.kind is bool or field.kind is str:
        if field.kind is str and isinstance(value, Path):
            value = str(value)
        if not isinstance(value, field.kind):
            raise type_error
        if field.is_path:
            path = user_path(str(value), field.name)
            value = value if path == Path(str(value)) else str(path)
    else:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise type_error
        try:
            number = field.kind(value)
            exact = number == value and math.isfinite(number)
        except (TypeError, ValueError, OverflowError):
            exact = False
        if not exact:
            raise type_error
        value = number
        low, high = field.minimum, field.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"at most {high}"
            if low is not None and high is not None:
                limits = f"between {low} and {high}"
            raise OptionError(f"{field.name} must be {limits}, got {brief_repr(value)}")
    if field.choices and value not in field.choices:
        known = ", ".join(field.choices)
        hint = nearest(str(value), field.choices)
        raise OptionError(f"{field.name} must be one of {known}, got {brief_repr(value)}{hint}")
    return value


def _validate_items(field: Field, value: Any) -> Any:
    """Check a list of texts or a mapping of texts to numbers; an empty one becomes None."""
    if field.kind is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)) or not all(isinstance(i, str) for i in items):
            raise OptionError(
                f"{field.name} must be a string or a list of strings, got {brief_repr(value)}"
            )
        checked: Any = tuple(filter(None, items))
    else:
        if not isinstance(value, Mapping):
            raise OptionError(
                f"{field.name} must be strings with a number each, such as text=2, "
                f"got {brief_repr(value)}"
            )
        number = dataclasses.replace(field, kind=float, optional=False)
        checked = {str(text): validate_value(number, entry) for text, entry in value.items()}
        checked.pop("", None)
    if field.max_items is not None and len(checked) > field.max_items:
        raise OptionError(
            f"{field.name} must have at most {field.max_items} entries, got {len(checked)}"
        )
    return checked or None


def check_folder_name(option: str, name: str) -> None:
    """Raise OptionError if a name cannot be that of a new folder on every file system.

    >>> check_folder_name("run_name", "a/b")
    Traceback (most recent call last):
        ...
    gpt2_helpers.errors.OptionError: run_name must be a plain folder name, got 'a/b'
    """
    if name in (".", "..") or Path(name).name != name:
        raise OptionError(f"{option} must be a plain folder name, got {name!r}")
    if not name.isprintable() or name != name.strip():
        raise OptionError(
            f"{option} must not have control characters, or spaces at its ends, got {name!r}"
        )
    size = len(name.encode(errors="replace"))
    if size > MAX_NAME_BYTES:
        raise OptionError(
            f"{option} must have at most {MAX_NAME_BYTES} bytes, got {name[:20]!r}... of {size}"
        )


class ValidatedConfig:
    """Base of the config dataclasses: validates and converts every field on creation.

    Raises:
        OptionError: If a value is invalid; the message names the option and the value.

    Example:
        @dataclass(frozen=True)
        class PrintConfig(ValidatedConfig):
            copies: int = option(1, "number of copies", minimum=1)

        PrintConfig(copies=0)  # OptionError: copies must be at least 1, got 0
    """

    def __post_init__(self) -> None:
        for field in fields_of(type(self)):
            value = validate_value(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
