"""Texts colored by the probability of their tokens, as HTML with a legend. Escapes all text.

Each level has a background and an underline of its own, so that color is not needed. The colors are
transparent, so the text keeps its contrast in light and in dark themes.
"""

from __future__ import annotations

from html import escape

from gpt2_helpers.evaluation.probability_levels import LEVELS, as_percent, level_of
from gpt2_helpers.evaluation.scoring import TextScore

STYLE = """
.gpt2-level-1, .gpt2-level-2, .gpt2-level-3, .gpt2-level-4 {
  text-underline-offset: 3px; text-decoration-skip-ink: none; border-radius: 2px;
}
.gpt2-level-1 { background: rgba(230, 126, 34, 0.12); }
.gpt2-level-2 { background: rgba(230, 126, 34, 0.24); text-decoration: underline dotted 2px; }
.gpt2-level-3 { background: rgba(230, 100, 34, 0.34); text-decoration: underline solid 1px; }
.gpt2-level-4 { background: rgba(230, 70, 34, 0.42); text-decoration: underline double 2px; }
.gpt2-newline::before { content: "\\21b5"; opacity: 0.6; }
.gpt2-legend { display: flex; flex-flow: row wrap; gap: 2px 14px; margin: 4px 0; }
.gpt2-legend span { padding: 0 3px; }
"""


def probabilities_html(score: TextScore, n_bold: int = 0) -> str:
    """The text of a score as HTML; each part shows its probability as a tooltip.

    Args:
        score: The score.
        n_bold: How many characters at the start are bold, such as a prompt.
    """
    parts, length = [], 0
    for text, probability in score.segments:
        kinds = f"gpt2-level-{level_of(probability)}"
        if "\n" in text and not text.strip():
            kinds += " gpt2-newline"  # which would be invisible
        span = f'<span class="{kinds}" title="{as_percent(probability)}">{escape(text)}</span>'
        parts.append(f"<b>{span}</b>" if length < n_bold else span)
        length += len(text)
    return "".join(parts)


def legend_html() -> str:
    """The legend of the levels."""
    levels = "".join(
        f'<span class="gpt2-level-{number}">{name}</span>'
        for number, (_, name) in enumerate(LEVELS)
    )
    return (
        f'<div class="gpt2-legend">Probability of each token: {levels}</div>'
        '<div class="gpt2-help">Point at a part of the text to see its probability.</div>'
    )


def measures_text(score: TextScore) -> str:
    """The measures of a text in words."""
    return f"perplexity {score.perplexity:,.1f}, {score.bits_per_byte:.2f} bits per byte"
