"""A static site in a real browser while its model loads, and after its runtime broke down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpt2_helpers.session import Session
from open_page import PROMPT, TIMEOUT, generate
from static_site import StaticHost, hosting, write_model_site
from toy_runs import write_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WEIGHTS = "weights-000.bin"
# Starts like the runtime, and fails when it computes.
BROKEN_RUNTIME = """
export const env = { wasm: {} };
export class Tensor {}
export const InferenceSession = {
  create: async () => ({ run: async () => { throw new Error("unreachable"); } }),
};
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaticHost]:
    """A host of two sites of a toy model; the address of one has a space and other letters."""
    root = tmp_path_factory.mktemp("host")
    session = Session()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("models"))
        model = write_model().resolve()
        session.load_pretrained("toy", precision="float32")
    for name in ("one", "My sites/Märchen"):
        write_model_site(root / name, session, "float32", model)
    with hosting(root) as host:
        yield host


@pytest.fixture
def address(host: StaticHost) -> str:
    return f"{host.address}one/"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def loaded(chromium: Browser, host: StaticHost) -> Iterator[Page]:
    """A page whose model is loaded."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{host.address}one/")
    page.locator("#generate:enabled").wait_for()
    yield page
    context.close()


@contextmanager
def held(host: StaticHost, name: str) -> Iterator[None]:
    """A host does not send a file."""
    host.held.add(name)
    try:
        yield
    finally:
        host.held.clear()


def test_stop_works_while_the_model_loads(page: Page, host: StaticHost, address: str) -> None:
    with held(host, WEIGHTS):
        page.goto(address)
        page.locator("#loading:visible").wait_for()
        assert page.locator("#not-started").count() == 0
        page.fill("#editor", PROMPT)
        page.keyboard.press("Control+Enter")
        page.click("#stop")
        page.locator("#status", has_text="Stopped.").wait_for()
        assert page.locator(".result").count() == 0
        assert page.locator("#generate").is_disabled()
        assert page.locator("#loading").is_visible()
    page.locator("#generate:enabled").wait_for()
    assert not page.locator("#loading").is_visible()
    assert generate(page, PROMPT).startswith(PROMPT)


def test_a_text_that_is_asked_for_early_is_written_after_loading(
    page: Page, host: StaticHost, address: str
) -> None:
    with held(host, WEIGHTS):
        page.goto(address)
        page.locator("#loading:visible").wait_for()
        page.fill("#editor", PROMPT)
        page.keyboard.press("Control+Enter")
        page.keyboard.press("Control+Enter")
        page.locator(".result.generating").wait_for()
    page.locator("#status", has_text="Done").wait_for(timeout=TIMEOUT)
    assert page.locator(".result-text").all_inner_texts()[0].startswith(PROMPT)
    assert page.locator(".result").count() == 1


def test_a_shared_text_can_be_continued_before_the_model_is_there(
    page: Page, host: StaticHost, address: str
) -> None:
    with held(host, WEIGHTS):
        page.goto(f"{address}#prompt=The&text=+garden")
        page.click("#continue-shared")
        page.locator("#loading:visible").wait_for()
        assert page.input_value("#editor") == "The garden"
        page.locator("#editor").press_sequentially(" was")
    page.locator("#generate:enabled").wait_for()
    assert page.input_value("#editor") == "The garden was"


def test_a_damaged_link_is_reported_before_the_model_is_there(
    page: Page, host: StaticHost, address: str
) -> None:
    with held(host, WEIGHTS):
        page.goto(f"{address}#shared=q1YqKC")
        page.locator("#notice", has_text="incomplete or damaged").wait_for()
    page.locator("#generate:enabled").wait_for()
    assert "incomplete or damaged" in page.locator("#notice").inner_text()


def test_screen_readers_are_not_told_each_amount(page: Page, address: str) -> None:
    page.add_init_script(
        """document.addEventListener("DOMContentLoaded", () => {
          window.heard = [];
          window.amounts = 0;
          const all = { subtree: true, childList: true, characterData: true };
          for (const element of document.querySelectorAll("#loading [aria-live]")) {
            new MutationObserver(() => window.heard.push(element.textContent))
              .observe(element, all);
          }
          new MutationObserver(() => (window.amounts += 1))
            .observe(document.getElementById("loading"), all);
        })"""
    )
    page.goto(address)
    page.locator("#generate:enabled").wait_for()
    assert page.evaluate("window.heard") == ["Loading the model:", "Starting the model …", ""]
    assert page.evaluate("window.amounts") > 10


def test_a_runtime_that_breaks_down_is_started_again(chromium: Browser, address: str) -> None:
    context = chromium.new_context(service_workers="block")
    context.route(
        "**/runtime/ort.wasm*",
        lambda route: route.fulfill(body=BROKEN_RUNTIME, content_type="text/javascript"),
    )
    page = context.new_page()
    page.goto(address)
    page.locator("#generate:enabled").wait_for()
    page.fill("#editor", PROMPT)
    page.click("#generate")
    page.locator("#notice", has_text="does not run in this browser: unreachable").wait_for()
    context.unroute("**/runtime/ort.wasm*")
    assert generate(page, PROMPT).startswith(PROMPT)
    assert not page.locator("#notice").is_visible()
    context.close()


def test_a_script_that_cannot_be_loaded_does_not_blame_the_browser(
    chromium: Browser, address: str
) -> None:
    context = chromium.new_context(service_workers="block")
    context.route("**/engine/decoder.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(address)
    page.locator("#notice", has_text="check the connection, and reload the page").wait_for()
    context.close()


def service_worker_is_ready(page: Page) -> None:
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")


def test_pages_open_offline_though_the_host_redirects(
    page: Page, host: StaticHost, address: str
) -> None:
    host.redirected |= {"how.html", "index.html"}
    try:
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        service_worker_is_ready(page)
        page.goto(f"{address}index.html")
        page.click("footer >> text=How it works")
        assert "runs it in your browser" in page.locator("main").inner_text()
        page.context.set_offline(True)
        page.reload()
        assert "runs it in your browser" in page.locator("main").inner_text()
    finally:
        host.redirected.clear()


def test_a_folder_with_a_space_and_other_letters(
    page: Page, host: StaticHost, address: str
) -> None:
    page.goto(f"{host.address}My sites/Märchen/")
    page.locator("#generate:enabled").wait_for()
    service_worker_is_ready(page)
    page.context.set_offline(True)
    page.reload()
    page.locator("#generate:enabled").wait_for()
    assert generate(page, PROMPT).startswith(PROMPT)
    page.evaluate(
        """() => {
          window.drawn = [];
          CanvasRenderingContext2D.prototype.fillText = (text) => window.drawn.push(text);
        }"""
    )
    with page.expect_download():
        page.click("text=Download picture")
    (line,) = (text for text in page.evaluate("window.drawn") if "127.0.0.1" in text)
    assert "/My sites/Märchen · Machine-generated text" in line
    # Its saved texts are not those of another site of the host.
    page.get_by_role("button", name="Save", exact=True).click()
    page.reload()
    page.locator(".result.saved").wait_for()
    page.context.set_offline(False)
    page.goto(address)
    page.locator("#model-description", has_text="parameters").wait_for()
    assert page.locator(".result").count() == 0


def test_an_invalid_setting_is_named(loaded: Page) -> None:
    page = loaded
    page.click("#advanced summary")
    page.fill("#option-logit_bias", "99999=5")
    page.fill("#editor", PROMPT)
    page.click("#generate")
    page.locator(
        "#notice", has_text=re.compile("Logit_bias: token ids must be between 0")
    ).wait_for()
    page.fill("#option-logit_bias", "word")
    page.click("#generate")
    page.locator("#notice", has_text='such as "word=2"').wait_for()
    page.fill("#option-logit_bias", "")
    generate(page, PROMPT)


def test_a_text_does_not_wait_for_probabilities(loaded: Page) -> None:
    order = loaded.evaluate(
        """async () => {
          const { score, stream } = await import("./static/transport.js");
          const order = [];
          const request = { prefix: "What", max_new_tokens: 2, temperature: 0 };
          const scored = score("What is the best thing? ".repeat(40)).then((found) => {
            order.push("score");
            return found;
          });
          await stream(request, { text: () => {}, end: () => order.push("text") });
          const { logprobs } = await scored;
          const again = await score("What is the best thing? ".repeat(40));
          return [order, logprobs.every((number, at) => number === again.logprobs[at])];
        }"""
    )
    assert order == [["text", "score"], True]


def test_a_page_opened_as_a_file_says_how_to_open_it(page: Page, host: StaticHost) -> None:
    page.goto((host.folder / "one" / "index.html").as_uri())
    assert not page.locator("#not-started").is_visible()  # until scripts had time to start
    page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
    assert "python -m http.server" in page.locator("#not-started:visible").inner_text()


def test_an_updated_site_replaces_the_old_one(
    page: Page, host: StaticHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(2):
        model = write_model(f"toy{seed}", seed=seed).resolve()
        session = Session()
        session.load_pretrained(model.name, precision="float32")
        write_model_site(host.folder / "updated", session, "float32", model)
        page.goto(f"{host.address}updated/")
        page.locator("#generate:enabled").wait_for()
        page.evaluate(
            """async () => {
              const registration = await navigator.serviceWorker.ready;
              await registration.update();
              const worker = registration.installing ?? registration.active;
              while (worker.state !== "activated") {
                await new Promise((resolve) => worker.addEventListener("statechange", resolve));
              }
            }"""
        )
        page.reload()
        page.locator("h1", has_text=f"Write with toy{seed}").wait_for()
        page.locator("#generate:enabled").wait_for()
        generate(page, PROMPT)
    kept = page.evaluate(
        """async () => {
          const site = await (await fetch("site.json")).json();
          const hashes = site.model.files.map(({ sha256 }) => sha256);
          const cache = await caches.open("gpt2-model:/updated/");
          const own = (await cache.keys()).filter(({ url }) => url.includes("/model/"));
          const sites = (await caches.keys()).filter((name) => name.startsWith("gpt2-site:"));
          return [own.every(({ url }) => hashes.includes(url.split("=")[1])), own.length,
            sites.length];
        }"""
    )
    assert kept == [True, 4, 1]
