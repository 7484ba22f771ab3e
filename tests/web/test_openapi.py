"""The OpenAPI document and its HTML page."""

from __future__ import annotations

import httpx


def test_every_route_is_documented(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    page = client.get("/docs").text
    assert {"/", "/api/generate", "/api/stream", "/api/complete", "/api/score"} <= document[
        "paths"
    ].keys()
    for path in document["paths"]:
        assert f"{path}</code>" in page


def test_parameters_have_the_limits_of_the_server(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/api/generate"]["post"]["requestBody"]["content"]
    properties = content["application/json"]["schema"]["properties"]
    assert properties["top_p"]["maximum"] == 1.0
    assert properties["length"]["maximum"] == 1023
    assert "9.2" not in client.get("/docs").text  # the maximum of a seed
    assert "integer, from 1 to 1023, default 1023" in client.get("/docs").text


def test_every_route_documents_the_errors_of_all_routes(client: httpx.Client) -> None:
    for methods in client.get("/openapi.json").json()["paths"].values():
        for operation in methods.values():
            assert {"403", "414"} <= operation["responses"].keys()
