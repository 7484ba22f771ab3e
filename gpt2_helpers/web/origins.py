"""Which host names a server answers to, and which sites' pages may read its answers (CORS).

A browser lets any page send requests to 127.0.0.1. Two rules keep the answers from such pages. CORS
keeps them from pages of other origins. The check of the Host header keeps them from a page whose
own host name was changed to resolve to 127.0.0.1 (DNS rebinding), which has the same origin as the
server.
"""

from __future__ import annotations

import ipaddress
import re
import socket

from starlette.datastructures import Headers

from gpt2_helpers.google import colab
from gpt2_helpers.web.config import ANY, ServeConfig
from gpt2_helpers.web.errors import ForbiddenHost

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HOST_HEADER = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]/@\s]+)(:[0-9]*)?", re.IGNORECASE)


class OriginPolicy:
    """Decides whether to answer to a host name, and which sites may read the answer.

    Host names are checked if the server listens on loopback and has no key, or if `allow_hosts` is
    set. In Colab they are checked only if `allow_hosts` is set: only the signed-in user reaches the
    proxy for ports there, and it sends names that are not known here.

    Args:
        config: Options of the server.
        has_key: Whether requests need an API key, which a page of another site does not have.
    """

    def __init__(self, config: ServeConfig, has_key: bool) -> None:
        self._is_local, self._origins = is_loopback(config.host), config.origins
        needed = self._is_local and not has_key and not colab.in_colab()
        self._names: tuple[str, ...] = ()  # without any, every name is accepted
        if ANY not in config.host_names and (needed or config.host_names):
            own = f"[{config.host}]" if ":" in config.host else config.host
            self._names = (*LOOPBACK_NAMES, own.lower(), *config.host_names)

    def check_host(self, headers: Headers) -> None:
        """Raise ForbiddenHost if a request is for another host name."""
        if not self._names:
            return
        value = headers.get("host", "")
        match = _HOST_HEADER.fullmatch(value)
        if match is None or not any(_matches(match[1].lower(), name) for name in self._names):
            raise ForbiddenHost(
                f"this server does not answer to the host name {value[:100]!r}: open it as "
                "http://127.0.0.1 with its port, or add the name to the option allow_hosts"
            )

    def cors_headers(self, path: str, headers: Headers) -> dict[str, str]:
        """Return the headers that tell browsers which sites may read a response.

        Args:
            path: The path of the request.
            headers: Its headers.
        """
        if path == "/" or path.startswith(("/api/", "/v1/")):
            # Like gpt-2-cloud-run, a public server allows every site to call /.
            is_open = path == "/" and not self._origins and not self._is_local
            if ANY in self._origins or is_open:
                return {"Access-Control-Allow-Origin": ANY}
            if (origin := headers.get("origin")) in self._origins:
                return {"Access-Control-Allow-Origin": str(origin)}
        return {"Cross-Origin-Resource-Policy": "same-origin"}


def is_loopback(host: str) -> bool:
    """Whether an address to listen on accepts connections from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # The name of this machine may resolve to 127.0.1.1. Empty means all addresses.
            address = ipaddress.ip_address(socket.gethostbyname(host) if host else "0.0.0.0")
        except (OSError, UnicodeError):
            return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _matches(name: str, allowed: str) -> bool:
    return name.endswith(allowed[1:]) if allowed.startswith("*.") else name == allowed
