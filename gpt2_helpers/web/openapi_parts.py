"""Parts of the OpenAPI document: parameters from option fields, bodies, responses and errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gpt2_helpers.fields import Field
from gpt2_helpers.web.schemas import JSON_TYPES

ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
ERRORS = {
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
GET_ERRORS = ("400", "401", "429", "500", "503", "504")
POST_ERRORS = tuple(ERRORS)
ERRORS_OF_ALL = ("403", "414")
ANY_OBJECT = {"type": "object"}


def schema_of(field: Field) -> dict[str, Any]:
    """The schema of a parameter."""
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


def properties_of(fields: Iterable[Field]) -> dict[str, Any]:
    """The schemas of parameters by name."""
    return {field.name: schema_of(field) for field in fields}


def object_of(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that has all of these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def body_of(
    properties: dict[str, Any], example: dict[str, Any], closed: bool = True
) -> dict[str, Any]:
    """A request body: an object in JSON.

    Args:
        properties: The schemas of its properties.
        example: An example.
        closed: Whether other properties are errors.
    """
    schema = {"type": "object", "properties": properties, "additionalProperties": not closed}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"required": True, "content": content}


def operation(
    summary: str,
    response_schema: dict[str, Any],
    media_type: str = "application/json",
    errors: Iterable[str] = POST_ERRORS,
    error_schema: dict[str, Any] = ERROR,
    **more: Any,
) -> dict[str, Any]:
    """A method of a route.

    Args:
        summary: What it does.
        response_schema: The schema of a successful response.
        media_type: The type of a successful response.
        errors: The statuses of its errors besides those of all routes.
        error_schema: The schema of an error.
        **more: Further entries, such as its parameters.
    """
    content = {media_type: {"schema": response_schema}}
    responses: dict[str, Any] = {"200": {"description": "success", "content": content}}
    for status in sorted({*errors, *ERRORS_OF_ALL}):
        responses[status] = {
            "description": ERRORS[status],
            "content": {"application/json": {"schema": error_schema}},
        }
    return {"summary": summary, "responses": responses, **more}
