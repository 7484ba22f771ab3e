"""The part of the OpenAPI document about OpenAI's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpt2_helpers.web.openapi_parts import body_of, object_of, operation, properties_of
from gpt2_helpers.web.v1.requests import CompletionParser

_OPTIONAL_TEXT = {"type": ["string", "null"]}
_ERROR = object_of(
    {
        "error": object_of(
            {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": _OPTIONAL_TEXT,
                "code": _OPTIONAL_TEXT,
            }
        )
    }
)
_LOGPROBS = {
    **object_of(
        {
            "tokens": {
                "type": "array",
                "items": {"type": "string"},
                "description": "the text of each token, or its bytes such as bytes:\\xe6",
            },
            "token_logprobs": {"type": "array", "items": {"type": ["number", "null"]}},
            "top_logprobs": {"type": "array", "items": {"type": ["object", "null"]}},
            "text_offset": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "characters of prompt and text before each token",
            },
        }
    ),
    "type": ["object", "null"],
}
_CHOICE = object_of(
    {
        "text": {"type": "string"},
        "index": {"type": "integer", "description": "the texts of the first prompt come first"},
        "logprobs": _LOGPROBS,
        "finish_reason": {"enum": ["stop", "length", None]},
    }
)
_USAGE = object_of(
    {name: {"type": "integer"} for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
)
_HEAD = {
    "id": {"type": "string"},
    "object": {"const": "text_completion"},
    "created": {"type": "integer"},
    "model": {"type": "string"},
}
_COMPLETION = object_of({**_HEAD, "choices": {"type": "array", "items": _CHOICE}, "usage": _USAGE})
_MODEL = object_of(
    {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    }
)
_MODELS = object_of({"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL}})


def v1_paths(parser: CompletionParser, models: Sequence[str] = ()) -> dict[str, Any]:
    """Return the paths of OpenAI's API.

    Args:
        parser: Has the parameters.
        models: Names of the server's models, to list them.
    """
    properties = properties_of(parser.fields)
    if models:
        properties["model"]["enum"] = [*models, None]
    properties["prompt"] = {
        "description": properties["prompt"]["description"],
        "default": None,
        "anyOf": _prompt_kinds(),
    }
    properties["stream_options"] = {
        "type": ["object", "null"],
        "description": properties["stream_options"]["description"],
        "properties": {"include_usage": {"type": "boolean"}},
        "additionalProperties": False,
    }
    complete = operation(
        "Continue texts, as OpenAI's API does. With stream the answer is sent as server-sent "
        "events, the last of which is `data: [DONE]`. Errors are objects with message, type, param "
        "and code",
        _COMPLETION,
        error_schema=_ERROR,
        requestBody=body_of(properties, {"prompt": "It was", "max_tokens": 20}),
    )
    stream = {"schema": object_of({"event": {"type": "string"}, "data": {"type": "string"}})}
    complete["responses"]["200"]["content"]["text/event-stream"] = stream
    errors: dict[str, Any] = {"error_schema": _ERROR}
    name = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    name["description"] = "id of the model"
    return {
        "/v1/completions": {"post": complete},
        "/v1/models": {
            "get": operation(
                "List the models, as OpenAI's API does", _MODELS, errors=["401"], **errors
            )
        },
        "/v1/models/{model}": {
            "get": operation(
                "Describe one of the models",
                _MODEL,
                errors=["401", "404"],
                parameters=[name],
                **errors,
            )
        },
    }


def _prompt_kinds() -> list[dict[str, Any]]:
    ids = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
    return [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        ids,
        {"type": "array", "items": ids, "minItems": 1},
        {"type": "null"},
    ]
