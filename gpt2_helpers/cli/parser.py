"""Config dataclasses <-> the options of a command. Knows argparse, nothing of what a command does.

An option is named, explained and given its default by its field, and checked by the dataclass that
it goes into: nothing is listed or tested twice.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn, TypeVar

from gpt2_helpers.errors import OptionError, nearest
from gpt2_helpers.fields import TRUTH_WORDS, Field, ValidatedConfig, fields_of, parse_value

PROGRAM = "gpt2-helpers"
_METAVARS = {int: "N", float: "X", bool: "True|False", str: "TEXT"}

Config = TypeVar("Config", bound=ValidatedConfig)


class Parser(argparse.ArgumentParser):
    """The arguments of one command. What cannot be read raises OptionError, in one line.

    Option names take dashes or underscores; a value may begin with a dash; `--overwrite` alone
    means True and leaves the word behind it to others.

    >>> from gpt2_helpers.config import SamplingConfig
    >>> parser = Parser("generate", "", "Writes texts.")
    >>> parser.add_config(SamplingConfig)
    >>> config_from(SamplingConfig, parser.parse(["--top_k", "40"])).top_k
    40
    """

    def __init__(
        self, command: str, arguments: str, description: str, examples: Iterable[str] = ()
    ) -> None:
        prog = f"{PROGRAM} {command}"
        shown = "\n".join(f"  {prog} {example}".rstrip() for example in examples)
        super().__init__(
            prog=prog,
            usage=" ".join(f"{prog} {arguments} [OPTION ...]".split()),
            description=description,
            epilog=f"examples:\n{shown}" if shown else None,
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=30),
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,  # a shortened name would become another option's one day
        )
        self._takes: dict[str, type | None] = {"-h": None, "--help": None}
        self._advanced = self.add_argument_group("advanced options")

    def add_config(
        self, kind: type[ValidatedConfig], *only: str, defaults: ValidatedConfig | None = None
    ) -> None:
        """Options for the fields of a config dataclass, or for those named; `defaults` replaces the
        dataclass's own in the help."""
        for field in fields_of(kind):
            if field.name in only or not only:
                default = getattr(defaults, field.name) if defaults else field.default
                self.add_field(dataclasses.replace(field, default=default))

    def add_field(self, field: Field, **settings: Any) -> None:
        """One option; `settings` go to argparse's `add_argument`."""
        name = f"--{field.name.replace('_', '-')}"
        self._takes[name] = field.kind
        if field.kind is bool:
            settings["nargs"] = "?"  # so that the help shows the value as one to leave out
        metavar = "{" + ",".join(field.choices) + "}" if field.choices else _METAVARS[field.kind]
        (self._advanced if field.advanced else self).add_argument(
            name,
            **{
                "dest": field.name,
                "metavar": metavar,
                "help": f"{field.help} (default: {field.shown_default})".replace("%", "%%"),
                "type": partial(parse_value, field),
                **settings,
            },
        )

    def add_text_option(self, name: str, help: str, **settings: Any) -> None:
        """An option that is no field of a config: its text is taken as it stands."""
        self._takes[name] = str
        self.add_argument(name, help=help.replace("%", "%%"), **settings)

    def parse(self, arguments: Iterable[str]) -> argparse.Namespace:
        """Read the arguments; only what was given stands in the result."""
        given = list(arguments)
        options, unknown = self.parse_known_args(self._joined(given))
        if unknown:
            before = dict(zip(given[1:], given, strict=False)).get(unknown[0], "")
            if self._takes.get(before.replace("_", "-")) is bool:
                self.error(f"{before} takes True or False, got {unknown[0]!r}")
            self.error(f"there is no place for {unknown[0]!r}")
        return options

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments, and say where the right ones stand."""
        missing = message.removeprefix("the following arguments are required: ")
        if missing != message:
            message = f"{missing} is missing"
        raise OptionError(f"{message}: {self.prog} --help shows what it takes")

    def _joined(self, arguments: Iterable[str]) -> list[str]:
        """The same arguments, each option written as `--its-name=value`, which argparse cannot
        take for anything else."""
        joined: list[str] = []
        waiting = deque(arguments)
        while waiting:
            argument = waiting.popleft()
            if argument == "--":
                return [*joined, argument, *waiting]
            name, equals, value = argument.partition("=")
            name = name.replace("_", "-")
            if not argument.startswith("--") or (name in self._takes and not self._takes[name]):
                joined.append(argument)
                continue
            if name not in self._takes:
                self.error(f"there is no option {name}{nearest(name, self._takes)}")
            if not equals:
                value = self._next_value(name, waiting)
            joined.append(f"{name}={value}")
        return joined

    def _next_value(self, name: str, waiting: deque[str]) -> str:
        """The value that stands behind an option's name, taken out of `waiting`."""
        if self._takes[name] is bool:
            return waiting.popleft() if waiting and waiting[0].lower() in TRUTH_WORDS else "True"
        if not waiting or waiting[0].partition("=")[0].replace("_", "-") in self._takes:
            self.error(f"{name} needs a value")
        return waiting.popleft()


def field_of(kind: type[ValidatedConfig], name: str, **changes: Any) -> Field:
    """One field of a config, with what a command says otherwise of it."""
    (field,) = (field for field in fields_of(kind) if field.name == name)
    return dataclasses.replace(field, **changes)


def config_from(
    kind: type[Config], options: argparse.Namespace, defaults: Config | None = None
) -> Config:
    """The config with what was given; OptionError where it refuses a value."""
    values = dict(vars(defaults)) if defaults else {}
    for field in fields_of(kind):
        if field.name in options:
            values[field.name] = getattr(options, field.name)
    return kind(**values)
