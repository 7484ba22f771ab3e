"""The OpenAPI document."""

from __future__ import annotations

import httpx


def test_every_route_is_documented(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert {
        "/",
        "/api/generate",
        "/api/stream",
        "/api/complete",
        "/api/score",
        "/api/next-tokens",
    } <= document["paths"].keys()
    assert {"/v1/completions", "/v1/models", "/v1/models/{model}"} <= document["paths"].keys()


def test_parameters_have_the_limits_of_the_server(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/api/generate"]["post"]["requestBody"]["content"]
    properties = content["application/json"]["schema"]["properties"]
    assert properties["top_p"]["maximum"] == 1.0
    assert properties["length"]["maximum"] == 1023


def test_every_route_documents_the_errors_of_all_routes(client: httpx.Client) -> None:
    for methods in client.get("/openapi.json").json()["paths"].values():
        for operation in methods.values():
            assert {"403", "414"} <= operation["responses"].keys()
