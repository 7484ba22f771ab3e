"""Command-line options generated from config dataclasses.

An option's name, help and default come from its field; its value is validated by the dataclass.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn, TypeVar

from gpt2_helpers.errors import OptionError, nearest
from gpt2_helpers.fields import (
    TRUTH_WORDS,
    Field,
    ValidatedConfig,
    fields_of,
    parse_pairs,
    parse_value,
)

PROGRAM = "gpt2-helpers"
_METAVARS = {
    int: "N",
    float: "X",
    bool: "True|False",
    str: "TEXT",
    tuple: "TEXT",
    dict: "TEXT=NUMBER",
}

Config = TypeVar("Config", bound=ValidatedConfig)


class Parser(argparse.ArgumentParser):
    """The argument parser of one command. Invalid arguments raise OptionError.

    Option names accept dashes and underscores, values may start with a dash, and `--overwrite`
    without a value means True.

    >>> from gpt2_helpers.config import SamplingConfig
    >>> parser = Parser("generate", "", "Generate texts.")
    >>> parser.add_config(SamplingConfig)
    >>> config_from(SamplingConfig, parser.parse(["--top_k", "40"])).top_k
    40
    """

    def __init__(
        self, command: str, arguments: str, description: str, examples: Iterable[str] = ()
    ) -> None:
        prog = f"{PROGRAM} {command}"
        lines = "\n".join(f"  {prog} {example}".rstrip() for example in examples)
        super().__init__(
            prog=prog,
            usage=" ".join(f"{prog} {arguments} [OPTION ...]".split()),
            description=description,
            epilog=f"examples:\n{lines}" if lines else None,
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=30),
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,  # an abbreviation could become ambiguous with a new option
        )
        self._kinds: dict[str, type | None] = {"-h": None, "--help": None}
        self._others: str | None = None  # attribute for the options of another program
        self._advanced = self.add_argument_group("advanced options")

    def add_config(
        self, kind: type[ValidatedConfig], *only: str, defaults: ValidatedConfig | None = None
    ) -> None:
        """Add an option for every field of a config dataclass, or for those in `only`.

        `defaults` replaces the default values of the fields in the help.
        """
        for field in fields_of(kind):
            if field.name in only or not only:
                default = getattr(defaults, field.name) if defaults else field.default
                self.add_field(dataclasses.replace(field, default=default))

    def add_field(self, field: Field, **settings: Any) -> None:
        """Add one option; `settings` are passed to argparse's `add_argument`."""
        name = f"--{field.name.replace('_', '-')}"
        self._kinds[name] = field.kind
        if field.kind is bool:
            settings["nargs"] = "?"  # shown as optional in the help
        help = f"{field.help} (default: {field.shown_default})"
        if field.kind in (tuple, dict):
            settings |= {"action": "append", "type": str}
            help += ", repeatable"
        metavar = "{" + ",".join(field.choices) + "}" if field.choices else _METAVARS[field.kind]
        (self._advanced if field.advanced else self).add_argument(
            name,
            **{
                "dest": field.name,
                "metavar": metavar,
                "help": help.replace("%", "%%"),
                "type": partial(parse_value, field),
                **settings,
            },
        )

    def add_text_option(self, name: str, help: str, **settings: Any) -> None:
        """Add an option that isn't a field of a config; its value is the text as given."""
        self._kinds[name] = str
        self.add_argument(name, help=help.replace("%", "%%"), **settings)

    def pass_on_others(self, name: str) -> None:
        """Collect unknown options with their values, and everything after `--`, in a list.

        `name` is the attribute of the list in the result of `parse`.
        """
        self._others = name

    def parse(self, arguments: Iterable[str]) -> argparse.Namespace:
        """Parse the arguments; the result contains only the options that were given."""
        given = list(arguments)
        others: list[str] = []
        if self._others is not None:
            given, others = self._divided(given)
        options, unknown = self.parse_known_args(self._joined(given))
        if unknown:
            before = dict(zip(given[1:], given, strict=False)).get(unknown[0], "")
            if self._kinds.get(before.replace("_", "-")) is bool:
                self.error(f"{before} must be True or False, got {unknown[0]!r}")
            is_prompt = "--prefix" in self._kinds and not unknown[0].startswith("-")
            hint = " (use --prefix for a prompt)" if is_prompt else ""
            self.error(f"unexpected argument {unknown[0]!r}{hint}")
        if self._others is not None:
            setattr(options, self._others, others)
        return options

    def _divided(self, arguments: list[str]) -> tuple[list[str], list[str]]:
        """The arguments of this command, and those to pass on, each as `--name=value`."""
        own: list[str] = []
        others: list[str] = []
        remaining = deque(arguments)
        while remaining:
            argument = remaining.popleft()
            if argument == "--":
                return own, [*others, *remaining]
            name, equals, _ = argument.partition("=")
            kind = self._kinds.get(name.replace("_", "-"), "other")
            if not argument.startswith("--") or (kind is not None and kind != "other"):
                own.append(argument)
                if argument.startswith("--") and not equals and kind is not bool and remaining:
                    own.append(remaining.popleft())
            elif kind is None:
                own.append(argument)
            elif equals or not remaining or remaining[0].startswith("-"):
                others.append(argument)
            else:
                others.append(f"{argument}={remaining.popleft()}")
        return own, others

    def error(self, message: str) -> NoReturn:
        """Raise OptionError, with a pointer to the help."""
        missing = message.removeprefix("the following arguments are required: ")
        if missing != message:
            message = f"{missing} is missing"
        raise OptionError(f"{message}: see {self.prog} --help")

    def _joined(self, arguments: Iterable[str]) -> list[str]:
        """Rewrite each option as `--name=value`, which argparse can't misread."""
        joined: list[str] = []
        remaining = deque(arguments)
        while remaining:
            argument = remaining.popleft()
            if argument == "--":
                return [*joined, argument, *remaining]
            name, equals, value = argument.partition("=")
            name = name.replace("_", "-")
            if not argument.startswith("--") or (name in self._kinds and not self._kinds[name]):
                joined.append(argument)
                continue
            if name not in self._kinds:
                self.error(f"unknown option {name}{similar_option(name, self._kinds)}")
            if not equals:
                value = self._next_value(name, remaining)
            joined.append(f"{name}={value}")
        return joined

    def _next_value(self, name: str, remaining: deque[str]) -> str:
        """Remove and return the value that follows an option's name."""
        if self._kinds[name] is bool:
            return (
                remaining.popleft() if remaining and remaining[0].lower() in TRUTH_WORDS else "True"
            )
        if not remaining or remaining[0].partition("=")[0].replace("_", "-") in self._kinds:
            self.error(f"{name} needs a value")
        return remaining.popleft()


# Names that other programs and papers use for options of this one.
_OTHER_NAMES = {
    "--epochs": "--steps",
    "--input": "--prefix",
    "--max-length": "--length",
    "--max-new-tokens": "--length",
    "--max-tokens": "--length",
    "--model": "--model-name",
    "--num-return-sequences": "--nsamples",
    "--num-train-epochs": "--steps",
    "--output": "--destination-path",
    "--prompt": "--prefix",
    "--stop": "--truncate",
}


def similar_option(name: str, known: Iterable[str]) -> str:
    """The hint ` (did you mean '--steps'?)` for an unknown option, or an empty string.

    In this order: a usual other name, initials (`--lr`), the start of one option (`--temp`), and
    similar letters.

    >>> known = ["--help", "--learning-rate", "--lr-schedule", "--steps"]
    >>> similar_option("--lr", known), similar_option("--learn", known)
    (" (did you mean '--learning-rate'?)", " (did you mean '--learning-rate'?)")
    """
    options = [option for option in known if option.startswith("--")]
    word = name.strip("-")
    initials: dict[str, str] = {}
    for option in options:
        initials.setdefault("".join(part[:1] for part in option[2:].split("-")), option)
    starts = [option for option in options if len(word) > 1 and option[2:].startswith(word)]
    if (other := _OTHER_NAMES.get(name)) in options:
        near = other
    elif len(word) > 1 and word in initials:
        near = initials[word]
    elif len(starts) == 1:
        near = starts[0]
    else:
        # Without the dashes, which would make any two short names similar.
        return nearest(word, (option[2:] for option in options)).replace("'", "'--", 1)
    return f" (did you mean {near!r}?)"


def field_of(kind: type[ValidatedConfig], name: str, **changes: Any) -> Field:
    """One field of a config, with some of its attributes replaced."""
    (field,) = (field for field in fields_of(kind) if field.name == name)
    return dataclasses.replace(field, **changes)


def config_from(
    kind: type[Config], options: argparse.Namespace, defaults: Config | None = None
) -> Config:
    """Create a config from parsed options; raises OptionError for an invalid value."""
    values = dict(vars(defaults)) if defaults else {}
    for field in fields_of(kind):
        if field.name in options:
            value = getattr(options, field.name)
            if field.kind in (tuple, dict) and [text.lower() for text in value] == ["none"]:
                value = None
            values[field.name] = parse_pairs(value) if field.kind is dict and value else value
    return kind(**values)
