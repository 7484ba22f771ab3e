"""What Prometheus is told: requests, the queue, tokens and how long it all takes."""

from __future__ import annotations

import time
from collections import deque

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gpt2_helpers.web.engine import Writer

WINDOW = 10.0  # seconds over which tokens a second are counted
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROUTES = {"/", "/api/generate", "/api/stream", "/api/complete", "/api/model"}
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counts for one server; every name begins with gpt2_."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "gpt2_requests", "Answered requests", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "gpt2_request_seconds",
            "Time from a request to the end of its answer",
            ["route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._first = Histogram(
            "gpt2_first_piece_seconds",
            "Time from a request for a stream to its first text",
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._tokens = Counter("gpt2_tokens", "Tokens written", registry=self._registry)
        self._recent: deque[tuple[float, int]] = deque()

    def watch(self, writer: Writer) -> None:
        """Show how many texts wait and are being written, and how fast, whenever it is asked."""
        for name, help, value in (
            ("gpt2_texts_waiting", "Texts that wait for a place", lambda: writer.waiting),
            ("gpt2_texts_writing", "Texts that are being written", lambda: writer.writing),
            (
                "gpt2_tokens_per_second",
                f"Tokens a second in the last {WINDOW:g} s",
                self._tokens_per_second,
            ),
        ):
            Gauge(name, help, registry=self._registry).set_function(value)

    def wrote(self, tokens: int) -> None:
        """Count the tokens of one step."""
        self._tokens.inc(tokens)
        now = time.monotonic()
        self._recent.append((now, tokens))
        while self._recent[0][0] < now - WINDOW:
            self._recent.popleft()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request. Names that a stranger made up are not remembered."""
        route = route if route in ROUTES else "other"
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def first_piece(self, seconds: float) -> None:
        """Count how long a reader waited for the first text."""
        self._first.observe(seconds)

    def shown(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)

    def _tokens_per_second(self) -> float:
        since = time.monotonic() - WINDOW
        return sum(tokens for at, tokens in list(self._recent) if at >= since) / WINDOW
