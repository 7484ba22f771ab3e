"""What a request asks for: JSON or a query -> a prefix and how to go on from it, checked.

The options are the fields of `SamplingConfig`, within this server's limits; routes, their
description and the page are made from the same list.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError, nearest
from gpt2_helpers.fields import (
    Field,
    ValidatedConfig,
    fields_of,
    option,
    parse_value,
    validate_value,
)
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import WrongRequest

JSON_KINDS = {int: "integer", float: "number", bool: "boolean", str: "string"}
PLAIN = ("length", "temperature", "top_k", "top_p", "truncate", "include_prefix")


@dataclass(frozen=True)
class Beginning(ValidatedConfig):
    """What a request says beside the options of sampling."""

    prefix: str = option("", "text to go on from; nothing begins a new text")
    max_new_tokens: int | None = option(
        None, "tokens to add to the prefix at most, in place of length", minimum=1
    )


@dataclass(frozen=True)
class Completing(ValidatedConfig):
    """What a request for completions says."""

    text: str = option("", "what stands before the cursor; the last part of it counts")
    count: int = option(3, "how many continuations to choose from", minimum=1, maximum=5)
    max_new_tokens: int = option(12, "tokens of each at most", minimum=1, maximum=60)
    temperature: float = option(
        0.7, "how freely it writes: 0 gives the likeliest one alone", minimum=0.0, maximum=100.0
    )


@dataclass(frozen=True)
class Asked:
    """A checked request."""

    prefix: str
    sampling: SamplingConfig
    max_new_tokens: int | None = None


class Asking:
    """Reads requests within one server's limits; WrongRequest where one cannot be."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        limits = {
            "length": config.max_length,
            "nsamples": config.max_nsamples,
            "max_new_tokens": config.max_length - 1,
        }
        sampling = [field for field in fields_of(SamplingConfig) if field.name != "batch_size"]
        self.generating = [
            dataclasses.replace(
                field,
                maximum=limits.get(field.name, field.maximum),
                default=min(field.default, limits[field.name])
                if field.name == "length"
                else field.default,
            )
            for field in [*fields_of(Beginning), *sampling]
        ]
        self.completing = fields_of(Completing)
        self.plain = [field for field in self.generating if field.name in (*PLAIN, "prefix")]

    def generate(self, body: bytes) -> Asked:
        """What the JSON of /api/generate and /api/stream asks for."""
        values = _checked(json_object(body), self.generating)
        self._check_prefix(values["prefix"])
        sampling = {n: v for n, v in values.items() if n in SamplingConfig.__dataclass_fields__}
        return Asked(values["prefix"], _sampling(sampling), values["max_new_tokens"])

    def complete(self, body: bytes) -> Completing:
        """What the JSON of /api/complete asks for. Only the end of a long text is kept."""
        given = json_object(body)
        if "prefix" in given and "text" not in given:
            raise WrongRequest("there is no option 'prefix' here: send it as text")
        values = _checked(given, self.completing)
        values["text"] = values["text"][-self._config.max_prompt_chars :]
        return Completing(**values)

    def as_gpt2_cloud_run(self, given: Mapping[str, Any]) -> Asked:
        """What a query, or JSON, asks for in the way of gpt-2-cloud-run: numbers may be text, what
        is not known is passed over, and a prefix that is too long is cut."""
        values = {}
        for field in self.plain:
            value = given.get(field.name)
            value = field.default if value is None else value
            if isinstance(value, str) and field.kind is not str:
                value = parse_value(field, value)
            if isinstance(value, float | int) and field.maximum is not None:
                value = min(value, type(value)(field.maximum))
            values[field.name] = value
        values = _checked(values, self.plain)
        prefix = values.pop("prefix")[: self._config.max_prompt_chars]
        values["truncate"] = values["truncate"] or None
        return Asked(prefix, _sampling(values))

    def _check_prefix(self, prefix: str) -> None:
        if len(prefix) > self._config.max_prompt_chars:
            raise WrongRequest(
                f"the prefix has {len(prefix)} characters, and this server takes "
                f"{self._config.max_prompt_chars}: send its last part"
            )


def json_object(body: bytes) -> dict[str, Any]:
    """A body as a JSON object; WrongRequest where it is none."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no number of JSON")

    if not body:
        raise WrongRequest("the body is empty: send a JSON object; /docs lists what it may hold")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise WrongRequest(f"the body must be JSON in UTF-8: {error}") from None
    if not isinstance(value, dict):
        raise WrongRequest("the body must be a JSON object; /docs lists what it may hold")
    return value


def _checked(values: Mapping[str, Any], fields: list[Field]) -> dict[str, Any]:
    """A value for every field; WrongRequest for a name that is none, or a value that cannot be."""
    known = {field.name: field for field in fields}
    for name in values:
        if name not in known:
            raise WrongRequest(
                f"there is no option {name!r}{nearest(name, known)}: known are {', '.join(known)}"
            )
    found = {}
    for name, field in known.items():
        value = values.get(name, field.default)
        try:
            found[name] = validate_value(field, value)
        except OptionError as error:
            raise WrongRequest(_in_json(str(error), field, value)) from None
        if isinstance(found[name], str):
            _check_characters(name, found[name])
    return found


def _in_json(message: str, field: Field, value: Any) -> str:
    """What is wrong with a value, in JSON's words where Python's are others."""
    if value is None or isinstance(value, bool):
        message = message.replace(f"got {value!r}", f"got {json.dumps(value)}")
    return message.replace("True or False", "true or false") if field.kind is bool else message


def _check_characters(name: str, text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise WrongRequest(
            f"{name} has half of a character at {error.start}: send whole characters"
        ) from None


def _sampling(values: Mapping[str, Any]) -> SamplingConfig:
    try:
        return SamplingConfig(**values)
    except OptionError as error:
        raise WrongRequest(str(error)) from None
