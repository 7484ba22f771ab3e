"""How a model is served: the options of `gpt2-helpers serve`, checked at birth."""

from __future__ import annotations

from dataclasses import dataclass

from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import ValidatedConfig, option


@dataclass(frozen=True)
class ServeConfig(ValidatedConfig):
    """Where the server listens, what one request may ask for, and who may ask how often."""

    host: str = option("127.0.0.1", "address to listen on; 0.0.0.0 lets other machines in")
    port: int = option(
        8080, "port to listen on; where none is given PORT of the environment, if set; 0 finds one",
        maximum=65535,
        minimum=0,
    )  # fmt: skip
    batch_size: int = option(
        16, "texts written side by side, of all requests together", minimum=1, maximum=512
    )
    workers: int = option(
        0,
        "processes that write, each with the model in memory once more; by itself one a core for a "
        "small model on a processor, one for each four of batch_size at most, else one",
        minimum=0,
        maximum=64,
    )
    max_queue: int = option(
        64, "texts that may wait for a place; requests beyond are told to come back", minimum=1
    )
    max_length: int = option(
        1023, "most tokens that a request may ask for: as length or as max_new_tokens", minimum=2
    )
    max_prompt_chars: int = option(8000, "longest prefix, in characters", minimum=1)
    max_nsamples: int = option(8, "most texts of one request", minimum=1)
    request_timeout: float = option(
        120.0, "seconds that a request may take, waiting included", minimum=0.1, maximum=3600
    )
    rate_limit: int = option(
        0, "requests for texts a minute from one client; 0 for no limit", minimum=0
    )
    trusted_proxies: int = option(
        0,
        "proxies in front, whose X-Forwarded-For tells the client; 1 on Cloud Run",
        minimum=0,
        maximum=10,
        advanced=True,
    )
    allow_origins: str = option(
        "",
        "other sites whose pages may use /api: addresses with commas between them, or *",
        advanced=True,
    )
    shutdown_timeout: float = option(
        8.0,
        "seconds that texts have to finish once the server is told to end",
        minimum=0.0,
        maximum=600,
        advanced=True,
    )
    prompt_prefix: str | None = option(
        None,
        "what is read before each prefix and not shown; by itself the mark that texts of a table "
        "were finetuned with, else nothing",
        advanced=True,
    )
    access_log: bool = option(
        False, "a line on stderr for each request: never what is in it", advanced=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size + self.max_queue < self.max_nsamples:
            raise OptionError(
                f"max_nsamples={self.max_nsamples} texts of one request must find a place, and "
                f"batch_size={self.batch_size} and max_queue={self.max_queue} are fewer: lower "
                "max_nsamples or raise one of these"
            )
        for site in self.origins:
            if site != "*" and not site.startswith(("http://", "https://")):
                raise OptionError(
                    f"allow_origins must be addresses such as https://a.example with commas "
                    f"between them, or *, got {site!r}"
                )

    @property
    def origins(self) -> tuple[str, ...]:
        """The sites of `allow_origins`.

        >>> ServeConfig(allow_origins="https://a.example, https://b.example").origins
        ('https://a.example', 'https://b.example')
        """
        return tuple(
            site.strip().rstrip("/") for site in self.allow_origins.split(",") if site.strip()
        )
