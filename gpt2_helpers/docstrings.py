"""Complete the docstrings of the public functions with the documentation of the options.

The meaning and default of an option is written once, in its config field. Here it is added to the
`Args:` section of every function that has a parameter of that name, with type and default.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from gpt2_helpers.fields import Field, fields_of

_ENTRY = re.compile(r"    (\w+)(?: \([^)]*\))?: (.*)")
_WIDTH = 88
_REQUIRED = inspect.Parameter.empty


def document(
    function: Callable[..., Any],
    *configs: type,
    keywords: type | None = None,
) -> None:
    """Rewrite the `Args:` section of a function's docstring so that it lists every parameter.

    A parameter's text comes from the function's own `Args:` section, else from the field of that
    name in `configs`.

    Args:
        function: The function to document; its docstring is in Google style.
        configs: Config dataclasses whose fields are parameters of the function.
        keywords: The config dataclass whose fields are accepted as `**options`.

    Example:
        document(finetune, FinetuneConfig, RunConfig)
    """
    if function.__doc__ is None:  # python -OO
        return
    fields = {field.name: field for config in configs for field in fields_of(config)}
    own = own_descriptions(function)
    lines: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        if parameter.kind is parameter.VAR_KEYWORD and keywords:
            for field in fields_of(keywords):
                text = own.get(field.name) or _text_of(field)
                lines += _entry(field.name, _type_of(field), text, field.default)
            continue
        text = own.get(name) or ""
        if not text and name in fields:
            text = _text_of(fields[name], parameter.default)
        lines += _entry(name, str(parameter.annotation), text, parameter.default)
    before, after = _without_args(function)
    function.__doc__ = "\n".join(
        [*before, *(["Args:", *lines, ""] if lines else []), *after]
    ).rstrip()


def own_descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """The parameters described in a docstring's `Args:` section, without their types."""
    found: dict[str, str] = {}
    name = ""
    for line in _args_lines(inspect.getdoc(function) or ""):
        if entry := _ENTRY.fullmatch(line):
            name, found[entry[1]] = entry[1], entry[2]
        elif name:
            found[name] = f"{found[name]} {line.strip()}"
    return found


def _args_lines(doc: str) -> Iterator[str]:
    inside = False
    for line in doc.splitlines():
        if line == "Args:":
            inside = True
        elif inside and line and not line.startswith(" "):
            return
        elif inside and line:
            yield line


def _without_args(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """The lines of a docstring before and after its `Args:` section, or where it belongs."""
    lines = (inspect.getdoc(function) or "").splitlines()
    args = set(_args_lines("\n".join(lines)))
    start = next(
        (n for n, line in enumerate(lines) if re.fullmatch(r"[A-Z]\w+:", line)), len(lines)
    )
    rest = [line for line in lines[start:] if line != "Args:" and line not in args]
    while rest and not rest[0]:
        rest.pop(0)
    before = lines[:start]
    return (before if not before or not before[-1] else [*before, ""]), rest


def _entry(name: str, kind: str, text: str, default: Any) -> list[str]:
    if default is not _REQUIRED and " Defaults to " not in text:
        text = f"{text} Defaults to {default!r}."
    return textwrap.wrap(
        f"{name} ({kind}): {text}",
        _WIDTH,
        initial_indent=" " * 4,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text_of(field: Field, default: Any = None) -> str:
    """A field's help as sentences."""
    text = f"{field.help[:1].upper()}{field.help[1:]}."
    if field.choices:
        text = f"{text} One of {', '.join(field.choices)}."
    if default is None and field.default is None and field.default_text:
        text = f"{text} Defaults to None ({field.default_text})."
    return text


def _type_of(field: Field) -> str:
    collections: dict[type, str] = {tuple: "Sequence[str]", dict: "Mapping[str, float]"}
    kind = collections.get(field.kind, field.kind.__name__)
    return f"{kind} | None" if field.optional else kind
