"""The routes described, for programs (OpenAPI 3.1) and for people (a plain page).

What may be asked for comes from the fields that requests are checked by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from gpt2_helpers.checkpoint.run_record import installed_versions
from gpt2_helpers.fields import Field
from gpt2_helpers.web.schemas import JSON_KINDS, Asking

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
_REFUSED = {
    "400": "what is asked for cannot be; the error says why",
    "401": "the key is missing",
    "413": "the body is too long",
    "415": "the body is not said to be JSON",
    "429": "too many texts wait, or this client asks too often; Retry-After says when to come back",
    "500": "the model failed",
    "503": "the server is about to end",
    "504": "the time limit is over",
}
_GET = ("400", "401", "429", "500", "503", "504")  # what a text by a query may meet
_POST = tuple(_REFUSED)
_TEXT = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "tokens": {"type": "integer", "description": "how many were written"},
        "finish_reason": {
            "type": "string",
            "enum": ["stop", "length"],
            "description": "stop: the model or a stop string ended the text; length: the limit did",
        },
    },
    "required": ["text", "tokens", "finish_reason"],
}


def document(asking: Asking) -> dict[str, Any]:
    """The OpenAPI document of a server with these limits."""
    plain = _object({"text": {"type": "string"}})
    generating = _body(_properties(asking.generating), {"prefix": "It was", "temperature": 0.7})
    completing = _body(_properties(asking.completing), {"text": "It was a dark"})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gpt2-helpers",
            "version": installed_versions()["gpt2-helpers"],
            "description": "Texts of a GPT-2. What it writes is made up by a machine.",
        },
        "paths": {
            "/": {
                "get": _operation(
                    "A text, as gpt-2-cloud-run gives it; browsers get the page instead. Pages "
                    "written for it go on working: what is not known is passed over, numbers "
                    "beyond a limit count as the limit, and a prefix that is too long is cut",
                    plain,
                    refused=_GET,
                    parameters=list(_parameters(asking.plain)),
                ),
                "post": _operation(
                    "The same with the parameters as JSON; numbers may be written as text",
                    plain,
                    requestBody=_body(_as_text_too(asking.plain), {"prefix": "It was"}, False),
                ),
            },
            "/api/generate": {
                "post": _operation(
                    "Texts, when all of them are done",
                    _object({"texts": {"type": "array", "items": _TEXT}}),
                    requestBody=generating,
                )
            },
            "/api/stream": {
                "post": _operation(
                    "The same texts as they are written, as server-sent events: `text` with index "
                    "and text, `end` with index, tokens and finish_reason, `error`, and at last "
                    "`done`",
                    _object({"event": {"type": "string"}, "data": {"type": "string"}}),
                    kind="text/event-stream",
                    requestBody=generating,
                )
            },
            "/api/complete": {
                "post": _operation(
                    "Short continuations to choose from, the likeliest first",
                    _object({"completions": {"type": "array", "items": {"type": "string"}}}),
                    requestBody=completing,
                )
            },
            "/api/model": {
                "get": _operation(
                    "Which model this is, and what may be asked of it", _any(), refused=("401",)
                )
            },
            "/healthz": {"get": _operation("The process lives", _any(), refused=())},
            "/readyz": {
                "get": _operation("Texts can be asked for", _any(), refused=("503",)),
            },
            "/metrics": {
                "get": _operation(
                    "Counts for Prometheus", {"type": "string"}, "text/plain", refused=("401",)
                )
            },
        },
    }


def page(document: dict[str, Any]) -> str:
    """The same as a page of HTML without scripts."""
    parts = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{_marked(operation['summary'])}.</p>")
            parts.append(_table(path, operation))
    codes = "".join(
        f"<tr><td><code>{code}</code></td><td>{escape(words)}</td></tr>"
        for code, words in _REFUSED.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gpt2-helpers: the routes</title>
<link rel="icon" href="page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page/page.css">
</head>
<body class="reading">
<main>
<h1>The routes</h1>
<p>{escape(document["info"]["description"])} <a href="openapi.json">As OpenAPI</a>,
<a href="./">the page</a>.</p>
{"".join(parts)}
<h2>What is refused</h2>
<p>Every refusal is JSON: <code>{{"error": "what was wrong and what to do"}}</code>.</p>
<table>{codes}</table>
<p>Where the server has a key: <code>Authorization: Bearer KEY</code>.</p>
</main>
</body>
</html>
"""


def _marked(words: str) -> str:
    """Text with `code` in it as HTML."""
    pieces = escape(words).split("`")
    return "".join(f"<code>{piece}</code>" if n % 2 else piece for n, piece in enumerate(pieces))


def _table(path: str, operation: dict[str, Any]) -> str:
    """An example of a call, where there is one, and what may be sent."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schemas = body.get("schema", {}).get("properties", {})
    schemas = schemas or {
        given["name"]: {**given["schema"], "description": given["description"]}
        for given in operation.get("parameters", [])
    }
    call = ""
    if example := body.get("example"):
        words = f"curl ADDRESS{path} --json '{json.dumps(example)}'"
        call = f"<pre><code>{escape(words)}</code></pre>"
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(schema.get('description', ''))}</td>"
        f"<td>{escape(_in_words(schema))}</td></tr>"
        for name, schema in schemas.items()
    )
    return call + (f"<table>{rows}</table>" if rows else "")


def _in_words(schema: dict[str, Any]) -> str:
    """Kind, limits and default of a value."""
    words = [str(kind) for kind in [schema.get("type")] if kind and not isinstance(kind, list)]
    if isinstance(schema.get("type"), list):
        words = [" or ".join(schema["type"])]
    for name, sign in (("minimum", "from"), ("maximum", "to")):
        if name in schema:
            words.append(f"{sign} {schema[name]:g}")
    if schema.get("default") not in (None, ""):
        words.append(f"by itself {json.dumps(schema['default'])}")
    return ", ".join(words)


def _schema(field: Field) -> dict[str, Any]:
    kind = JSON_KINDS[field.kind]
    schema: dict[str, Any] = {
        "type": [kind, "null"] if field.optional else kind,
        "description": field.help,
        "default": field.default,
    }
    for name in ("minimum", "maximum"):
        if (limit := getattr(field, name)) is not None:
            schema[name] = limit
    return schema


def _properties(fields: Iterable[Field]) -> dict[str, Any]:
    return {field.name: _schema(field) for field in fields}


def _parameters(fields: Iterable[Field]) -> Iterable[dict[str, Any]]:
    for field in fields:
        schema = _schema(field)
        schema.pop("maximum", None)  # what is beyond it counts as it
        yield {
            "name": field.name,
            "in": "query",
            "description": schema.pop("description"),
            "schema": {**schema, "type": JSON_KINDS[field.kind]},
        }


def _as_text_too(fields: Iterable[Field]) -> dict[str, Any]:
    """Properties of which each may be written as text."""
    return {
        field.name: {
            "type": list(dict.fromkeys([JSON_KINDS[field.kind], "string", "null"])),
            "description": field.help,
        }
        for field in fields
    }


def _any() -> dict[str, Any]:
    return {"type": "object"}


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
    answer: dict[str, Any],
    kind: str = "application/json",
    refused: Iterable[str] = _POST,
    **more: Any,
) -> dict[str, Any]:
    answers = {"200": {"description": "done", "content": {kind: {"schema": answer}}}}
    for status in refused:
        answers[status] = {
            "description": _REFUSED[status],
            "content": {"application/json": {"schema": _ERROR}},
        }
    return {"summary": summary, "responses": answers, **more}
