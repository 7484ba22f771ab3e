"""API documentation: an OpenAPI 3.1 document, and the same as an HTML page.

The parameters come from the fields that requests are validated with.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, get_args

from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.fields import Field
from gpt2_helpers.generation.result import FinishReason
from gpt2_helpers.web.schemas import JSON_TYPES, RequestParser

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
_ERRORS = {
    "400": "invalid request; the error says what is wrong",
    "401": "missing or wrong API key",
    "403": "the Host header is not a name of this server",
    "404": "no such route, or no such model; then the error lists those of the server",
    "413": "request body too large",
    "414": "query too long; send the parameters as JSON in the body of a POST request",
    "415": "Content-Type is not application/json",
    "429": "queue full or rate limit exceeded; retry after the seconds in Retry-After",
    "500": "the model failed",
    "503": "the server is shutting down, or no worker responds",
    "504": "the request took too long",
}
_GET_ERRORS = ("400", "401", "429", "500", "503", "504")
_POST_ERRORS = tuple(_ERRORS)
_ERRORS_OF_ALL = ("403", "414")
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
_ANY_OBJECT = {"type": "object"}
_UNLIMITED = 2**53  # maxima from this value on are not shown


def document(parser: RequestParser, models: Sequence[str] = ()) -> dict[str, Any]:
    """Return the OpenAPI document of a server.

    Args:
        parser: Has the parameters.
        models: Names of the server's models, to list them.
    """
    text = _object({"text": {"type": "string"}})
    generate, complete, score = (
        _properties(fields)
        for fields in (parser.generate_fields, parser.complete_fields, parser.score_fields)
    )
    if models:
        for properties in (generate, complete, score):
            properties["model"]["enum"] = [*models, None]
    generate_body = _body(generate, {"prefix": "It was", "temperature": 0.7})
    complete_body = _body(complete, {"text": "It was a dark"})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gpt2-helpers",
            "version": installed_versions()["gpt2-helpers"],
            "description": "Generates text with GPT-2. The texts are machine-generated and may be "
            "wrong.",
        },
        "paths": {
            "/": {
                "get": _operation(
                    "Generate a text, compatible with gpt-2-cloud-run; browsers get the page. "
                    "Unknown parameters are ignored, values above a limit are clamped to it, and a "
                    "prefix that is too long is truncated",
                    text,
                    errors=_GET_ERRORS,
                    parameters=list(_query_parameters(parser.cloud_run_fields)),
                ),
                "post": _operation(
                    "The same with the parameters as JSON; numbers may be strings",
                    text,
                    requestBody=_body(
                        _lenient_properties(parser.cloud_run_fields),
                        {"prefix": "It was"},
                        closed=False,
                    ),
                ),
            },
            "/api/generate": {
                "post": _operation(
                    "Generate texts and return them when all are complete",
                    _object({"texts": {"type": "array", "items": _TEXT}}),
                    requestBody=generate_body,
                )
            },
            "/api/stream": {
                "post": _operation(
                    "Generate texts and stream them as server-sent events: `text` with index and "
                    "text, `end` with index, tokens and finish_reason, `error` with error and "
                    "status, and `done` at the end",
                    _object({"event": {"type": "string"}, "data": {"type": "string"}}),
                    media_type="text/event-stream",
                    requestBody=generate_body,
                )
            },
            "/api/complete": {
                "post": _operation(
                    "Suggest short continuations of a text, the most likely one first",
                    _object({"completions": {"type": "array", "items": {"type": "string"}}}),
                    requestBody=complete_body,
                )
            },
            "/api/score": {
                "post": _operation(
                    "Compute the log-probability of each token of a text, given those before it; a "
                    "character of several tokens is in the last of them",
                    _object(_SCORE),
                    requestBody=_body(score, {"text": "It was late"}),
                )
            },
            "/api/model": {
                "get": _operation(
                    "Describe a model and the parameters of /api/generate, and list all models",
                    _ANY_OBJECT,
                    errors=("401", "404"),
                    parameters=[_model_parameter(models)],
                )
            },
            "/healthz": {"get": _operation("Check that the server runs", _ANY_OBJECT, errors=())},
            "/readyz": {
                "get": _operation(
                    "Check that the server accepts requests", _ANY_OBJECT, errors=("503",)
                )
            },
            "/metrics": {
                "get": _operation(
                    "Return Prometheus metrics", {"type": "string"}, "text/plain", errors=("401",)
                )
            },
        },
    }


def page(document: dict[str, Any], address: str) -> str:
    """Return the document as an HTML page.

    Args:
        document: The OpenAPI document.
        address: The server's address for its reader, such as https://example.org/.
    """
    sections = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            sections.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            sections.append(f"<p>{_code_spans(operation['summary'])}.</p>")
            sections.append(_example_and_parameters(address, path, operation))
    errors = "".join(
        f"<tr><td><code>{status}</code></td><td>{escape(meaning)}</td></tr>"
        for status, meaning in _ERRORS.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>gpt2-helpers API</title>
<meta name="description" content="Routes and parameters of this server">
<link rel="icon" href="static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="static/page.css">
<script type="module" src="static/theme.js"></script>
</head>
<body class="reading">
<main>
<h1>API</h1>
<p>{escape(document["info"]["description"])} <a href="openapi.json">OpenAPI document</a>,
<a href="./">back to the page</a>.</p>
{"".join(sections)}
<h2>Errors</h2>
<p>Every error is JSON: <code>{{"error": "what is wrong and what to do"}}</code>.</p>
<table>{errors}</table>
<p>If the server has an API key, send it as <code>Authorization: Bearer KEY</code>.</p>
</main>
</body>
</html>
"""


def _code_spans(text: str) -> str:
    """Return text as HTML, with `code` in code elements."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))


def _example_and_parameters(address: str, path: str, operation: dict[str, Any]) -> str:
    """Return an example call, if there is one, and a table of the parameters."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schemas = body.get("schema", {}).get("properties", {})
    schemas = schemas or {
        parameter["name"]: {**parameter["schema"], "description": parameter["description"]}
        for parameter in operation.get("parameters", [])
    }
    call = ""
    if example := body.get("example"):
        command = f"curl {address.rstrip('/')}{path} --json '{json.dumps(example)}'"
        call = f"<pre><code>{escape(command)}</code></pre>"
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(schema.get('description', ''))}</td>"
        f"<td>{escape(_describe(schema))}</td></tr>"
        for name, schema in schemas.items()
    )
    return call + (f"<table>{rows}</table>" if rows else "")


def _describe(schema: dict[str, Any]) -> str:
    """Return the type, limits and default of a value in words."""
    kind = schema.get("type")
    parts = [" or ".join(kind) if isinstance(kind, list) else str(kind)] if kind else []
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and high < _UNLIMITED:
        parts.append(f"at most {high:g}" if low is None else f"from {low:g} to {high:g}")
    elif low is not None:
        parts.append(f"at least {low:g}")
    if enum := schema.get("enum"):
        parts.append(f"one of {', '.join(map(str, filter(None, enum)))}")
    if schema.get("default") not in (None, ""):
        parts.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(parts)


def _schema(field: Field) -> dict[str, Any]:
    kind = JSON_TYPES[field.kind]
    schema: dict[str, Any] = {
        "type": [kind, "null"] if field.optional else kind,
        "description": field.help,
        "default": field.default,
    }
    limits = {
        name: limit
        for name in ("minimum", "maximum")
        if (limit := getattr(field, name)) is not None
    }
    if field.choices:
        schema["enum"] = [*field.choices]
    if field.kind is tuple:
        schema["type"] = [kind, "string", "null"]
        return {**schema, "items": {"type": "string"}, "maxItems": field.max_items}
    if field.kind is dict:
        numbers = {"type": "number", **limits}
        return {**schema, "additionalProperties": numbers, "maxProperties": field.max_items}
    return {**schema, **limits}


def _properties(fields: Iterable[Field]) -> dict[str, Any]:
    return {field.name: _schema(field) for field in fields}


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
        schema = _schema(field)
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


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _body(
    properties: dict[str, Any], example: dict[str, Any], closed: bool = True
) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": not closed}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"required": True, "content": content}


def _operation(
    summary: str,
    response_schema: dict[str, Any],
    media_type: str = "application/json",
    errors: Iterable[str] = _POST_ERRORS,
    **more: Any,
) -> dict[str, Any]:
    content = {media_type: {"schema": response_schema}}
    responses: dict[str, Any] = {"200": {"description": "success", "content": content}}
    for status in sorted({*errors, *_ERRORS_OF_ALL}):
        responses[status] = {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": _ERROR}},
        }
    return {"summary": summary, "responses": responses, **more}
