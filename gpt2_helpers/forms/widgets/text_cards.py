"""Finished texts as cards, or as lines where they are short: to read, to copy, to take away.

What stands in the training data is marked, by whatever can compare a text with it; how texts come
to be is not known here. A text is never markup: all of it is escaped.
"""

from __future__ import annotations

import bisect
import tempfile
from collections.abc import Sequence
from html import escape
from typing import Protocol

import ipywidgets as widgets

from gpt2_helpers.evaluation.memorization import OverlapReport
from gpt2_helpers.evaluation.similarity import COPY, NOVEL, Match
from gpt2_helpers.forms.widgets.downloads import download_button
from gpt2_helpers.forms.widgets.form import Displayable
from gpt2_helpers.forms.widgets.style import message, style_sheet
from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter, new_file
from gpt2_helpers.generation.result import GenerationResult

MAX_CARDS = 100
MAX_MATCH_LENGTH = 200  # characters shown of a training text that is close

_CSS = """
.gpt2-card, .gpt2-row { border: 1px solid var(--gpt2-line); border-radius: 3px; margin: 3px 0; }
.gpt2-row { border-width: 0 0 1px 0; border-radius: 0; margin: 0; }
.gpt2-bar, .gpt2-row { display: flex; flex-flow: row wrap; align-items: baseline; gap: 2px 10px; }
.gpt2-bar { padding: 2px 8px; }
.gpt2-row .gpt2-bar { display: contents; }
.gpt2-row { padding: 2px 4px; }
.gpt2-number { opacity: 0.75; min-width: 2em; }
.gpt2-text {
  white-space: pre-wrap; overflow-wrap: anywhere; overflow-y: auto; max-height: 18em;
  padding: 4px 8px; flex: 1 1 60%;
}
.gpt2-row .gpt2-text { padding: 0; order: 1; max-height: 8em; }
.gpt2-row .gpt2-copy { order: 2; }
.gpt2-mark { flex: 1 1 0; overflow-wrap: anywhere; }
.gpt2-mark { border-left: 3px solid var(--gpt2-amber); padding-left: 6px; }
.gpt2-row .gpt2-mark { order: 3; flex: 1 0 80%; margin-left: 3em; }
.gpt2-copy {
  font: inherit; color: inherit; background: var(--gpt2-excerpt); cursor: pointer;
  border: 1px solid var(--gpt2-line); border-radius: 3px; padding: 0 10px; margin-left: auto;
}
"""

# The page that a notebook stands in often denies the clipboard to its frames: then an invisible
# text is selected and copied as by hand.
_COPY = """
const button = this;
const text = button.closest('.gpt2-item').querySelector('.gpt2-text').textContent;
const say = (words) => {
  button.textContent = words;
  setTimeout(() => { button.textContent = 'Copy'; }, 2000);
};
const byHand = () => {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.cssText = 'position: fixed; top: 0; opacity: 0';
  button.after(area);
  area.select();
  let copied = false;
  try { copied = document.execCommand('copy'); } finally { area.remove(); button.focus(); }
  say(copied ? 'Copied' : 'Not allowed here');
};
if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => say('Copied'), byHand);
else byHand();
"""
_COPY_BUTTON = (
    f'<button type="button" class="gpt2-copy" onclick="{escape(" ".join(_COPY.split()))}">'
    "Copy</button>"
)


class Comparer(Protocol):
    """What compares texts with the training data."""

    def compare(self, text: str, /) -> Match:
        """How `text` stands to it."""


class TextCards(Displayable):
    """Texts that are shown as they are added, in the order of their `index`.

    cards = TextCards(originality, compact=True)
    display(cards.widget)
    for result in session.generate("Once", config): cards.add(result)
    cards.finish()

    `originality` marks copies; without it none are marked. `remark` is a line above the texts, such
    as why nothing is marked. `compact` is a line for each text, for titles and the like. The first
    `most` of many are shown; all of them are in the file that `finish` offers.
    """

    def __init__(
        self,
        originality: Comparer | None = None,
        remark: str = "",
        *,
        compact: bool = False,
        most: int = MAX_CARDS,
    ) -> None:
        self.texts: list[str] = []  # in the order of their numbers
        self.matches: list[tuple[str, Match]] = []  # in the order in which they came
        self._numbers: list[int] = []
        self._originality, self._compact, self._most = originality, compact, most
        self._shared_layout = widgets.Layout(width="auto")
        self._cards = widgets.VBox()
        self._head, self._foot = widgets.HTML(), widgets.HTML()
        self._download = widgets.VBox()
        self._head.value = message("note", remark)
        sheet = widgets.HTML(f"<style>{_CSS}</style>", layout=widgets.Layout(display="none"))
        self.widget = widgets.VBox(
            [style_sheet(), sheet, self._head, self._cards, self._foot, self._download]
        )
        self.widget.add_class("gpt2-form")

    def add(self, result: GenerationResult) -> None:
        """Show one more text."""
        text = result.text
        match = self._originality.compare(text) if self._originality else None
        if match is not None:
            self.matches.append((text, match))
        place = bisect.bisect(self._numbers, result.index)
        self._numbers.insert(place, result.index)
        self.texts.insert(place, text)
        if place < self._most:
            card = widgets.HTML(self._html(result, match), layout=self._shared_layout)
            children = [*self._cards.children]
            children.insert(place, card)
            self._cards.children = children[: self._most]
            for beyond in children[self._most :]:
                beyond.style.close()
                beyond.close()
        if len(self.texts) > self._most:
            words = f"The first {self._most} of {len(self.texts):,} texts are shown."
            self._foot.value = message("note", words)

    def finish(self) -> None:
        """No more is to come: say how many are copies, and offer all texts as a file."""
        if not self.texts:
            return
        self._foot.value += message("heading", counted(len(self.texts), self.matches))
        path = new_file(tempfile.mkdtemp(prefix="gpt2-texts-"))
        with TextWriter(path, SAMPLE_DELIM if len(self.texts) > 1 else "") as writer:
            for text in self.texts:
                writer.write(text)
        self._download.children = [download_button(path)]

    def close(self) -> None:
        """Take it off the page, and out of memory there and here."""
        discard(self.widget)

    def _html(self, result: GenerationResult, match: Match | None) -> str:
        text, prompt = result.text, result.prompt
        begun = prompt if text.startswith(prompt) else ""
        body = (f"<b>{escape(begun)}</b>" if begun else "") + escape(text[len(begun) :])
        return (
            f'<div class="gpt2-item {"gpt2-row" if self._compact else "gpt2-card"}">'
            f'<div class="gpt2-bar"><span class="gpt2-number">{result.index + 1}</span>'
            f"{_mark(match)}{_COPY_BUTTON}</div>"
            f'<div class="gpt2-text" tabindex="0">{body}</div></div>'
        )


def discard(widget: widgets.Widget) -> None:
    """Close a widget and all in it, with the layouts and styles that each of them brings along: a
    notebook keeps what is not closed."""
    for child in getattr(widget, "children", ()):
        discard(child)
    for companion in (getattr(widget, "layout", None), getattr(widget, "style", None), widget):
        if companion is not None:
            companion.close()


def counted(count: int, pairs: Sequence[tuple[str, Match]]) -> str:
    """How many texts there are and, where they were compared, how many of them are copies.

    >>> counted(1, [])
    '1 text.'
    """
    return (
        str(OverlapReport.from_matches(pairs))
        if pairs
        else f"{count:,} text{'' if count == 1 else 's'}."
    )


def _mark(match: Match | None) -> str:
    if match is None or match.kind == NOVEL:
        return ""
    if match.kind == COPY:
        words = "<b>\N{WARNING SIGN} stands in the training data</b>"
    else:
        nearest = match.nearest
        if len(nearest) > MAX_MATCH_LENGTH:
            nearest = f"{nearest[:MAX_MATCH_LENGTH].rstrip()} ..."
        words = f"<b>\N{WARNING SIGN} close to a training text:</b> &ldquo;{escape(nearest)}&rdquo;"
    return f'<span class="gpt2-mark">{words}</span>'
