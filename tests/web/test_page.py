"""The page in a real browser: what a user types, presses and sees."""

from __future__ import annotations

import contextlib
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gpt2_helpers.evaluation.probability_levels import LEVELS
from gpt2_helpers.session import Session
from open_page import PROMPT, OpenPage, sent_by
from web_server import address_of, serving, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_text_streams_in_with_its_prompt_in_bold(chromium: Browser, tiny: Session) -> None:
    # Slowed down, to see the text before it is complete.
    with serving(tiny, step_seconds=0.03) as client:
        size = {"width": 1100, "height": 760}
        opened = OpenPage(chromium, str(client.base_url), viewport=size)
        opened.set_slider("max_new_tokens", 300)
        opened.start_generating()
        early = opened.page.locator(".result-text").inner_text()
        opened.page.locator("#status", has_text=re.compile(r"Done: \d+ words?\.")).wait_for()
        text = opened.page.locator(".result-text").inner_text()
        assert text.startswith(PROMPT)
        assert text.startswith(early.rstrip("▍"))
        assert opened.page.locator(".result-text strong").inner_text() == PROMPT
        assert opened.page.locator(".result-info").inner_text().endswith("Machine-generated: tiny")
        opened.screenshot("web")
        assert opened.messages == []
        opened.context.close()


def test_the_page_says_that_a_model_writes(opened: OpenPage) -> None:
    assert opened.page.locator("h1").inner_text() == "Write with tiny"
    assert "English stories and novels" in opened.page.locator("#model-description").inner_text()
    assert "Generated text may be wrong" in opened.page.locator("footer").inner_text()
    opened.page.click("footer >> text=How it works")
    assert "made up" in opened.page.locator("main").inner_text()
    opened.page.click("text=Back to writing")
    opened.page.locator("#generate:enabled").wait_for()


def test_tab_suggests_continuations_and_enter_accepts_one(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", PROMPT)
    page.focus("#editor")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.locator(".completion").first.wait_for()
    opened.screenshot("web-complete")
    completions = page.locator(".completion").all_inner_texts()
    assert 1 <= len(completions) <= 3
    assert page.locator("#editor").get_attribute("aria-activedescendant") == "completion-0"
    page.keyboard.press("ArrowDown")
    chosen = page.locator('.completion[aria-selected="true"]').get_attribute("data-text")
    page.keyboard.press("Enter")
    assert page.input_value("#editor") == f"{PROMPT}{chosen}"
    assert page.locator(".completion").count() == 0
    assert page.locator("#status").inner_text() == ""


def test_a_continuation_is_inserted_at_the_cursor(opened: OpenPage) -> None:
    page = opened.page
    page.fill("#editor", "It was a THE END")
    page.focus("#editor")
    page.locator("#editor").evaluate("(editor) => editor.setSelectionRange(8, 8)")
    page.click("#complete")
    page.locator(".completion").first.click()
    assert re.fullmatch(r"It was a\s.+ THE END", page.input_value("#editor"), re.DOTALL)


def test_tab_leaves_the_editor_after_escape(opened: OpenPage) -> None:
    opened.page.focus("#editor")
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("Tab")
    assert opened.page.locator("#generate:focus").count() == 1


def test_everything_works_by_keyboard(opened: OpenPage) -> None:
    page = opened.page
    page.focus("#editor")
    page.keyboard.type(PROMPT)
    page.keyboard.press("Control+Enter")
    page.locator("#status", has_text="Done").wait_for()
    page.focus("#option-temperature")
    before = page.locator("#option-temperature").get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    assert page.locator("#option-temperature").get_attribute("aria-valuetext") != before


def test_sliders_change_the_texts(opened: OpenPage) -> None:
    opened.set_slider("temperature", 0)
    opened.set_slider("max_new_tokens", 10)
    assert "deterministic" in opened.page.locator("#settings").inner_text()
    assert opened.generate() == opened.generate()
    opened.set_slider("nsamples", 3)
    opened.set_slider("temperature", 1.2)
    opened.generate()
    assert opened.page.locator(".result").count() == 5
    opened.page.click("#reset")
    assert "0.7 · balanced" in opened.page.locator("#settings").inner_text()


def test_a_new_option_of_the_server_gets_a_slider(chromium: Browser, address: str) -> None:
    info = httpx.get(f"{address}api/model").json()
    new = {"name": "new_option", "type": "number", "label": "New option", "help": "a new option"}
    info["options"].append(
        {**new, "default": 0.5, "minimum": 0, "maximum": 2, "suggested_range": [0, 1]}
    )
    with contextlib.closing(chromium.new_context()) as context:
        context.route("**/api/model", lambda route: route.fulfill(json=info))
        page = context.new_page()
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        assert page.input_value("#option-new_option") == "0.5"
        page.click("#advanced summary")
        assert "New option" in page.locator("#advanced").inner_text()
        names = page.locator("#settings input").evaluate_all("all => all.map(({name}) => name)")
    expected = ["max_new_tokens", "temperature", "nsamples", "finish_sentence"]
    assert names[:6] == [*expected, "top_k", "top_p"]
    assert names[-1] == "new_option"


def test_lists_are_typed_line_by_line(opened: OpenPage) -> None:
    page = opened.page
    page.click("#advanced summary")
    page.fill("#option-truncate", "Mr.\n\\n\\n\n")
    page.fill("#option-logit_bias", " the=-2\n =1")
    page.fill("#option-regex", "[a-z]+")
    page.click("#copy-settings")
    page.locator("#copy-settings", has_text="Link copied").wait_for()
    opened.go(opened.clipboard())
    page.reload()  # the link differs only after the #
    page.locator("#generate:enabled").wait_for()
    with page.expect_request("**/api/stream") as request:
        page.click("#generate")
    sent = sent_by(request)
    assert sent["truncate"] == ["Mr.", "\n\n"]
    assert sent["logit_bias"] == {" the": -2, " ": 1}
    assert (sent["regex"], sent["banned_words"]) == ("[a-z]+", None)
    page.locator("#notice", has_text="set only one of choices, regex and truncate").wait_for()
    assert all("400 (Bad Request)" in message for message in opened.messages)
    opened.messages.clear()  # the browser reports the refused request


def test_a_link_to_the_settings_contains_them_and_the_prompt(
    opened: OpenPage, address: str
) -> None:
    text = "Why & how #1?\nThe “second” line"
    opened.page.fill("#editor", text)
    opened.set_slider("temperature", 1.1)
    opened.set_slider("top_k", 7)
    opened.page.uncheck("#option-finish_sentence")
    opened.page.click("#copy-settings")
    opened.page.locator("#copy-settings", has_text="Link copied").wait_for()
    link = opened.clipboard()
    assert link.startswith(f"{address}#")
    other = opened.context.new_page()
    other.goto(link)
    other.locator("#generate:enabled").wait_for()
    assert other.input_value("#editor") == text
    assert other.input_value("#option-temperature") == "1.1"
    assert other.input_value("#option-top_k") == "7"
    assert not other.is_checked("#option-finish_sentence")


def test_the_page_takes_the_parameters_of_gpt2_cloud_run(opened: OpenPage, address: str) -> None:
    opened.go(f"{address}?prefix=The%20garden&length=20&temperature=abc")
    assert opened.page.input_value("#editor") == "The garden"
    assert opened.page.input_value("#option-max_new_tokens") == "20"
    assert opened.page.input_value("#option-temperature") == "0.7"


def test_continue_puts_the_text_back_into_the_editor(opened: OpenPage) -> None:
    opened.set_slider("max_new_tokens", 20)
    first = opened.generate("The first")
    buttons = opened.page.locator(".result button").all_inner_texts()
    assert buttons[0] == "Continue"
    opened.page.click(".result >> text=Continue")
    assert opened.page.input_value("#editor") == first
    assert opened.page.locator("#editor:focus").count() == 1
    opened.page.keyboard.press("Control+Enter")
    opened.page.locator(".result >> nth=1").wait_for()
    opened.page.locator("#status", has_text="Done").wait_for()
    assert opened.page.locator(".result-text").first.inner_text().startswith(first)


def test_an_empty_editor_continues_its_visible_example(opened: OpenPage) -> None:
    example = opened.page.locator("#editor").get_attribute("placeholder")
    assert example
    for empty in ("", " \n"):
        text = opened.generate(empty)
        assert text.startswith(example)
        assert opened.page.locator(".result-text strong").first.inner_text() == example
    opened.page.fill("#editor", "")
    opened.page.click("#complete")
    opened.page.locator(".completion").first.wait_for()
    assert opened.page.input_value("#editor") == example


def test_examples_are_buttons_until_something_is_written(opened: OpenPage) -> None:
    examples = opened.page.locator("#examples button")
    assert 4 <= examples.count() <= 5
    prompt = examples.nth(2).inner_text()
    examples.nth(2).click()
    opened.page.locator("#status", has_text="Done").wait_for()
    assert opened.page.locator(".result-text strong").inner_text() == prompt
    assert examples.first.is_visible()
    opened.page.fill("#editor", "My own")
    assert not examples.first.is_visible()


def test_a_model_that_starts_texts_itself_gets_an_empty_prompt(
    chromium: Browser, address: str
) -> None:
    info = httpx.get(f"{address}api/model").json()
    info |= {"default_prompt": "", "example_prompts": []}
    with contextlib.closing(chromium.new_context()) as context:
        context.route("**/api/model", lambda route: route.fulfill(json=info))
        page = context.new_page()
        page.goto(address)
        page.locator("#generate:enabled").wait_for()
        assert not page.locator("#examples").is_visible()
        with page.expect_request("**/api/stream") as request:
            page.click("#generate")
        assert sent_by(request)["prefix"] == ""


def test_spaces_at_the_end_of_a_prompt_are_not_sent(opened: OpenPage) -> None:
    with opened.page.expect_request("**/api/stream") as request:
        opened.generate("The garden  ")
    assert sent_by(request)["prefix"] == "The garden"
    assert opened.page.locator(".result-text strong").inner_text() == "The garden"


def test_a_paste_over_the_limit_is_accepted_and_its_end_used(
    chromium: Browser, tiny: Session
) -> None:
    with serving(tiny, max_prompt_chars=800) as client:
        opened = OpenPage(chromium, str(client.base_url))
        prompt = "The 🦊 was here. " * 100 + "Then"
        remark = "Only the last 800 of 1,604 characters are used."
        opened.page.fill("#editor", prompt)
        assert opened.page.locator("#prompt-remark").inner_text() == remark
        with opened.page.expect_request("**/api/stream") as request:
            opened.generate(prompt)
        sent = sent_by(request)["prefix"]
        assert 780 < len(sent) <= 800
        assert prompt.endswith(f" {sent}")
        info = opened.page.locator(".result-info").inner_text()
        assert remark.replace("are", "were") in info
        assert re.search(r"longer than the model's context: its first \d+ tokens were not", info)
        # Its card shows the end of the prompt.
        shown = opened.page.locator(".result-text strong")
        assert len(shown.inner_text()) < 400
        assert shown.inner_text().endswith("Then")
        opened.page.click("text=Show the whole prompt")
        assert shown.inner_text() == prompt
        opened.page.click("text=Show the end of the prompt only")
        assert len(shown.inner_text()) < 400
        opened.page.click(".result >> text=Continue")
        assert opened.page.input_value("#editor").startswith(prompt)
        opened.page.fill("#editor", prompt * 20)  # above the limit of a request's body
        with opened.page.expect_request("**/api/complete") as request:
            opened.page.click("#complete")
        assert sent_by(request)["text"].endswith("Then")
        opened.page.locator(".completion").first.wait_for()
        opened.page.fill("#editor", "short")
        assert not opened.page.locator("#prompt-remark").is_visible()
        assert opened.messages == []
        opened.context.close()


def test_texts_end_at_a_sentence(opened: OpenPage) -> None:
    with opened.page.expect_request("**/api/stream") as request:
        opened.generate()
    assert sent_by(request)["finish_sentence"] is True
    opened.page.uncheck("#option-finish_sentence")
    with opened.page.expect_request("**/api/stream") as request:
        opened.generate()
    assert sent_by(request)["finish_sentence"] is False


def test_a_text_is_never_parsed_as_html(opened: OpenPage) -> None:
    page = opened.page
    attack = "<img src=x onerror=\"document.title='taken'\"><b id=bold>x</b>"
    page.route(
        "**/api/stream",
        lambda route: route.fulfill(
            content_type="text/event-stream",
            body='event: text\ndata: {"index": 0, "text": "<i><img src=x onerror=alert(1)>"}\n\n'
            'event: end\ndata: {"index": 0, "tokens": 3, "finish_reason": "stop"}\n\n'
            "event: done\ndata: {}\n\n",
        ),
    )
    page.route(
        "**/api/complete",
        lambda route: route.fulfill(json={"completions": [attack]}),
    )
    page.fill("#editor", "<i>")
    page.click("#generate")
    page.locator(".result-text", has_text="<img src=x onerror=alert(1)>").wait_for()
    page.click("#complete")
    page.locator(".completion", has_text="<img").wait_for()
    assert page.locator("#results img, #results i, #completions img, #bold").count() == 0
    assert page.title() == "Write with tiny"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_probability_of_each_token_is_shown(
    chromium: Browser, address: str, scheme: str
) -> None:
    context: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": 1100, "height": 760}}
    opened = OpenPage(chromium, address, **context)
    page = opened.page
    prompt = PROMPT if scheme == "light" else f"{PROMPT} 🌹 <b>"
    text = opened.generate(prompt)
    page.click("text=Show probabilities")
    page.locator(".probabilities").wait_for()
    assert page.locator(".probabilities").inner_text().replace("↵", "") == text
    assert not page.locator("article > .result-text").first.is_visible()
    spans = page.locator(".probabilities span")
    kinds = spans.evaluate_all("all => all.map(({className}) => className)")
    assert {kind.split()[0] for kind in kinds} >= {"level-1", "level-2"}
    assert all(spans.evaluate_all("all => all.map(({title}) => title.endsWith('%'))"))
    assert page.locator(".legend span").all_inner_texts() == [name for _, name in LEVELS]
    spans.nth(1).hover()
    info = page.locator(".result output")
    assert f": {spans.nth(1).get_attribute('title')}. Perplexity " in info.inner_text()
    page.focus(".probabilities")
    page.keyboard.press("ArrowRight")  # from the token under the pointer
    assert page.locator(".probabilities .selected").inner_text() == spans.nth(2).inner_text()
    if scheme == "light":
        opened.screenshot("web-probabilities")
    colors = page.locator(".legend span").evaluate_all(
        "all => all.map((e) => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor])"
    )
    for color, background in colors[1:]:  # WCAG 2.2, 1.4.3
        lighter, darker = sorted((luminance(color), luminance(background)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (color, background)
    lines = page.locator(".legend span").evaluate_all(
        "all => all.map((e) => getComputedStyle(e).textDecoration)"
    )
    assert len(set(lines[1:])) == 4, "not by color alone"
    page.click("text=Hide probabilities")
    assert page.locator(".probabilities").count() == 0
    assert page.locator("article > .result-text").first.inner_text() == text
    assert opened.messages == []
    opened.context.close()


def test_an_error_of_scoring_is_shown(chromium: Browser, address: str) -> None:
    opened = OpenPage(chromium, address)
    opened.generate()
    error = {"error": "queue full (64 of 64): retry later"}
    opened.context.route("**/api/score", lambda route: route.fulfill(status=429, json=error))
    opened.page.click("text=Show probabilities")
    opened.page.locator("#notice", has_text="Queue full (64 of 64): retry later.").wait_for()
    assert opened.page.locator("text=Show probabilities").is_enabled()
    opened.context.close()


def test_stop_keeps_the_text_so_far(chromium: Browser, tiny: Session) -> None:
    with serving(tiny, step_seconds=0.05) as client:
        opened = OpenPage(chromium, str(client.base_url))
        opened.set_slider("max_new_tokens", 300)
        opened.start_generating()
        opened.page.click("#stop")
        opened.page.locator("#status", has_text="Stopped").wait_for()
        text = opened.page.locator(".result-text").inner_text()
        assert len(text) > len(PROMPT)
        assert opened.page.locator(".result.generating").count() == 0
        opened.context.close()


def test_a_request_to_a_busy_server_is_retried(chromium: Browser, address: str) -> None:
    opened = OpenPage(chromium, address)
    n_requests = 0

    def busy_once(route: Any) -> None:
        nonlocal n_requests
        n_requests += 1
        if n_requests > 1:
            route.continue_()
        else:
            route.fulfill(status=429, headers={"Retry-After": "1"}, json={"error": "queue full"})

    opened.page.route("**/api/stream", busy_once)
    # The notice is shown for a second, too short to wait for it.
    opened.page.locator("#notice").evaluate(
        """(notice) => {
          window.notices = [];
          new MutationObserver(() => window.notices.push(notice.textContent))
            .observe(notice, { childList: true });
        }"""
    )
    opened.generate()
    assert "The server is busy. Retrying in 1 s." in opened.page.evaluate("window.notices")
    assert n_requests == 2
    assert not opened.page.locator("#notice").is_visible()
    opened.context.close()


def test_nothing_is_lost_when_the_server_dies(chromium: Browser, tmp_path: Path) -> None:
    with started(tmp_path, "--port", "0", "--max-length", "100000") as process:
        opened = OpenPage(chromium, address_of(process))
        first = opened.generate("The first")

        def lengthen(route: Any) -> None:
            """Ask for a text that is not complete before the server is killed."""
            long = {"max_new_tokens": 90_000, "truncate": "\x00"}
            route.continue_(post_data={**route.request.post_data_json, **long})

        opened.page.route("**/api/stream", lengthen)
        opened.start_generating()
        process.send_signal(signal.SIGKILL)
        opened.page.locator("#notice", has_text="cannot be reached").wait_for()
        texts = opened.page.locator(".result-text").all_inner_texts()
        assert texts[0].startswith(PROMPT)
        assert texts[1] == first
        assert "Interrupted." in opened.page.locator(".result-info").first.inner_text()
        assert opened.page.input_value("#editor") == PROMPT
        opened.page.click("#generate")
        opened.page.locator("#notice", has_text="cannot be reached").wait_for()
        assert opened.page.locator(".result").count() == 2
        opened.context.close()


def test_the_api_key_is_requested_and_remembered(chromium: Browser, tiny: Session) -> None:
    with serving(tiny, key="open sesame") as client:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(str(client.base_url))
        page.locator("#key-form").wait_for()
        assert page.locator("#generate").is_disabled()
        assert not page.locator("#notice").is_visible()
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        page.locator("#notice", has_text="Wrong API key").wait_for()
        page.fill("#key", "open sesame")
        page.keyboard.press("Enter")
        page.locator("#generate:enabled").wait_for()
        assert not page.locator("#key-form").is_visible()
        page.reload()
        page.locator("#generate:enabled").wait_for()
        context.close()


def luminance(color: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_have_enough_contrast(chromium: Browser, address: str, scheme: str) -> None:
    context: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": 1100, "height": 760}}
    opened = OpenPage(chromium, address, **context)

    def is_dark() -> bool:
        color = opened.page.locator("body").evaluate("(e) => getComputedStyle(e).backgroundColor")
        return luminance(color) < 0.2

    assert is_dark() == (scheme == "dark")
    opened.generate()
    if scheme == "dark":
        opened.screenshot("web-dark")
    found = opened.page.evaluate(
        """() => [...document.querySelectorAll('h1, p, label, button, a, summary, output')]
          .filter((e) => e.offsetParent && e.textContent.trim() && !e.disabled)
          .map((e) => {
            let behind = e;
            while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') {
              behind = behind.parentElement;
            }
            return [e.textContent.slice(0, 20), getComputedStyle(e).color,
              getComputedStyle(behind).backgroundColor];
          })"""
    )
    assert len(found) > 20
    for text, color, background in found:  # WCAG 2.2, 1.4.3
        lighter, darker = sorted((luminance(color), luminance(background)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, color, background)
    opened.page.click("#theme")
    assert is_dark() != (scheme == "dark")
    opened.go(address)
    assert is_dark() != (scheme == "dark"), "the choice is remembered"
    for path in ("how", "docs"):
        opened.page.goto(f"{address}{path}")
        assert is_dark() != (scheme == "dark")
    opened.context.close()


def test_the_page_fits_a_phone(chromium: Browser, address: str) -> None:
    opened = OpenPage(chromium, address, viewport={"width": 360, "height": 740}, has_touch=True)
    opened.generate()
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert not opened.page.locator("#usual-settings").is_visible()
    small = opened.page.evaluate(
        """() => [...document.querySelectorAll('button, summary, input[type=range]')]
          .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 24).length"""
    )
    assert small == 0
    opened.page.evaluate("() => scrollTo(0, 0)")
    opened.screenshot("web-phone")
    opened.context.close()


@pytest.mark.parametrize("path", ["docs", "how"])
def test_no_word_is_broken_on_a_phone(chromium: Browser, address: str, path: str) -> None:
    with contextlib.closing(
        chromium.new_context(viewport={"width": 360, "height": 740})
    ) as context:
        page = context.new_page()
        page.goto(f"{address}{path}")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        broken = page.evaluate(
            """() => {
              const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              const broken = [];
              while (walker.nextNode()) {
                for (const { 0: word, index } of walker.currentNode.data.matchAll(/[\\w']+/g)) {
                  const range = document.createRange();
                  range.setStart(walker.currentNode, index);
                  range.setEnd(walker.currentNode, index + word.length);
                  if (range.getClientRects().length > 1) broken.push(word);
                }
              }
              return broken;
            }"""
        )
        assert broken == []


def test_every_control_has_an_accessible_name(opened: OpenPage) -> None:
    opened.generate()
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea, a, summary, section')]
          .filter((e) => e.offsetParent)
          .filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')
            || e.labels?.length || e.textContent.trim()))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert opened.page.locator("html").get_attribute("lang") == "en"
    assert opened.page.locator("h1").count() == 1
    assert opened.page.locator("#status").get_attribute("aria-live") == "polite"
    assert opened.page.locator("#notice").get_attribute("role") == "alert"
