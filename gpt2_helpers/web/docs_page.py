"""The OpenAPI document as an HTML page."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from gpt2_helpers.web.openapi_parts import ERRORS

_UNLIMITED = 2**53  # maxima from this value on are not shown


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
        for status, meaning in ERRORS.items()
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
