"""A text of the user's, and generated texts, colored by probability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers import forms
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.forms.probabilities import score_with
from gpt2_helpers.forms.widgets import html
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.session import Session
from toy_runs import write_model
from widget_texts import markup, words


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The displayed widgets."""
    shown: list[Any] = []
    monkeypatch.setattr(html, "display", shown.append)
    monkeypatch.chdir(tmp_path)
    write_model()
    return shown


@pytest.fixture
def sess() -> Session:
    session = Session()
    session.load_pretrained("toy", precision="float32")
    return session


def test_a_text_is_shown_with_its_measures_and_a_legend(page: list[Any], sess: Session) -> None:
    text = "What is <b>the</b> best?"
    score = forms.show_probabilities(sess, text, stride=4)
    (expected,) = sess.scorer(ScoreConfig(stride=4)).score([text])
    assert score == expected
    shown = words(page[-1])
    assert f"toy: perplexity {score.perplexity:,.1f}" in shown
    assert "less than 0.1%" in shown
    assert "&lt;" in markup(page[-1])
    assert "<b>" not in markup(page[-1])


def test_errors_are_those_of_a_notebook(sess: Session) -> None:
    with pytest.raises(NotebookError, match="empty text"):
        forms.show_probabilities(sess, "")
    with pytest.raises(NotebookError, match="no model is loaded"):
        forms.show_probabilities(Session(), "What")


def test_generated_texts_are_scored_by_the_model_that_wrote_them(sess: Session) -> None:
    score = score_with(sess, "How?")
    (found,) = score(["What is"])
    (expected,) = sess.scorer(ScoreConfig(prompt_prefix="How?")).score(["What is"])
    assert found == expected
    write_model("other", seed=5)
    sess.load_pretrained("other")
    with pytest.raises(OptionError, match="another model has been loaded since"):
        score(["What is"])
