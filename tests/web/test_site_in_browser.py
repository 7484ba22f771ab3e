"""A static site in a real browser: the model's texts, and what a reader expects of the page.

The host sends no special headers, and the sites are in a folder below its root, as on GitHub Pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.result import in_order
from gpt2_helpers.session import Session
from gpt2_helpers.web.site import MODEL
from onnx_runner import OnnxRunner
from open_page import PROMPT, OpenPage
from static_site import StaticHost, hosting, load_model, texts_of, write_model_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PROMPTS = [
    "Once upon a time", "It was a dark night, and", "The king said", "In the middle of the forest",
    "\u201cWho is there?\u201d", "She opened the door", "One winter morning, the old",
    "There was once a", "He had never seen", "Then the wolf",
]  # fmt: skip


@pytest.fixture(scope="module")
def host(tiny: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaticHost]:
    """A host of two sites of `tiny`: `sites/float32/` and `sites/int8/`."""
    root = tmp_path_factory.mktemp("host")
    for dtype in ("float32", "int8"):
        write_model_site(root / "sites" / dtype, tiny, dtype)
    with hosting(root) as host:
        yield host


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture(scope="module")
def opened(chromium: Browser, host: StaticHost) -> Iterator[OpenPage]:
    """The page of the 8-bit model, which must not write anything to its console."""
    opened = OpenPage(
        chromium, f"{host.address}sites/int8/", viewport={"width": 1100, "height": 760}
    )
    yield opened
    opened.context.close()


def notice_of(page: Page) -> str:
    page.locator("#notice:visible").wait_for()
    return page.locator("#notice").inner_text()


def expected(session: Session, request: dict[str, Any]) -> list[str]:
    """The texts of Python for a request."""
    options = {
        key: value for key, value in request.items() if key not in ("prefix", "max_new_tokens")
    }
    ids = session.tokenizer.encode(request["prefix"])
    config = replace(SamplingConfig(), length=len(ids) + request["max_new_tokens"], **options)
    return [result.text for result in in_order(session.generate(request["prefix"], config))]


def test_texts_are_those_of_python(context: BrowserContext, host: StaticHost) -> None:
    session = Session()
    session.load_pretrained("tiny", precision="float32")
    greedy = [
        {"prefix": prompt, "max_new_tokens": 40, "temperature": 0.0, "seed": 0}
        for prompt in PROMPTS
    ]
    common = {"prefix": PROMPTS[0], "max_new_tokens": 40, "temperature": 0.7}
    seeded = [
        {**common, "top_k": 40, "seed": 1, "nsamples": 3, "finish_sentence": True},
        {**common, "top_p": 0.9, "seed": 2**63 - 1, "repetition_penalty": 1.2},
        {**common, "seed": 3, "truncate": [".", "!"]},
        # More than the context of 256 tokens.
        {**common, "prefix": " ".join(PROMPTS * 5), "max_new_tokens": 150, "top_k": 5, "seed": 4},
    ]
    page = context.new_page()
    load_model(page, f"{host.address}sites/float32/")
    found = texts_of(page, greedy + seeded)
    for request, texts in zip(greedy + seeded, found, strict=True):
        assert texts == expected(session, request), request


def test_texts_of_8_bits_are_those_of_onnx_runtime(
    opened: OpenPage, host: StaticHost, tiny: Session
) -> None:
    runner = OnnxRunner(host.folder / "sites" / "int8" / MODEL, tiny.inference_model.config)
    requests: list[dict[str, Any]] = [
        {"prefix": prompt, "max_new_tokens": 30, "temperature": 0.0, "seed": 0}
        for prompt in PROMPTS[:5]
    ]
    # The processor and WebAssembly add in another order, and a value between two 8-bit numbers may
    # be rounded the other way, so of nearly equal logits another one may be the highest.
    behind = []  # how far each token of the browser is behind the likeliest one
    for request, (text,) in zip(requests, texts_of(opened.page, requests), strict=True):
        runner.restart()
        prompt, ids = (tiny.tokenizer.encode(each) for each in (request["prefix"], text))
        assert ids[: len(prompt)] == prompt
        assert len(ids) > len(prompt)
        logits = runner.read(prompt)
        for token in ids[len(prompt) :]:
            behind.append(float(logits.max() - logits[token]))
            logits = runner.read([token])
    assert max(behind) < 0.2
    assert behind.count(0.0) > 0.95 * len(behind)


def test_the_page_writes_without_a_server(opened: OpenPage, host: StaticHost) -> None:
    page = opened.page
    assert "English stories and novels" in page.locator("#model-description").inner_text()
    assert "API docs" not in page.locator("footer").inner_text()
    text = opened.generate()
    assert len(text) > len(PROMPT)
    assert page.locator(".result-text strong").first.inner_text() == PROMPT
    assert page.locator(".result-info").first.inner_text().endswith("Machine-generated: tiny")
    page.click(".result >> text=Show probabilities")
    page.locator(".probabilities").wait_for()
    assert page.locator(".probabilities").inner_text().replace("↵", "") == text
    opened.screenshot("web-static")
    page.click("footer >> text=How it works")
    assert "runs it in your browser" in page.locator("main").inner_text()
    assert "The server uses" not in page.locator("main").inner_text()
    page.click("text=Back to writing")
    page.locator("#generate:enabled").wait_for()
    assert opened.messages == []


def test_tab_suggests_continuations(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", PROMPT)
    page.focus("#editor")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.locator(".completion").first.wait_for()
    assert 1 <= page.locator(".completion").count() <= 3
    chosen = page.locator('.completion[aria-selected="true"]').get_attribute("data-text")
    page.keyboard.press("Enter")
    assert page.input_value("#editor") == f"{PROMPT}{chosen}"


def test_the_likeliest_next_tokens_are_listed(opened: OpenPage) -> None:
    tokens = opened.page.evaluate(
        """async (text) => {
          const { nextTokens } = await import("./static/transport.js");
          return nextTokens(text, []);
        }""",
        PROMPT,
    )
    assert len(tokens) == 10
    probabilities = [token["probability"] for token in tokens]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1
    assert " the" in [token["text"] for token in tokens]


def test_next_tokens_are_chosen_on_the_page(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", PROMPT)
    page.click("#show-next")
    page.locator("#next-list:not([aria-busy]) .next-token").first.wait_for()
    chosen = page.locator(".next-text").first.inner_text()
    page.keyboard.press("Enter")
    page.locator("#next-undo:enabled").wait_for()
    assert page.input_value("#editor") == PROMPT + chosen.replace("\u2423", " ")
    page.keyboard.press("Escape")
    page.locator("#next-tokens").wait_for(state="hidden")
    opened.generate()
    page.locator(".result >> text=Show probabilities").first.click()
    page.locator(".probabilities span").nth(3).click()
    page.click("text=Choose another token here")
    page.locator("#next-list:not([aria-busy]) .next-token").first.wait_for()
    assert PROMPT.startswith(page.input_value("#editor"))
    page.keyboard.press("Escape")


def test_stop_ends_a_text(opened: OpenPage) -> None:
    page = opened.page
    opened.set_slider("max_new_tokens", 300)
    opened.set_slider("nsamples", 8)
    opened.start_generating()
    page.click("#stop")
    page.locator("#status", has_text="Stopped").wait_for()
    page.click("#reset")
    assert "Interrupted." in page.locator(".result-info").first.inner_text()
    assert opened.generate("The garden").startswith("The garden")  # the worker is free again


def test_a_shared_link_shows_its_text(opened: OpenPage, context: BrowserContext) -> None:
    text = opened.generate()
    opened.page.locator(".result >> text=Share link").first.click()
    opened.page.locator("text=Link copied").first.wait_for()
    link = opened.clipboard()
    page = context.new_page()
    page.goto(link)
    page.locator("#reader:visible").wait_for()
    assert page.locator("#shared-text").inner_text() == text
    page.click("#continue-shared")
    page.locator("#generate:enabled").wait_for()
    assert page.input_value("#editor") == text


def test_nothing_is_asked_of_others(opened: OpenPage, host: StaticHost) -> None:
    addresses: list[str] = []
    opened.context.on("request", lambda request: addresses.append(request.url))
    opened.page.reload()
    opened.page.locator("#generate:enabled").wait_for()
    opened.generate()
    assert addresses
    assert all(
        address.startswith((f"{host.address}sites/int8/", f"blob:{host.address}"))
        for address in addresses
    )


def test_the_second_visit_works_offline(opened: OpenPage, host: StaticHost) -> None:
    page = opened.page
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    before = len(host.asked)
    opened.context.set_offline(True)
    page.reload()
    page.locator("#generate:enabled").wait_for()
    assert opened.generate().startswith(PROMPT)
    opened.context.set_offline(False)
    # The browser looks for a new version of the service worker.
    assert set(host.asked[before:]) <= {"/sites/int8/sw.js"}


def test_a_damaged_copy_in_the_browser_is_fetched_again(opened: OpenPage, host: StaticHost) -> None:
    page = opened.page
    damaged = page.evaluate("""async () => {
      const name = (await caches.keys()).find((name) => name.startsWith("gpt2-model:"));
      const cache = await caches.open(name);
      const request = (await cache.keys()).find(({ url }) => url.includes("weights-000.bin"));
      const bytes = await (await cache.match(request)).arrayBuffer();
      await cache.put(request, new Response(bytes.slice(0, 1000)));
      return new URL(request.url).pathname;
    }""")
    before = len(host.asked)
    page.reload()
    page.locator("#generate:enabled").wait_for()
    assert [path for path in host.asked[before:] if "/model/" in path] == [damaged]
    assert opened.generate().startswith(PROMPT)
    assert opened.messages == []


def test_a_truncated_file_on_the_host_is_named(context: BrowserContext, host: StaticHost) -> None:
    host.truncated.add("weights-000.bin")
    try:
        page = context.new_page()
        page.goto(f"{host.address}sites/int8/")
        notice = notice_of(page)
    finally:
        host.truncated.clear()
    assert re.match(
        r"The file weights-000\.bin is damaged on this site: it has [\d,]+ bytes", notice
    )
    assert page.locator("#generate").is_disabled()
    assert host.asked.count("/sites/int8/model/weights-000.bin") >= 3  # it was fetched again


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (
            "throw new RangeError('Array buffer allocation failed')",
            "too little memory for the model",
        ),
        ("throw new Error('no kernel')", "does not run in this browser: no kernel"),
    ],
)
def test_a_model_that_does_not_start_is_explained(
    chromium: Browser, host: StaticHost, runtime: str, message: str
) -> None:
    context = chromium.new_context(service_workers="block")
    body = f"""export const env = {{ wasm: {{}} }};
export const InferenceSession = {{ create() {{ {runtime}; }} }};"""
    context.route(
        "**/runtime/*.js", lambda route: route.fulfill(body=body, content_type="text/javascript")
    )
    page = context.new_page()
    page.goto(f"{host.address}sites/int8/")
    assert message in notice_of(page)
    context.close()


def test_a_browser_without_webassembly_is_told(context: BrowserContext, host: StaticHost) -> None:
    context.add_init_script("delete window.WebAssembly")
    page = context.new_page()
    page.goto(f"{host.address}sites/int8/")
    assert "This browser has no WebAssembly" in notice_of(page)
    page.click("footer >> text=How it works")  # the rest of the page works


def test_threads_are_used_where_the_host_allows_them(
    context: BrowserContext, host: StaticHost
) -> None:
    host.headers |= {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
    }
    try:
        page = context.new_page()
        assert load_model(page, f"{host.address}sites/int8/")["threads"] == 1
        cores = page.evaluate("navigator.hardwareConcurrency")
        large = """import("./static/engine/runtime.js").then(({ threadsFor }) =>
          threadsFor(125e6, 0))"""
        assert page.evaluate(large) == min(4, cores)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        # The service worker passes the headers on.
        loaded = load_model(page, f"{host.address}sites/int8/?threads=2")
        assert loaded["threads"] == min(2, cores)
        request = {"prefix": PROMPT, "max_new_tokens": 20, "temperature": 0, "seed": 0}
        ((text,),) = texts_of(page, [request])
    finally:
        host.headers.clear()
    assert text.startswith(PROMPT)
    assert len(text) > len(PROMPT)
