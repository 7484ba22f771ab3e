"""Texts colored by how likely the model finds each of their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ipywidgets as widgets

from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.forms.widgets.errors import plain_errors
from gpt2_helpers.forms.widgets.html import show
from gpt2_helpers.forms.widgets.probabilities import (
    STYLE,
    legend_html,
    measures_text,
    probabilities_html,
)
from gpt2_helpers.forms.widgets.style import message
from gpt2_helpers.forms.widgets.text_cards import ScoreTexts
from gpt2_helpers.session import Session


def show_probabilities(sess: Session, text: str, **options: Any) -> TextScore:
    """Show a text, each token colored by its probability.

    Args:
        sess: The session with the model.
        text: The text.
        **options: Options of `gpt2.score`, such as `stride`.

    Returns:
        The score, as `gpt2.score` returns it.

    Raises:
        NotebookError: If the text is empty, an option is invalid, or the session has no model.

    Example:
        forms.show_probabilities(sess, "It was late in the evening when the train arrived.")
    """
    with plain_errors():
        (score,) = sess.scorer(ScoreConfig(**options)).score([text])
    name = sess.run_name or sess.model_name or "the model"
    heading = message("heading", f"{name}: {measures_text(score)}")
    body = f'<div class="gpt2-excerpt">{probabilities_html(score)}</div>'
    show(widgets.HTML(f"<style>{STYLE}</style>"), widgets.HTML(heading + legend_html() + body))
    return score


def score_with(sess: Session, prompt_prefix: str | None) -> ScoreTexts:
    """Return a function that scores generated texts with the model that is loaded now.

    Args:
        sess: The session with the model.
        prompt_prefix: Text before each text that is not scored.
    """
    model = sess.run_folder, sess.model_name

    def score(texts: Sequence[str]) -> Iterator[TextScore]:
        if (sess.run_folder, sess.model_name) != model:
            raise OptionError(
                "another model has been loaded since: generate texts with it to see its "
                "probabilities"
            )
        config = ScoreConfig(prompt_prefix=prompt_prefix or "", precision="auto")
        return sess.scorer(config).score(texts)

    return score
