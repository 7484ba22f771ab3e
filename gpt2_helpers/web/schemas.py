"""Requests of the API: JSON or query string -> validated dataclasses.

The parameters are the fields of `SamplingConfig` within the limits of a server. Validation, the
OpenAPI document and /api/model, from which the page makes its sliders, use the same list.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.errors import OptionError, brief_repr, nearest
from gpt2_helpers.fields import (
    Field,
    ValidatedConfig,
    fields_of,
    option,
    parse_value,
    validate_value,
)
from gpt2_helpers.generation.prompts import EncodedPrompt
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import BadRequest

JSON_TYPES = {
    int: "integer",
    float: "number",
    bool: "boolean",
    str: "string",
    tuple: "array",
    dict: "object",
}
MODEL_HELP = "name of the model, one of those in /api/model; null for the first"
MAX_CHARACTER_TOKENS = 3  # before the last one of a character, which has at most four bytes
MAX_ITEMS = 100  # of a list or mapping: each may take time before every token
CLOUD_RUN_PARAMETERS = (
    "prefix", "length", "temperature", "top_k", "top_p", "truncate", "include_prefix",
)  # fmt: skip


@dataclass(frozen=True)
class PromptParameters(ValidatedConfig):
    """Parameters of /api/generate besides those of `SamplingConfig`."""

    prefix: str = option("", "the prompt; empty starts a new text")
    max_new_tokens: int | None = option(
        None, "maximum number of tokens after the prefix, in place of length", minimum=1
    )
    model: str | None = option(None, MODEL_HELP)


@dataclass(frozen=True)
class GenerateRequest:
    """A request to generate with one prompt; see `Engine.submit` for the last three."""

    prefix: str | EncodedPrompt
    sampling: SamplingConfig
    max_new_tokens: int | None = None
    model: str | None = None
    exact: bool = False
    top_logprobs: int | None = None
    first_sample: int = 0


@dataclass(frozen=True)
class CompleteRequest(ValidatedConfig):
    """A request to /api/complete."""

    text: str = option("", "the text before the cursor, of which the last part is used")
    count: int = option(3, "maximum number of continuations", minimum=1, maximum=5)
    max_new_tokens: int = option(12, "maximum tokens per continuation", minimum=1, maximum=60)
    temperature: float = option(
        0.7, "sampling temperature; 0 returns only the most likely continuation",
        minimum=0.0,
        maximum=100.0,
    )  # fmt: skip
    model: str | None = option(None, MODEL_HELP)


@dataclass(frozen=True)
class ScoreRequest(ValidatedConfig):
    """A request to /api/score."""

    text: str = option("", "the text whose tokens are scored, not empty")
    model: str | None = option(None, MODEL_HELP)


@dataclass(frozen=True)
class NextTokensParameters(ValidatedConfig):
    """Parameters of /api/next-tokens besides `ids`."""

    text: str = option("", "the text before the place, of which the last part is used")
    count: int = option(10, "number of tokens", minimum=1, maximum=50)
    model: str | None = option(None, MODEL_HELP)


@dataclass(frozen=True)
class NextTokensRequest:
    """A request to /api/next-tokens.

    Attributes:
        parameters: The parameters.
        ids: Token ids after the text, of a character that is not complete.
        is_cut: Whether the text had a part before it.
    """

    parameters: NextTokensParameters
    ids: tuple[int, ...] = ()
    is_cut: bool = False


class RequestParser:
    """Parses requests within the limits of a server. Its methods raise BadRequest."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        limits = {
            "length": config.max_length,
            "nsamples": config.max_nsamples,
            "best_of": config.max_nsamples,
            "max_new_tokens": config.max_length - 1,
        }
        sampling = [field for field in fields_of(SamplingConfig) if field.name != "batch_size"]
        self.generate_fields = [
            dataclasses.replace(
                field,
                maximum=limits.get(field.name, field.maximum),
                default=min(field.default, limits[field.name])
                if field.name == "length"
                else field.default,
                max_items=MAX_ITEMS if field.kind in (tuple, dict) else None,
            )
            for field in [*fields_of(PromptParameters), *sampling]
        ]
        self.complete_fields = fields_of(CompleteRequest)
        self.score_fields = fields_of(ScoreRequest)
        self.next_tokens_fields = fields_of(NextTokensParameters)
        self.cloud_run_fields = [
            field for field in self.generate_fields if field.name in CLOUD_RUN_PARAMETERS
        ]

    def parse_generate(self, body: bytes) -> GenerateRequest:
        """Parse the JSON of /api/generate and /api/stream.

        Raises:
            BadRequest: If the body is invalid, or the prompt is too long.
        """
        values = validate_parameters(parse_json_object(body), self.generate_fields)
        for name in ("prefix", "prompt_prefix", "prompt_suffix"):
            self._check_length(name, values[name] or "")
        sampling = {n: v for n, v in values.items() if n in SamplingConfig.__dataclass_fields__}
        return GenerateRequest(
            values["prefix"], _sampling(sampling), values["max_new_tokens"], values["model"]
        )

    def parse_complete(self, body: bytes) -> CompleteRequest:
        """Parse the JSON of /api/complete. A text that is too long keeps its end.

        Raises:
            BadRequest: If the body is invalid.
        """
        values = parse_json_object(body)
        if "prefix" in values and "text" not in values:
            raise BadRequest("unknown parameter 'prefix': /api/complete takes the prompt as text")
        values = validate_parameters(values, self.complete_fields)
        values["text"] = last_part(values["text"], self._config.max_prompt_chars)
        return CompleteRequest(**values)

    def parse_score(self, body: bytes) -> ScoreRequest:
        """Parse the JSON of /api/score.

        Raises:
            BadRequest: If the body is invalid, or the text is empty or too long.
        """
        request = ScoreRequest(**validate_parameters(parse_json_object(body), self.score_fields))
        if not request.text:
            raise BadRequest("text must not be empty")
        self._check_length("text", request.text)
        return request

    def parse_next_tokens(self, body: bytes) -> NextTokensRequest:
        """Parse the JSON of /api/next-tokens. A text that is too long keeps its end.

        Raises:
            BadRequest: If the body is invalid.
        """
        values = parse_json_object(body)
        ids = values.pop("ids", None)
        ids = [] if ids is None else ids
        is_list = isinstance(ids, list) and len(ids) <= MAX_CHARACTER_TOKENS
        if not (is_list and all(map(is_token_id, ids))):
            raise BadRequest(
                f"ids must be a list of at most {MAX_CHARACTER_TOKENS} token ids, got "
                f"{brief_repr(ids)}",
                "ids",
            )
        values = validate_parameters(values, self.next_tokens_fields)
        text, limit = values["text"], self._config.max_prompt_chars
        values["text"] = text[-limit:]
        return NextTokensRequest(NextTokensParameters(**values), tuple(ids), len(text) > limit)

    def _check_length(self, name: str, text: str) -> None:
        if len(text) > self._config.max_prompt_chars:
            raise BadRequest(
                f"{name} must have at most {self._config.max_prompt_chars} characters, got "
                f"{len(text)}: send only its last part"
            )

    def parse_cloud_run(self, parameters: Mapping[str, Any]) -> GenerateRequest:
        """Parse a query string or JSON as gpt-2-cloud-run does.

        Numbers may be strings, unknown parameters are ignored, values above a limit are clamped to
        it, and a prefix that is too long is truncated.

        Raises:
            BadRequest: If a value is invalid.
        """
        values = {}
        for field in self.cloud_run_fields:
            value = parameters.get(field.name)
            value = field.default if value is None else value
            if isinstance(value, str) and field.kind not in (str, tuple):
                value = parse_value(field, value)
            if isinstance(value, float | int) and field.maximum is not None:
                value = min(value, type(value)(field.maximum))
            values[field.name] = value
        values = validate_parameters(values, self.cloud_run_fields)
        prefix = values.pop("prefix")[: self._config.max_prompt_chars]
        values["truncate"] = values["truncate"] or None
        return GenerateRequest(prefix, _sampling(values))


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Parse a body as a JSON object; raises BadRequest."""

    def reject_constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is not valid JSON")

    if not body:
        raise BadRequest("the body is empty: send a JSON object, see /docs")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=reject_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body must be JSON in UTF-8: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object, see /docs")
    return value


def validate_parameters(values: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """Return a valid value for every field; BadRequest for an unknown name or invalid value."""
    known = {field.name: field for field in fields}
    for name in values:
        if name not in known:
            raise BadRequest(
                f"unknown parameter {name!r}{nearest(name, known)}: expected {', '.join(known)}",
                name,
            )
    valid = {}
    for name, field in known.items():
        value = values.get(name, field.default)
        try:
            valid[name] = validate_value(field, value)
        except OptionError as error:
            raise BadRequest(_in_json_terms(str(error), field, value), name) from None
        texts = valid[name] if isinstance(valid[name], (tuple, dict)) else [valid[name]]
        for text in texts:
            if isinstance(text, str):
                check_encodable(name, text)
    return valid


def _in_json_terms(message: str, field: Field, value: Any) -> str:
    """Write null, true and false in a message as JSON does."""
    if value is None or isinstance(value, bool):
        message = message.replace(f"got {value!r}", f"got {json.dumps(value)}")
    return message.replace("True or False", "true or false") if field.kind is bool else message


def is_token_id(value: Any) -> bool:
    """Whether a value is an integer; it may be outside the vocabulary."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_encodable(name: str, text: str) -> None:
    """Raise BadRequest if a parameter's text has half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"{name} has an unpaired surrogate at index {error.start}"
        raise BadRequest(message, name) from None


def _sampling(values: Mapping[str, Any]) -> SamplingConfig:
    try:
        return SamplingConfig(**values)
    except OptionError as error:
        raise BadRequest(str(error)) from None


def last_part(text: str, limit: int) -> str:
    """The last part of a text that is being typed: all of it, or between two thirds of `limit` and
    `limit` characters.

    It starts at the same character for many keystrokes, so that what was computed for one can be
    used for the next.

    >>> last_part("0123456789", 6), last_part("0123456789a", 6), last_part("0123456789ab", 6)
    ('456789', '6789a', '6789ab')
    """
    step = max(1, limit // 3)
    start = -(-max(0, len(text) - limit) // step) * step
    return text[start:]
