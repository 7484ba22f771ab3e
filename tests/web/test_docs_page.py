"""The OpenAPI document as an HTML page."""

from __future__ import annotations

import httpx


def test_the_page_shows_every_route(client: httpx.Client) -> None:
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"{path}</code>" in page


def test_limits_are_written_in_words(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "9.2" not in page  # the maximum of a seed
    assert "integer, from 1 to 1023, default 1023" in page
