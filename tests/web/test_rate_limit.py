"""Rate limit: how clients are distinguished, and what their requests cost."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest

from gpt2_helpers.session import Session
from gpt2_helpers.web import rate_limit
from gpt2_helpers.web.errors import TooManyRequests
from gpt2_helpers.web.rate_limit import RateLimiter, client_of, normalize_client
from web_server import serving


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("gpt2_helpers.web.rate_limit.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def wait_of(limiter: RateLimiter, client: str, texts: int = 1) -> int:
    """Charge a request; returns the seconds to wait, 0 if it was accepted."""
    try:
        limiter.charge(client, texts)
    except TooManyRequests as error:
        return error.retry_after or 0
    return 0


def scope_of(forwarded: list[str], peer: str | None = "198.51.100.7") -> dict[str, object]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"type": "http", "headers": headers, "client": (peer, 5000) if peer else None}


# The bucket


def test_a_bucket_holds_one_minute_and_refills(clock: Clock) -> None:
    limiter = RateLimiter(3)
    assert [wait_of(limiter, "a") for _ in range(4)] == [0, 0, 0, 20]
    assert wait_of(limiter, "b") == 0
    clock.now += 19
    assert wait_of(limiter, "a") == 1
    clock.now += 1
    assert [wait_of(limiter, "a"), wait_of(limiter, "a")] == [0, 20]
    clock.now += 3600  # it never holds more than a minute's texts
    assert [wait_of(limiter, "a") for _ in range(4)] == [0, 0, 0, 20]


def test_a_request_costs_its_number_of_texts(clock: Clock) -> None:
    limiter = RateLimiter(10)
    assert wait_of(limiter, "a", 7) == 0
    assert wait_of(limiter, "a", 4) == 6  # one text is missing
    assert wait_of(limiter, "a", 3) == 0  # a refused request costs nothing
    assert wait_of(limiter, "a", 1) == 6


def test_a_request_over_the_size_of_the_bucket_needs_a_full_one(clock: Clock) -> None:
    limiter = RateLimiter(2)
    assert wait_of(limiter, "a", 8) == 0
    assert wait_of(limiter, "a", 1) == 7 * 30  # its eight texts are paid off first
    clock.now += 7 * 30
    assert wait_of(limiter, "a", 8) == 30
    assert wait_of(limiter, "a", 1) == 0


def test_the_error_says_the_limit_and_a_time_to_wait_of_at_least_a_second(clock: Clock) -> None:
    for per_minute, limit in ((1, "1 text per minute"), (2, "2 texts per minute")):
        limiter = RateLimiter(per_minute)
        limiter.charge("a", per_minute)
        with pytest.raises(TooManyRequests, match=rf"^rate limit \({limit}\) exceeded: retry in "):
            limiter.charge("a", 1)
    limiter = RateLimiter(600)
    limiter.charge("a", 600)
    assert wait_of(limiter, "a") == 1  # a text is refilled in a tenth of a second


def test_a_limit_of_zero_limits_nothing() -> None:
    limiter = RateLimiter(0)
    assert [wait_of(limiter, "a", 8) for _ in range(50)] == [0] * 50


def test_the_least_recent_client_is_forgotten(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "MAX_TRACKED_CLIENTS", 3)
    limiter = RateLimiter(1)
    for client in ("a", "b", "c"):
        assert wait_of(limiter, client) == 0
    assert wait_of(limiter, "a") > 0  # all three are remembered; now b is the least recent one
    assert wait_of(limiter, "d") == 0
    assert wait_of(limiter, "a") > 0
    assert wait_of(limiter, "c") > 0
    assert wait_of(limiter, "d") > 0
    assert wait_of(limiter, "b") == 0


# The client


@pytest.mark.parametrize(
    ("entry", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:5678 ", "192.0.2.1"),
        ('"192.0.2.1:5678"', "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::ffff", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("Unknown", "unknown"),
        ("x" * 9999, "x" * 64),
        ("", ""),
    ],
)
def test_clients_are_addresses_and_ipv6_networks(entry: str, client: str) -> None:
    assert normalize_client(entry) == client


def test_each_trusted_proxy_appends_an_entry() -> None:
    forwarded = ["203.0.113.1, 203.0.113.2", "203.0.113.3"]
    assert client_of(scope_of(forwarded), 0) == "198.51.100.7"
    assert client_of(scope_of(forwarded), 1) == "203.0.113.3"
    assert client_of(scope_of(forwarded), 2) == "203.0.113.2"
    assert client_of(scope_of(forwarded), 3) == "203.0.113.1"
    assert client_of(scope_of(forwarded), 4) == "203.0.113.1"


def test_without_an_entry_the_client_is_the_peer() -> None:
    for forwarded in ([], [""], [" "]):
        assert client_of(scope_of(forwarded), 1) == "198.51.100.7"
    assert client_of(scope_of([], peer=None), 0) == ""


# Over HTTP


def test_texts_are_counted_per_client(tiny: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine may need longer than the ten seconds after which another text is allowed.
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    with serving(tiny, rate_limit=6, trusted_proxies=1) as client:

        def request(address: str, path: str = "/", **parameters: object) -> httpx.Response:
            # A client can send the header as well; the proxy appends its own entry.
            forwarded = [("X-Forwarded-For", "forged"), ("X-Forwarded-For", address)]
            if path == "/":
                return client.get(path, params={"length": 2}, headers=forwarded)
            return client.post(path, json=parameters, headers=forwarded)

        first, port, other = "2001:db8::1", "[2001:db8::2]:443", "2001:db8:0:1::1"
        assert request(first).status_code == 200
        assert request(port, "/api/generate", nsamples=2, length=2).status_code == 200
        assert request(first, "/api/stream", nsamples=4, length=2).status_code == 429
        assert request(first, "/api/complete", text="It", count=2).status_code == 200
        assert request(first).status_code == 200
        response = request(port)
        assert response.status_code == 429
        assert 1 <= int(response.headers["retry-after"]) <= 10
        assert "rate limit (6 texts per minute) exceeded" in response.json()["error"]
        assert request(other).status_code == 200
        # What generates nothing is free.
        forwarded = {"X-Forwarded-For": first}
        assert client.head("/", headers=forwarded).status_code == 200
        assert client.get("/", headers={**forwarded, "Accept": "text/html"}).status_code == 200
        for path in ("/healthz", "/api/model"):
            assert client.get(path, headers=forwarded).status_code == 200
        assert request(first, "/api/generate", nsamples=-1).status_code == 400
