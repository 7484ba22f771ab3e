"""Prometheus metrics: requests, queue, tokens and durations."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gpt2_helpers.web.models import ServedModels

WINDOW = 10.0  # seconds over which tokens per second are averaged
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROUTES = {"/", "/api/generate", "/api/stream", "/api/complete", "/api/score", "/api/model"}
ROUTES |= {"/api/next-tokens", "/v1/completions", "/v1/models"}
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)  # seconds


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "gpt2_requests",
            "Requests by route and status",
            ["route", "status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "gpt2_request_seconds",
            "Duration of a request until the end of its response",
            ["route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._first_text = Histogram(
            "gpt2_time_to_first_text_seconds",
            "Time from a streaming request to its first text",
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._tokens = Counter("gpt2_tokens", "Generated tokens", registry=self._registry)
        self._worker_failures = Counter(
            "gpt2_worker_failures",
            "Worker processes that died, or hung and were killed",
            ["reason"],
            registry=self._registry,
        )
        for reason in ("died", "hung"):
            self._worker_failures.labels(reason)  # so that it is reported before the first one
        self._recent: deque[tuple[float, int]] = deque()  # (time, tokens)

    def watch(self, models: ServedModels) -> None:
        """Report the load of all models; the values are read at each scrape."""
        for name, help, value in (
            ("gpt2_sequences_waiting", "Sequences in the queue", lambda: models.waiting),
            ("gpt2_sequences_running", "Sequences in the batch", lambda: models.running),
            ("gpt2_workers", "Workers that the server should have", lambda: models.n_workers),
            (
                "gpt2_workers_responding",
                "Workers that neither died nor hang",
                lambda: models.n_responding,
            ),
            (
                "gpt2_tokens_per_second",
                f"Generated tokens per second over the last {WINDOW:g} s",
                self._tokens_per_second,
            ),
        ):
            Gauge(name, help, registry=self._registry).set_function(value)

    def count_tokens(self, tokens: int) -> None:
        """Count newly generated tokens."""
        self._tokens.inc(tokens)
        now = time.monotonic()
        self._recent.append((now, tokens))
        while self._recent[0][0] < now - WINDOW:
            self._recent.popleft()

    def count_worker_failure(self, reason: str) -> None:
        """Count a worker process that "died" or "hung"."""
        self._worker_failures.labels(reason).inc()

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request. Unknown paths share a label, so that clients cannot fill the memory."""
        route = route if route in ROUTES else "other"
        self._requests.labels(route, str(status)).inc()
        self._durations.labels(route).observe(seconds)

    def first_text_observer(self) -> Callable[[], None]:
        """Return a function to call when a streaming client gets its first text; the time until
        then is recorded."""
        start = time.monotonic()
        return lambda: self._first_text.observe(time.monotonic() - start)

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def _tokens_per_second(self) -> float:
        since = time.monotonic() - WINDOW
        return sum(tokens for at, tokens in list(self._recent) if at >= since) / WINDOW
