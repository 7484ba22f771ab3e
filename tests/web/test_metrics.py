"""Prometheus metrics."""

from __future__ import annotations

import httpx

from web_server import events_of, metric, wait_until


def test_tokens_and_requests_are_counted(client: httpx.Client) -> None:
    before = metric(client, "gpt2_tokens_total")
    client.post("/api/generate", json={"max_new_tokens": 7, "nsamples": 2, "temperature": 0.0})
    # The last tokens are counted after they were sent.
    wait_until(lambda: metric(client, "gpt2_tokens_total") == before + 14)
    client.get("/made-up-path")
    text = client.get("/metrics").text
    assert 'gpt2_requests_total{route="/api/generate",status="200"}' in text
    assert 'route="other",status="404"' in text
    assert "made-up" not in text
    assert "gpt2_request_seconds_bucket" in text
    assert metric(client, "gpt2_tokens_per_second") > 0


def test_streams_are_timed_until_their_first_text(client: httpx.Client) -> None:
    before = metric(client, "gpt2_time_to_first_text_seconds_count")
    with client.stream("POST", "/api/stream", json={"max_new_tokens": 5}) as response:
        list(events_of(response))
    assert metric(client, "gpt2_time_to_first_text_seconds_count") == before + 1
