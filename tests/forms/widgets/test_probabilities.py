"""Texts colored by probability, as HTML."""

from __future__ import annotations

import math
import re

from gpt2_helpers.evaluation.probability_levels import LEVELS
from gpt2_helpers.evaluation.scoring import Measures, TextScore
from gpt2_helpers.forms.widgets.probabilities import (
    STYLE,
    legend_html,
    measures_text,
    probabilities_html,
)


def score(**tokens: float) -> TextScore:
    """The score of tokens with these probabilities."""
    return scored(list(tokens.items()))


def scored(tokens: list[tuple[str, float]]) -> TextScore:
    texts = tuple(text for text, _ in tokens)
    logprobs = tuple(math.log(probability) for _, probability in tokens)
    measures = Measures(len(tokens), len("".join(texts).encode()), sum(logprobs))
    return TextScore(texts, tuple(range(len(texts))), logprobs, measures)


def test_each_token_has_its_level_and_its_probability() -> None:
    html = probabilities_html(score(It=0.6, was=0.05, odd=1e-9))
    assert html == (
        '<span class="gpt2-level-0" title="60%">It</span>'
        '<span class="gpt2-level-2" title="5%">was</span>'
        '<span class="gpt2-level-4" title="less than 0.001%">odd</span>'
    )


def test_texts_are_escaped() -> None:
    html = probabilities_html(scored([("<script>", 0.5), (' & "', 0.5)]))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert " &amp; &quot;" in html


def test_tokens_of_one_character_are_shown_together() -> None:
    html = probabilities_html(scored([("", 0.5), ("", 0.5), ("\N{ROSE}", 0.48)]))
    assert html == '<span class="gpt2-level-1" title="12%">\N{ROSE}</span>'


def test_a_prompt_is_bold() -> None:
    html = probabilities_html(score(It=0.6, was=0.6), n_bold=2)
    assert re.findall(r"<b>(.*?)</b>", html) == ['<span class="gpt2-level-0" title="60%">It</span>']


def test_a_newline_is_visible_but_not_part_of_the_text() -> None:
    html = probabilities_html(scored([("a", 0.9), ("\n", 0.02)]))
    assert '<span class="gpt2-level-2 gpt2-newline" title="2%">\n</span>' in html
    assert re.sub("<.*?>", "", html) == "a\n"


def test_the_legend_names_every_level() -> None:
    legend = legend_html()
    for number, (_, name) in enumerate(LEVELS):
        assert f'<span class="gpt2-level-{number}">{name}</span>' in legend


def test_levels_do_not_differ_by_color_alone() -> None:
    lines = re.findall(r"gpt2-level-\d \{ background: [^;]+;(?: text-decoration: ([^;]+);)?", STYLE)
    assert len(lines) == len(set(lines)) == len(LEVELS) - 1


def test_measures_in_words() -> None:
    assert measures_text(score(ab=0.25)) == "perplexity 4.0, 1.00 bits per byte"
