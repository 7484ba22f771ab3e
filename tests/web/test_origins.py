"""Host names and CORS, also in a browser: who may read the answers of a server on loopback."""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.datastructures import Headers

from gpt2_helpers.errors import OptionError
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig
from gpt2_helpers.web.errors import ForbiddenHost
from gpt2_helpers.web.origins import OriginPolicy, is_loopback
from jupyterlab_session import browser
from open_page import TIMEOUT
from web_server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REBOUND = "rebound.example"  # resolves to 127.0.0.1 in the browser


def answers_to(host: str, config: ServeConfig, has_key: bool = False) -> bool:
    try:
        OriginPolicy(config, has_key).check_host(Headers({"host": host} if host else {}))
    except ForbiddenHost:
        return False
    return True


# Host names


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "LocalHost:1", "127.0.0.1", "127.0.0.1:80", "[::1]:8080"],
)
def test_a_loopback_server_answers_to_loopback_names(host: str) -> None:
    for address in ("127.0.0.1", "localhost", "::1"):
        assert answers_to(host, ServeConfig(host=address))


@pytest.mark.parametrize(
    "host",
    [
        "", REBOUND, f"{REBOUND}:8080", "127.0.0.1.nip.example", "localhost.evil.example",
        "evil-localhost", "localhost.", "0.0.0.0", "192.168.0.2:8080", "[::2]", "::1", "[::1",
        "localhost:80:80", "evil.example@localhost", "localhost:x", "127.0.0.1 ", "a, localhost",
    ],
)  # fmt: skip
def test_a_loopback_server_answers_to_no_other_name(host: str) -> None:
    for address in ("127.0.0.1", "localhost", "::1"):
        assert not answers_to(host, ServeConfig(host=address))


def test_a_public_server_and_one_with_a_key_answer_to_every_name() -> None:
    for address in ("0.0.0.0", "::", ""):
        assert answers_to(REBOUND, ServeConfig(host=address))
    assert answers_to(REBOUND, ServeConfig(), has_key=True)


def test_allow_hosts_names_others() -> None:
    config = ServeConfig(allow_hosts="GPT2.example, *.proxy.example, [2001:db8::1]")
    for host in ("gpt2.example", "gpt2.example:443", "a.b.proxy.example", "[2001:db8::1]:80"):
        assert answers_to(host, config)
        assert answers_to("localhost", config)
    for host in (REBOUND, "proxy.example", "evilproxy.example", "x.gpt2.example"):
        assert not answers_to(host, config)
        # Once names are given, they are also checked where they need not be.
        assert not answers_to(host, ServeConfig(host="0.0.0.0", allow_hosts="gpt2.example"))
        assert not answers_to(host, config, has_key=True)
    assert answers_to(REBOUND, ServeConfig(allow_hosts="*"))


def test_the_address_of_the_server_is_one_of_its_names() -> None:
    assert answers_to("127.0.0.2:8080", ServeConfig(host="127.0.0.2"))
    assert not answers_to("127.0.0.3:8080", ServeConfig(host="127.0.0.2"))


def test_in_colab_every_name_is_accepted(fake_colab: Path) -> None:
    assert answers_to("abc-8080.colab.example", ServeConfig())
    assert not answers_to(REBOUND, ServeConfig(allow_hosts="abc.example"))


@pytest.mark.parametrize(
    "names", ["https://gpt2.example", "gpt2.example:80", "a/b", "a b", "*x", "schlüssel.example"]
)
def test_allow_hosts_must_be_names(names: str) -> None:
    with pytest.raises(OptionError, match=r"allow_hosts must be host names .* without scheme"):
        ServeConfig(allow_hosts=f"ok.example,{names}")


def test_loopback_addresses_are_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1", "nowhere.invalid", "a\udc80"):
        assert not is_loopback(host)
    # Debian maps the name of the machine to such an address.
    monkeypatch.setattr(socket, "gethostbyname", {"my-laptop": "127.0.1.1"}.__getitem__)
    assert is_loopback("my-laptop")


def test_another_name_gets_nothing_from_any_route(tiny: Session) -> None:
    with serving(tiny) as client:
        for path in ("/", "/api/model", "/metrics", "/healthz", "/docs", "/static/page.js"):
            response = client.get(path, headers={"Host": f"{REBOUND}:{client.base_url.port}"})
            assert response.status_code == 403
            assert f"'{REBOUND}:{client.base_url.port}'" in response.json()["error"]
            assert "allow_hosts" in response.json()["error"]
            assert client.get(path, params={"length": 2}).status_code == 200


# CORS


def cors_of(config: ServeConfig, path: str, origin: str | None = None) -> str | None:
    headers = Headers({"origin": origin} if origin else {})
    return (
        OriginPolicy(config, False).cors_headers(path, headers).get("Access-Control-Allow-Origin")
    )


def test_no_site_may_read_from_a_loopback_server() -> None:
    for path in ("/", "/api/generate", "/api/model", "/metrics"):
        assert cors_of(ServeConfig(), path, "https://a.example") is None


def test_every_site_may_call_the_root_of_a_public_server() -> None:
    config = ServeConfig(host="0.0.0.0")
    assert cors_of(config, "/", "https://a.example") == "*"
    assert cors_of(config, "/") == "*"  # as gpt-2-cloud-run answers
    assert cors_of(config, "/api/generate", "https://a.example") is None


def test_allow_origins_names_the_sites() -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        config = ServeConfig(host=host, allow_origins="https://a.example, http://b.example:81/")
        for path in ("/", "/api/generate"):
            assert cors_of(config, path, "https://a.example") == "https://a.example"
            assert cors_of(config, path, "http://b.example:81") == "http://b.example:81"
            for other in ("http://a.example", "https://a.example.evil", "null", None):
                assert cors_of(config, path, other) is None
        assert cors_of(config, "/metrics", "https://a.example") is None
        assert cors_of(ServeConfig(host=host, allow_origins="*"), path, "https://x.example") == "*"


# In a browser


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def other_site() -> Iterator[str]:
    """Another site on this machine, such as a page that is open in the same browser."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1") as chromium:
        yield chromium


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def fetched(page: Page, url: str, mode: str = "cors") -> str:
    """What a script of a page reads from a URL: the body, or "blocked"."""
    script = """([url, mode]) => fetch(url, {mode}).then(
        async (response) => (await response.text()) || "blocked", () => "blocked")"""
    text: str = page.evaluate(script, [url, mode])
    return text


def test_a_page_of_another_origin_reads_nothing(
    page: Page, other_site: str, client: httpx.Client
) -> None:
    page.goto(other_site)
    for name in ("127.0.0.1", "localhost"):
        for path in ("/?length=3", "/api/model", "/metrics", "/healthz", "/static/page.js"):
            for mode in ("cors", "no-cors"):
                url = f"http://{name}:{client.base_url.port}{path}"
                assert fetched(page, url, mode) == "blocked"


def test_a_page_with_a_rebound_name_reads_nothing(
    page: Page, other_site: str, client: httpx.Client
) -> None:
    page.goto(other_site.replace("127.0.0.1", REBOUND))  # the rule for the name works
    opened = page.goto(f"http://{REBOUND}:{client.base_url.port}/")
    assert opened is not None
    assert opened.status == 403
    read = functools.partial(fetched, page)  # from the same origin, where CORS forbids nothing
    for path in ("/?length=3", "/api/model", "/metrics"):
        assert "does not answer to the host name" in read(path)


def test_a_site_in_allow_origins_reads_answers(page: Page, other_site: str, tiny: Session) -> None:
    with serving(tiny, allow_origins=other_site) as client:
        page.goto(other_site)
        assert '"text"' in fetched(page, f"{client.base_url}?length=3")
        assert '"name"' in fetched(page, f"{client.base_url}api/model")
        assert fetched(page, f"{client.base_url}metrics") == "blocked"


def test_links_from_another_page_open_the_page(
    page: Page, other_site: str, client: httpx.Client
) -> None:
    """JupyterLab shows the address of `gpt2.serve` as a link, which opens a new tab."""
    page.goto(other_site)
    for name in ("127.0.0.1", "localhost"):
        page.set_content(
            f'<a href="http://{name}:{client.base_url.port}/" target="_blank" rel="noopener">go</a>'
        )
        with page.context.expect_page() as opened:
            page.click("a")
        opened.value.locator("#generate:enabled").wait_for(timeout=TIMEOUT)
        opened.value.close()
