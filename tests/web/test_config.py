"""Validation of the server's options."""

from __future__ import annotations

import httpx
import pytest

from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from web_server import serving


def test_a_request_must_fit_into_batch_and_queue(tiny: Session) -> None:
    for size in (1, 2):
        with pytest.raises(OptionError, match="max_nsamples=8 exceeds the capacity of the server"):
            ServeConfig(batch_size=size, max_queue=size)
    with serving(tiny, batch_size=2, max_queue=2, max_nsamples=4) as client:
        response: httpx.Response = client.post(
            "/api/generate", json={"nsamples": 4, "max_new_tokens": 3}
        )
        assert response.status_code == 200
        assert client.post("/api/complete", json={"text": "The"}).status_code == 200


def test_an_invalid_origin_is_rejected() -> None:
    with pytest.raises(OptionError, match="allow_origins must be .*got 'foo bar'"):
        ServeConfig(allow_origins="https://a.example, foo bar")


def test_origins_are_separated_by_commas() -> None:
    assert ServeConfig(allow_origins="https://a.example/,*").origins == ("https://a.example", "*")
    assert ServeConfig().origins == ()
