"""The fields of a config dataclass: what a face needs to show them, to read and to check them.

Each carries metadata (`help`, `label`, `minimum`, `maximum`, `usual`, `choices`, `advanced`), from
which the command line and the forms are made.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
import typing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gpt2_helpers.errors import OptionError, nearest

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
TRUTH_WORDS = frozenset(_TRUTH)


def option(
    default: Any,
    help: str,
    *,
    label: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    usual: tuple[float, float] | None = None,
    choices: tuple[str, ...] | None = None,
    advanced: bool = False,
) -> Any:
    """A dataclass field that carries what a face needs to show it and `checked` to test it.

    `label` is its name in words, made from the name where none is given. `minimum` and `maximum`
    are what it admits; `usual` is the range that a slider offers, narrower, and no limit.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "label": label,
            "minimum": minimum,
            "maximum": maximum,
            "usual": usual,
            "choices": choices,
            "advanced": advanced,
        },
    )


@dataclass(frozen=True)
class Field:
    """One option as a face sees it: `kind` is int, float, bool or str; `optional` admits None."""

    name: str
    kind: type
    optional: bool
    default: Any
    help: str
    label: str
    minimum: float | None
    maximum: float | None
    usual: tuple[float, float] | None
    choices: tuple[str, ...] | None
    advanced: bool


def fields_of(config_class: type) -> list[Field]:
    """The options of a config dataclass, in order.

    >>> from gpt2_helpers.config import ModelConfig
    >>> [field.name for field in fields_of(ModelConfig)][:2]
    ['n_vocab', 'n_ctx']
    """
    return list(_fields_of(config_class))


@cache
def _fields_of(config_class: type) -> tuple[Field, ...]:
    """Looked up once: a server makes configs for each of its requests."""
    hints = typing.get_type_hints(config_class)
    fields = []
    for field in dataclasses.fields(config_class):
        members = typing.get_args(hints[field.name]) or (hints[field.name],)
        kinds = [kind for kind in members if kind is not types.NoneType]
        meta = field.metadata
        fields.append(
            Field(
                name=field.name,
                kind=kinds[0],
                optional=len(kinds) < len(members),
                default=field.default,
                help=meta["help"],
                label=meta["label"] or field.name.replace("_", " ").capitalize(),
                minimum=meta["minimum"],
                maximum=meta["maximum"],
                usual=meta["usual"],
                choices=meta["choices"],
                advanced=meta["advanced"],
            )
        )
    return tuple(fields)


def parsed(field: Field, text: str) -> Any:
    """A typed word as the field's own kind, or as it is where it is none: `checked` refuses it.

    >>> from gpt2_helpers.config import FinetuneConfig
    >>> steps = fields_of(FinetuneConfig)[0]
    >>> parsed(steps, "40"), parsed(steps, "forty")
    (40, 'forty')
    """
    word = text.strip().lower()
    if field.optional and word == "none":
        return None
    if field.kind is bool:
        return _TRUTH.get(word, text)
    for kind in (int, float) if field.kind in (int, float) else ():
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def checked(field: Field, value: Any) -> Any:
    """`value` as the field's own type; OptionError where the field does not admit it."""
    if value is None and field.optional:
        return None
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()  # NumPy's number, truth value or text as Python's own
    wanted = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    refusal = OptionError(f"{field.name} must be {wanted[field.kind]}, got {value!r}")
    if field.kind is bool or field.kind is str:
        if field.kind is str and isinstance(value, Path):
            value = str(value)
        if not isinstance(value, field.kind):
            raise refusal
    else:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise refusal
        try:
            number = field.kind(value)
            usable = number == value and math.isfinite(number)
        except (TypeError, ValueError, OverflowError):
            usable = False
        if not usable:
            raise refusal
        value = number
        low, high = field.minimum, field.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            span = f"at least {low}" if high is None else f"at most {high}"
            if low is not None and high is not None:
                span = f"between {low} and {high}"
            raise OptionError(f"{field.name} must be {span}, got {value}")
    if field.choices and value not in field.choices:
        known = ", ".join(field.choices)
        hint = nearest(str(value), field.choices)
        raise OptionError(f"{field.name} must be one of {known}, got {value!r}{hint}")
    return value


class Checked:
    """Base of the config dataclasses: every field is checked and converted once, at birth."""

    def __post_init__(self) -> None:
        for field in fields_of(type(self)):
            object.__setattr__(self, field.name, checked(field, getattr(self, field.name)))
