"""The part of the OpenAPI document about OpenAI's API."""

from __future__ import annotations

from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.v1.documentation import v1_paths
from gpt2_helpers.web.v1.requests import CompletionParser


def test_parameters_are_those_that_are_parsed() -> None:
    parser = CompletionParser(ServeConfig(max_nsamples=3))
    paths = v1_paths(parser, ["tiny", "titles"])
    content = paths["/v1/completions"]["post"]["requestBody"]["content"]["application/json"]
    properties = content["schema"]["properties"]
    assert list(properties) == [field.name for field in parser.fields]
    assert properties["n"]["maximum"] == 3
    assert properties["n"]["type"] == ["integer", "null"]
    assert properties["model"]["enum"] == ["tiny", "titles", None]
    assert content["schema"]["additionalProperties"] is False


def test_errors_have_openais_form() -> None:
    paths = v1_paths(CompletionParser(ServeConfig()))
    schema = paths["/v1/models"]["get"]["responses"]["401"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]["error"]["properties"]) == ["message", "type", "param", "code"]
