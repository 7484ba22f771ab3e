"""Schemas of parameters."""

from __future__ import annotations

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.fields import fields_of
from gpt2_helpers.web.openapi_parts import operation, properties_of


def test_a_schema_has_the_type_and_limits_of_its_field() -> None:
    properties = properties_of(fields_of(SamplingConfig))
    assert properties["seed"]["type"] == ["integer", "null"]
    assert (properties["top_p"]["minimum"], properties["top_p"]["maximum"]) == (0.0, 1.0)
    assert properties["truncate"]["type"] == ["array", "string", "null"]
    assert properties["logit_bias"]["additionalProperties"]["maximum"] == 100.0
    assert properties["best_of_by"]["enum"] == ["mean", "total"]


def test_every_operation_has_the_errors_of_all_routes() -> None:
    described = operation("Do nothing", {"type": "string"}, errors=["401"])
    assert described["responses"].keys() == {"200", "401", "403", "414"}
