"""Text cards: escaping, order, marks for copies, copy buttons and the download."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest

from gpt2_helpers.evaluation.similarity import Match
from gpt2_helpers.forms.widgets.text_cards import TextCards
from gpt2_helpers.generation.result import GenerationResult
from widget_texts import markup, words


class FirstWordIndex:
    """Classifies a text by its first word."""

    def compare(self, text: str, /) -> Match:
        kinds = {"Copied": "copy", "Close": "near copy"}
        return Match(kinds.get(text.split()[0], "novel"), "a training text <b>", 0.9)


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def text(index: int, words: str, prompt: str = "") -> GenerationResult:
    return GenerationResult(words, prompt, index, 3, "stop")


def cards_of(cards: TextCards) -> list[str]:
    return re.findall(r'<div class="gpt2-text"[^>]*>(.*?)</div>', markup(cards.widget), re.DOTALL)


def test_a_text_is_escaped_and_keeps_its_newlines() -> None:
    cards = TextCards()
    cards.add(text(0, "<script>alert(1)</script> & more\n\nin three lines"))
    shown = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more\n\nin three lines"
    assert cards_of(cards) == [shown]


def test_the_prefix_is_bold() -> None:
    cards = TextCards()
    cards.add(text(0, "Once <upon> a time", prompt="Once <upon>"))
    cards.add(text(1, "a time", prompt="Once <upon>"))
    assert cards_of(cards) == ["<b>Once &lt;upon&gt;</b> a time", "a time"]


def test_texts_are_sorted_by_index() -> None:
    cards = TextCards()
    for index in (2, 0, 3, 1):
        cards.add(text(index, f"text {index}"))
    assert cards_of(cards) == cards.texts == ["text 0", "text 1", "text 2", "text 3"]
    assert re.findall(r"gpt2-number\">(\d+)<", markup(cards.widget)) == ["1", "2", "3", "4"]


def test_copies_and_near_copies_are_marked_and_counted() -> None:
    cards = TextCards(FirstWordIndex())
    for index, content in enumerate(("Copied text", "Close text", "Its own")):
        cards.add(text(index, content))
    first, second, third = (card.value for card in cards._cards.children)
    assert "copy of the training text" in first
    assert "close to the training text" in second
    assert "a training text &lt;b&gt;" in second
    assert "training" not in third
    cards.finish()
    assert "Of 3 texts, 1 is a copy of the training text, 1 is a near copy and 1 is" in words(
        cards.widget
    )


def test_without_an_index_a_note_says_why() -> None:
    cards = TextCards(note="A pretrained model: its training data is not here.")
    cards.add(text(0, "Copied text"))
    cards.finish()
    shown = words(cards.widget)
    assert "its training data is not here" in shown
    assert "copy" not in shown
    assert "1 text." in shown


def test_only_the_first_texts_are_shown_but_the_file_has_all() -> None:
    cards = TextCards(max_cards=3)
    for index in (5, 4, 3, 2, 1, 0):
        cards.add(text(index, f"text {index}"))
    cards.finish()
    assert cards_of(cards) == ["text 0", "text 1", "text 2"]
    assert "Showing the first 3 of 6 texts." in words(cards.widget)
    match = re.search(r"base64,([^\"]+)", markup(cards.widget))
    assert match is not None
    written = base64.b64decode(match[1]).decode("utf-8")
    delimiter = "=" * 20 + "\n"
    assert written == "".join(f"text {index}\n{delimiter}" for index in range(6))


def test_compact_cards_are_rows() -> None:
    cards = TextCards(FirstWordIndex(), compact=True)
    cards.add(text(0, "Copied title"))
    assert cards_of(cards) == ["Copied title"]
    assert "gpt2-row" in markup(cards.widget)
    assert "gpt2-card" not in markup(cards.widget)


def test_closed_widgets_are_removed_from_the_kernel() -> None:
    module: Any = widgets.widgets.widget
    everything = module._instances if hasattr(module, "_instances") else widgets.Widget.widgets
    TextCards().close()
    before = set(everything)
    cards = TextCards(max_cards=5)
    for index in range(9):
        cards.add(text(index, f"text {index}"))
    cards.finish()
    cards.close()
    assert set(everything) <= before


# The copy buttons are tested in a browser, if one is installed.
_PAGE = """<!doctype html><meta charset="utf-8"><body>{body}<script>
const copied = [];
{clipboard}
document.execCommand = () => {{ copied.push(document.activeElement.value); return true; }};
document.querySelector('.gpt2-copy').click();
setTimeout(() => {{
  document.title = JSON.stringify([copied, document.querySelector('.gpt2-copy').textContent]);
  document.body.textContent = document.title;
}}, 100);
</script></body>"""


@pytest.mark.parametrize(
    "clipboard",
    ["{ writeText: (text) => { copied.push(text); return Promise.resolve(); } }",
     "{ writeText: () => Promise.reject(new Error('denied')) }",
     "undefined"],
    ids=["allowed", "denied", "missing"],
)  # fmt: skip
def test_the_copy_button_copies_the_text_unchanged(clipboard: str, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium, to click on a copy button")
    cards = TextCards()
    cards.add(text(0, "Two lines,\n<b> & 'quotes'", prompt="Two"))
    define = f"Object.defineProperty(navigator, 'clipboard', {{ value: {clipboard} }});"
    page = tmp_path / "page.html"
    page.write_text(_PAGE.format(body=cards._cards.children[0].value, clipboard=define))
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=1000"]
    shown = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=300, check=False
    ).stdout
    assert '["Two lines,\\n&lt;b&gt; &amp; \'quotes\'"],"Copied"]' in shown
