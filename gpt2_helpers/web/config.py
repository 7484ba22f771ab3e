"""The options of `gpt2-helpers serve`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option

BODY_OVERHEAD = 4096  # bytes of a body or query besides its prompt
# At most: a JSON surrogate pair, \\uXXXX\\uXXXX, or four bytes in a query, %XX%XX%XX%XX.
BYTES_PER_CHARACTER = 12
MIN_QUERY_BYTES = 65_536
ANY = "*"  # as an entry of allow_hosts or allow_origins
_HOST_NAME = re.compile(r"\*|(\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\]")


@dataclass(frozen=True)
class ServeConfig(ValidatedConfig):
    """Address, batch, limits per request and access control of a server."""

    host: str = option(
        "127.0.0.1", "address to listen on; 0.0.0.0 accepts connections from other machines"
    )
    port: int = option(
        8080,
        "port to listen on; 0 picks a free one; the environment variable PORT replaces the default",
        maximum=65535,
        minimum=0,
    )
    batch_size: int = option(
        16, "sequences generated in parallel, over all requests", minimum=1, maximum=512
    )
    workers: int = option(
        0,
        "worker processes, each with its own copy of the model; 0 chooses: for a small model on a "
        "CPU one per core, with at least 4 sequences each, otherwise one",
        minimum=0,
        maximum=64,
    )
    models: Sequence[str] | None = option(
        None,
        "other runs or pretrained models, which requests select with the parameter model; each "
        "needs its own memory",
        label="More models",
    )
    max_queue: int = option(
        64, "sequences that may wait for a place in the batch; more get status 429", minimum=1
    )
    max_length: int = option(
        1023, "maximum length or max_new_tokens that a request may ask for, in tokens", minimum=2
    )
    max_prompt_chars: int = option(8000, "maximum prompt length in characters", minimum=1)
    max_nsamples: int = option(8, "maximum number of texts per prompt", minimum=1)
    max_prompts: int = option(
        20, "maximum number of prompts per request to /v1/completions", minimum=1
    )
    request_timeout: float = option(
        120.0, "maximum seconds per request, including the time in the queue",
        minimum=0.1,
        maximum=3600,
    )  # fmt: skip
    rate_limit: int = option(
        0, "texts per minute and client that may be requested; 0 disables the limit", minimum=0
    )
    trusted_proxies: int = option(
        0,
        "number of reverse proxies in front, whose X-Forwarded-For entries identify the client; "
        "1 on Cloud Run",
        minimum=0,
        maximum=10,
        advanced=True,
    )
    allow_origins: str = option(
        "",
        "other sites whose pages may call the API (CORS): origins separated by commas, or *; if "
        "empty, none may, except that any may call / if host is not a loopback address",
        advanced=True,
    )
    allow_hosts: str = option(
        "",
        "other host names under which clients reach the server, for example through a proxy: names "
        "separated by commas, *.site.example for a whole domain, or * for any; if empty, only "
        "localhost, 127.0.0.1 and [::1] on a loopback address without a key, otherwise any",
        advanced=True,
    )
    shutdown_timeout: float = option(
        8.0,
        "seconds that running requests get to finish on shutdown",
        minimum=0.0,
        maximum=600,
        advanced=True,
    )
    prompt_prefix: str | None = option(
        None,
        "text put before every prompt and left out of the answer",
        default_text="<|startoftext|> if the run was finetuned on a table, else nothing",
        advanced=True,
    )
    access_log: bool = option(
        False,
        "log each request to stderr: method, path, status and duration, never its content",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size + self.max_queue < self.max_nsamples:
            raise OptionError(
                f"max_nsamples={self.max_nsamples} exceeds the capacity of the server, "
                f"batch_size={self.batch_size} plus max_queue={self.max_queue}: lower max_nsamples "
                "or raise one of these"
            )
        for origin in self.origins:
            if origin != "*" and not origin.startswith(("http://", "https://")):
                raise OptionError(
                    "allow_origins must be * or origins such as https://a.example, separated by "
                    f"commas, got {origin!r}"
                )
        for name in self.host_names:
            if not _HOST_NAME.fullmatch(name):
                raise OptionError(
                    "allow_hosts must be host names such as gpt2.example, without scheme and port, "
                    f"separated by commas, or *, got {name!r}"
                )

    @property
    def max_body_bytes(self) -> int:
        """Maximum size of a request's body."""
        return BODY_OVERHEAD + BYTES_PER_CHARACTER * self.max_prompt_chars

    @property
    def max_query_bytes(self) -> int:
        """Maximum size of a request's query string, whose prefix is cut to max_prompt_chars."""
        return max(MIN_QUERY_BYTES, self.max_body_bytes)

    @property
    def origins(self) -> tuple[str, ...]:
        """The entries of `allow_origins`.

        >>> ServeConfig(allow_origins="https://a.example, https://b.example").origins
        ('https://a.example', 'https://b.example')
        """
        return tuple(site.rstrip("/") for site in _entries(self.allow_origins))

    @property
    def host_names(self) -> tuple[str, ...]:
        """The entries of `allow_hosts`, in lower case."""
        return tuple(_entries(self.allow_hosts.lower()))


def _entries(text: str) -> list[str]:
    """Return the entries of a list separated by commas."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]
