"""Generated texts as cards, or as rows if they are short, with copy buttons and a download.

A button colors the texts by the probability of their tokens. Copies of the training text are marked
if there is an index to compare with. All texts are escaped.
"""

from __future__ import annotations

import bisect
import tempfile
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Protocol, TypeAlias

import ipywidgets as widgets

from gpt2_helpers.evaluation.overlap_report import OverlapReport
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.evaluation.similarity import COPY, NOVEL, Match
from gpt2_helpers.forms.widgets.buttons import ActionButton
from gpt2_helpers.forms.widgets.downloads import download_button
from gpt2_helpers.forms.widgets.form import Displayable
from gpt2_helpers.forms.widgets.probabilities import STYLE, legend_html, probabilities_html
from gpt2_helpers.forms.widgets.style import message, style_sheet
from gpt2_helpers.generation.output_file import SAMPLE_DELIM, TextWriter, new_file
from gpt2_helpers.generation.result import GenerationResult

ScoreTexts: TypeAlias = Callable[[Sequence[str]], Iterable[TextScore]]

MAX_CARDS = 100
MAX_MATCH_LENGTH = 200  # characters shown of the closest training text

_SHOW, _HIDE = "Show probabilities", "Hide probabilities"

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

# Notebooks often deny the clipboard API to their frames. The fallback selects the text in an
# invisible text area and runs the browser's copy command.
_COPY = """
const button = this;
const text = button.closest('.gpt2-item').querySelector('.gpt2-text').textContent;
const showStatus = (status) => {
  button.textContent = status;
  setTimeout(() => { button.textContent = 'Copy'; }, 2000);
};
const copyBySelection = () => {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.cssText = 'position: fixed; top: 0; opacity: 0';
  button.after(area);
  area.select();
  let copied = false;
  try { copied = document.execCommand('copy'); } finally { area.remove(); button.focus(); }
  showStatus(copied ? 'Copied' : 'Copying is blocked');
};
if (navigator.clipboard) {
  navigator.clipboard.writeText(text).then(() => showStatus('Copied'), copyBySelection);
} else copyBySelection();
"""
_COPY_BUTTON = (
    f'<button type="button" class="gpt2-copy" onclick="{escape(" ".join(_COPY.split()))}">'
    "Copy</button>"
)


class Comparer(Protocol):
    """An index of training text."""

    def compare(self, text: str, /) -> Match:
        """Return the closest match of `text`."""


class TextCards(Displayable):
    """Shows texts as they are added, sorted by their `index`.

    cards = TextCards(training_text, compact=True)
    display(cards.widget)
    for result in session.generate("Once", config): cards.add(result)
    cards.finish()

    Args:
        training_text: Marks copies; None marks nothing.
        score: Scores texts, for the button that shows probabilities; without it there is none.
        note: A line above the texts, for instance why copies are not marked.
        compact: Whether to show a row per text instead of a card.
        max_cards: Number of texts to show. The file that `finish` offers has all of them.
    """

    def __init__(
        self,
        training_text: Comparer | None = None,
        note: str = "",
        *,
        compact: bool = False,
        max_cards: int = MAX_CARDS,
        score: ScoreTexts | None = None,
    ) -> None:
        self.texts: list[str] = []  # sorted by number
        self.matches: list[tuple[str, Match]] = []  # in the order of arrival
        self._numbers: list[int] = []
        self._training_text, self._compact, self._max_cards = training_text, compact, max_cards
        self._score = score
        self._results: list[tuple[GenerationResult, Match | None]] = []  # one for each card
        self._shared_layout = widgets.Layout(width="auto")
        self._cards = widgets.VBox()
        self._head, self._foot = widgets.HTML(), widgets.HTML()
        self._legend, self._download = widgets.HTML(), widgets.VBox()
        self._head.value = message("note", note)
        sheet = widgets.HTML(f"<style>{_CSS}{STYLE}</style>", layout=widgets.Layout(display="none"))
        self.widget = widgets.VBox(
            [
                *(style_sheet(), sheet, self._head, self._legend),
                *(self._cards, self._foot, self._download),
            ]
        )
        self.widget.add_class("gpt2-form")

    def add(self, result: GenerationResult) -> None:
        """Add one text."""
        text = result.text
        match = self._training_text.compare(text) if self._training_text else None
        if match is not None:
            self.matches.append((text, match))
        place = bisect.bisect(self._numbers, result.index)
        self._numbers.insert(place, result.index)
        self.texts.insert(place, text)
        if place < self._max_cards:
            card = widgets.HTML(self._html(result, match), layout=self._shared_layout)
            children = [*self._cards.children]
            children.insert(place, card)
            self._cards.children = children[: self._max_cards]
            self._results.insert(place, (result, match))
            del self._results[self._max_cards :]
            for hidden in children[self._max_cards :]:
                hidden.style.close()
                hidden.close()
        if len(self.texts) > self._max_cards:
            line = f"Showing the first {self._max_cards} of {len(self.texts):,} texts."
            self._foot.value = message("note", line)

    def finish(self) -> None:
        """Show the number of copies and offer all texts as a file."""
        if not self.texts:
            return
        self._foot.value += message("heading", summary(len(self.texts), self.matches))
        path = new_file(tempfile.mkdtemp(prefix="gpt2-texts-"))
        with TextWriter(path, SAMPLE_DELIM if len(self.texts) > 1 else "") as writer:
            for text in self.texts:
                writer.write(text)
        self._download.children = [download_button(path)]
        if self._score is not None:
            self._toggle = ActionButton(_SHOW, self._toggle_probabilities)
            buttons = [self._toggle.button, self._toggle.message]
            self._download.children = [*buttons, *self._download.children]

    def close(self) -> None:
        """Remove the widgets from the page and from memory."""
        close_all(self.widget)

    def _toggle_probabilities(self) -> None:
        """Color the texts by the probability of their tokens, or show them plain again."""
        button, score_texts = self._toggle.button, self._score
        scores: Iterable[TextScore | None] = [None] * len(self._results)
        showing = button.description == _SHOW
        if showing and score_texts is not None:
            scores = score_texts([result.text for result, _ in self._results])
        for card, (result, match), score in zip(
            self._cards.children, self._results, scores, strict=True
        ):
            card.value = self._html(result, match, score)
        button.description = _HIDE if showing else _SHOW
        self._legend.value = legend_html() if showing else ""

    def _html(
        self, result: GenerationResult, match: Match | None, score: TextScore | None = None
    ) -> str:
        text, prompt = result.text, result.prompt
        prefix = prompt if text.startswith(prompt) else ""
        body = (f"<b>{escape(prefix)}</b>" if prefix else "") + escape(text[len(prefix) :])
        if score is not None:
            body = probabilities_html(score, len(prefix))
        return (
            f'<div class="gpt2-item {"gpt2-row" if self._compact else "gpt2-card"}">'
            f'<div class="gpt2-bar"><span class="gpt2-number">{result.index + 1}</span>'
            f"{_mark(match)}{_COPY_BUTTON}</div>"
            f'<div class="gpt2-text" tabindex="0">{body}</div></div>'
        )


def close_all(widget: widgets.Widget) -> None:
    """Close a widget, its children, and their layouts and styles. Open ones are never freed."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None), widget):
        if part is not None:
            part.close()


def summary(count: int, matches: Sequence[tuple[str, Match]]) -> str:
    """Return the number of texts or, if they were compared, the number of copies.

    >>> summary(1, [])
    '1 text.'
    """
    return (
        str(OverlapReport.from_matches(matches))
        if matches
        else f"{count:,} text{'' if count == 1 else 's'}."
    )


def _mark(match: Match | None) -> str:
    if match is None or match.kind == NOVEL:
        return ""
    if match.kind == COPY:
        label = "<b>\N{WARNING SIGN} copy of the training text</b>"
    else:
        nearest = match.nearest
        if len(nearest) > MAX_MATCH_LENGTH:
            nearest = f"{nearest[:MAX_MATCH_LENGTH].rstrip()} ..."
        label = (
            f"<b>\N{WARNING SIGN} close to the training text:</b> &ldquo;{escape(nearest)}&rdquo;"
        )
    return f'<span class="gpt2-mark">{label}</span>'
