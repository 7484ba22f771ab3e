"""API documentation: an OpenAPI 3.1 document.

The parameters come from the fields that requests are validated with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.fields import Field
from gpt2_helpers.generation.result import FinishReason
from gpt2_helpers.web.openapi_parts import (
    ANY_OBJECT,
    GET_ERRORS,
    body_of,
    object_of,
    operation,
    properties_of,
    schema_of,
)
from gpt2_helpers.web.schemas import JSON_TYPES, MAX_CHARACTER_TOKENS, RequestParser
from gpt2_helpers.web.v1.documentation import v1_paths
from gpt2_helpers.web.v1.requests import CompletionParser

_TEXT = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "tokens": {"type": "integer", "description": "number of generated tokens"},
        "finish_reason": {
            "type": "string",
            "enum": list(get_args(FinishReason)),
            "description": "stop: ended by the model or the stop string; sentence: ended after a "
            "sentence; length: cut at the limit",
        },
        "ignored_tokens": {
            "type": "integer",
            "description": "number of tokens at the start of the prompt that the model did not "
            "see, if the prompt is longer than its context",
        },
        "logprob": {
            "type": "number",
            "description": "log-probability of all generated tokens, if best_of is set",
        },
    },
    "required": ["text", "tokens", "finish_reason"],
}
_SCORE = {
    "tokens": {
        "type": "array",
        "items": {"type": "string"},
        "description": "the text of each token; joined, they are the text",
    },
    "ids": {"type": "array", "items": {"type": "integer"}},
    "logprobs": {
        "type": "array",
        "items": {"type": "number"},
        "description": "natural logarithm of the probability of each token",
    },
    "total": {"type": "number", "description": "the sum of logprobs"},
    "perplexity": {"type": ["number", "null"], "description": "null if it is infinite"},
    "bits_per_byte": {"type": "number"},
}
_NEXT_TOKEN = object_of(
    {
        "id": {"type": "integer"},
        "text": {
            "type": ["string", "null"],
            "description": "null if a character is incomplete after the token, empty for the end "
            "of the text",
        },
        "probability": {"type": "number", "description": "by the model at temperature 1"},
    }
)
_IDS = {
    "type": ["array", "null"],
    "items": {"type": "integer", "minimum": 0},
    "maxItems": MAX_CHARACTER_TOKENS,
    "default": None,
    "description": "token ids after the text, of a character that is incomplete; the text of each "
    "next token starts with them",
}
_STATUS_PATHS: dict[str, Any] = {
    "/healthz": {"get": operation("Check that the server runs", ANY_OBJECT, errors=())},
    "/readyz": {
        "get": operation("Check that the server accepts requests", ANY_OBJECT, errors=("503",))
    },
    "/metrics": {
        "get": operation(
            "Return Prometheus metrics", {"type": "string"}, "text/plain", errors=("401",)
        )
    },
}


def document(
    parser: RequestParser, completion_parser: CompletionParser, models: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the OpenAPI document of a server.

    Args:
        parser: Has the parameters of /api/*.
        completion_parser: Has those of /v1/completions.
        models: Names of the server's models, to list them.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gpt2-helpers",
            "version": installed_versions()["gpt2-helpers"],
            "description": "Generates text with GPT-2. The texts are machine-generated and may be "
            "wrong.",
        },
        "paths": {
            "/": _root_path(parser.cloud_run_fields),
            **_generation_paths(parser, models),
            **_analysis_paths(parser, models),
            "/api/model": {
                "get": operation(
                    "Describe a model and the parameters of /api/generate, and list all models",
                    ANY_OBJECT,
                    errors=("401", "404"),
                    parameters=[_model_parameter(models)],
                )
            },
            **v1_paths(completion_parser, models),
            **_STATUS_PATHS,
        },
    }


def _root_path(fields: Sequence[Field]) -> dict[str, Any]:
    """The route of gpt-2-cloud-run."""
    text = object_of({"text": {"type": "string"}})
    return {
        "get": operation(
            "Generate a text, compatible with gpt-2-cloud-run; browsers get the page. Unknown "
            "parameters are ignored, values above a limit are clamped to it, and a prefix that is "
            "too long is truncated",
            text,
            errors=GET_ERRORS,
            parameters=list(_query_parameters(fields)),
        ),
        "post": operation(
            "The same with the parameters as JSON; numbers may be strings",
            text,
            requestBody=body_of(_lenient_properties(fields), {"prefix": "It was"}, closed=False),
        ),
    }


def _generation_paths(parser: RequestParser, models: Sequence[str]) -> dict[str, Any]:
    """The routes that continue a text."""
    generate = body_of(
        _properties(parser.generate_fields, models), {"prefix": "It was", "temperature": 0.7}
    )
    complete = body_of(_properties(parser.complete_fields, models), {"text": "It was a dark"})
    return {
        "/api/generate": {
            "post": operation(
                "Generate texts and return them when all are complete",
                object_of({"texts": {"type": "array", "items": _TEXT}}),
                requestBody=generate,
            )
        },
        "/api/stream": {
            "post": operation(
                "Generate texts and stream them as server-sent events: `text` with index and text, "
                "`end` with index, tokens, finish_reason and ignored_tokens (see /api/generate), "
                "`error` with error and status, and `done` at the end",
                object_of({"event": {"type": "string"}, "data": {"type": "string"}}),
                media_type="text/event-stream",
                requestBody=generate,
            )
        },
        "/api/complete": {
            "post": operation(
                "Suggest short continuations of a text, the most likely one first",
                object_of({"completions": {"type": "array", "items": {"type": "string"}}}),
                requestBody=complete,
            )
        },
    }


def _analysis_paths(parser: RequestParser, models: Sequence[str]) -> dict[str, Any]:
    """The routes that return the model's probabilities for a text."""
    score = _properties(parser.score_fields, models)
    next_tokens = {**_properties(parser.next_tokens_fields, models), "ids": _IDS}
    return {
        "/api/score": {
            "post": operation(
                "Compute the log-probability of each token of a text, given those before it; a "
                "character of several tokens is in the last of them",
                object_of(_SCORE),
                requestBody=body_of(score, {"text": "It was late"}),
            )
        },
        "/api/next-tokens": {
            "post": operation(
                "List the likeliest next tokens of a text, the likeliest first",
                object_of({"tokens": {"type": "array", "items": _NEXT_TOKEN}}),
                requestBody=body_of(next_tokens, {"text": "It was", "count": 5}),
            )
        },
    }


def _properties(fields: Iterable[Field], models: Sequence[str]) -> dict[str, Any]:
    """The properties of a request's body, with the names of the models that it may choose."""
    properties = properties_of(fields)
    if models:
        properties["model"]["enum"] = [*models, None]
    return properties


def _model_parameter(models: Sequence[str]) -> dict[str, Any]:
    """The parameter of /api/model."""
    return {
        "name": "model",
        "in": "query",
        "description": "name of the model; without it the first is described",
        "schema": {"type": "string", **({"enum": [*models]} if models else {})},
    }


def _query_parameters(fields: Iterable[Field]) -> Iterable[dict[str, Any]]:
    for field in fields:
        if field.kind is tuple:  # a query has only one
            field = dataclasses.replace(field, kind=str)
        schema = schema_of(field)
        schema.pop("maximum", None)  # values above it are valid, and clamped to it
        yield {
            "name": field.name,
            "in": "query",
            "description": schema.pop("description"),
            "schema": {
                **schema,
                "type": "string" if field.kind is tuple else JSON_TYPES[field.kind],
            },
        }


def _lenient_properties(fields: Iterable[Field]) -> dict[str, Any]:
    """Return properties that may all be strings or null as well."""
    return {
        field.name: {
            "type": list(dict.fromkeys([JSON_TYPES[field.kind], "string", "null"])),
            "description": field.help,
        }
        for field in fields
    }
