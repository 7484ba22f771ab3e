"""Rate limit: a token bucket of texts for each client, which is identified by its address."""

from __future__ import annotations

import ipaddress
import re
import time
from collections import OrderedDict

from starlette.datastructures import Headers
from starlette.types import Scope

from gpt2_helpers.web.errors import TooManyRequests

MAX_TRACKED_CLIENTS = 10_000  # the most recent ones
IPV6_PREFIX = 64  # bits; a provider gives every customer at least such a network
MAX_NAME_LENGTH = 64  # characters of an X-Forwarded-For entry that is not an address
# "address:port" and "[address]:port", as some proxies write
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d*)?|([^:]*):\d*")


class RateLimiter:
    """A token bucket per client, which holds one minute's texts and refills steadily.

    A request for more texts than a full bucket holds is accepted if the bucket is full. The client
    then waits until the difference is refilled, too.

    >>> limiter = RateLimiter(2)
    >>> limiter.charge("192.0.2.1", 2)
    >>> limiter.charge("192.0.2.1", 1)
    Traceback (most recent call last):
        ...
    gpt2_helpers.web.errors.TooManyRequests: rate limit (2 texts per minute) exceeded: retry in 30 s
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute  # 0 disables the limit
        # (texts left, time of the last request) by client, the least recent first
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def charge(self, client: str, texts: int) -> None:
        """Count a request for `texts` texts; raises TooManyRequests if the bucket has too few."""
        if not self._per_minute:
            return
        now = time.monotonic()
        left, since = self._buckets.pop(client, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - since) * self._per_minute / 60)
        missing = min(texts, self._per_minute) - left
        self._buckets[client] = (left if missing > 0 else left - texts, now)
        if len(self._buckets) > MAX_TRACKED_CLIENTS:
            self._buckets.popitem(last=False)
        if missing > 0:
            wait = max(1, round(missing * 60 / self._per_minute))
            limit = f"{self._per_minute} text{'s' if self._per_minute > 1 else ''} per minute"
            raise TooManyRequests(f"rate limit ({limit}) exceeded: retry in {wait} s", wait)


def client_of(scope: Scope, trusted_proxies: int) -> str:
    """Return the client of a request: its address or IPv6 network.

    Args:
        scope: The ASGI scope of the request.
        trusted_proxies: Number of reverse proxies in front. The outermost one's entry of
            X-Forwarded-For counts: each proxy appends one, and a client can forge those before.
    """
    forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
    if trusted_proxies and forwarded.strip():
        entries = forwarded.split(",")
        return normalize_client(entries[max(0, len(entries) - trusted_proxies)])
    return normalize_client((scope.get("client") or ("",))[0])


def normalize_client(text: str) -> str:
    """Return the IPv4 address or IPv6 network of an entry, or its text if it is not an address.

    >>> normalize_client("192.0.2.1:5678"), normalize_client("[2001:db8::1]:443")
    ('192.0.2.1', '2001:db8::/64')
    """
    text = text.strip().strip('"').strip()
    match = _WITH_PORT.fullmatch(text)
    for candidate in (text, *(match.groups("") if match else ())):
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        network = int(address) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)
        return f"{ipaddress.IPv6Address(network)}/{IPV6_PREFIX}"
    return text[:MAX_NAME_LENGTH].lower()
