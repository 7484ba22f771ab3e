"""The page's HTML: title, description and the tags that chat and social apps show for a link."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2_helpers.web.model_info import ModelInfo

if TYPE_CHECKING:
    from starlette.requests import Request

STATIC = Path(__file__).parent / "static"
PREVIEW_SIZE = (1200, 630)  # pixels of preview.png, a picture of preview.svg
_TITLE, _HEADING = re.compile(r"<title>.*?</title>"), re.compile(r'(<h1 id="title">).*?(</h1>)')

# Programs that fetch a page for a link preview or a search engine. Most of them do not ask for
# HTML: "Accept: */*".
_PREVIEW_FETCHERS = re.compile(
    r"facebookexternalhit|whatsapp|(bot|crawler|spider|preview|embedly|iframely|mastodon)\b"
    r"|slack|vkshare|pinterest|bluesky",
    re.IGNORECASE,
)


class Page:
    """The page of one server.

    Args:
        info: The model; None keeps its name and description from readers without an API key.
    """

    def __init__(self, info: ModelInfo | None) -> None:
        self._html = (STATIC / "index.html").read_text(encoding="utf-8")
        self.title = f"Write with {info.name if info else 'a language model'}"
        self.description = "Start a text, and a language model continues it."
        if info:
            self.description += f" {info.description[:1].upper()}{info.description[1:]}."

    def render(self, address: str | None) -> str:
        """Return the page for a server that its reader knows by an address, such as
        https://example.org/. Without an address, link previews have no picture."""
        width, height = PREVIEW_SIZE
        properties = {
            "og:type": "website",
            "og:site_name": "gpt2-helpers",
            "og:title": self.title,
            "og:description": self.description,
        }
        names = {"description": self.description}
        if address is not None:
            properties |= {
                "og:url": address,
                "og:image": f"{address}static/preview.png",
                "og:image:width": str(width),
                "og:image:height": str(height),
                "og:image:alt": "The start of a text, and its continuation by a language model",
            }
            names["twitter:card"] = "summary_large_image"
        tags = [
            f"<title>{escape(self.title)}</title>",
            *(f'<meta name="{key}" content="{escape(value)}">' for key, value in names.items()),
            *(
                f'<meta property="{key}" content="{escape(value)}">'
                for key, value in properties.items()
            ),
        ]
        html = _TITLE.sub(lambda _: "\n".join(tags), self._html, count=1)
        return _HEADING.sub(
            lambda match: f"{match[1]}{escape(self.title)}{match[2]}", html, count=1
        )


def address_of(request: Request, trusted_proxies: int) -> str:
    """Return the address of the page as its reader sees it, with a slash at the end.

    Args:
        request: Any request for the page.
        trusted_proxies: Number of reverse proxies in front. With one or more, the scheme is that
            of X-Forwarded-Proto.
    """
    url = request.base_url
    scheme = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    if trusted_proxies and scheme in ("http", "https"):
        url = url.replace(scheme=scheme)
    return str(url)


def is_page_request(request: Request) -> bool:
    """Whether a browser or a link preview asks for the page, and not a program for a text."""
    if request.url.path != "/" or request.method not in ("GET", "HEAD"):
        return False
    if "text/html" in request.headers.get("accept", ""):
        return True
    # A bot that writes with the model sends parameters.
    agent = request.headers.get("user-agent", "")
    return not request.url.query and _PREVIEW_FETCHERS.search(agent) is not None
