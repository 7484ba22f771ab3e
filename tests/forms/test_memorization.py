"""The memorization check in a notebook: counts, closest matches and advice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from gpt2_helpers.evaluation import memorization
from gpt2_helpers.forms.memorization import show_advice, show_memorization
from gpt2_helpers.forms.widgets import html
from gpt2_helpers.forms.widgets.errors import NotebookError
from gpt2_helpers.session import Session
from toy_runs import train, write_model
from widget_texts import markup, words

TITLES = ["What is the best thing that you ever have been to?", "How would <b>they</b> end it?"]


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The displayed widgets."""
    shown: list[Any] = []
    monkeypatch.setattr(html, "display", shown.append)
    monkeypatch.chdir(tmp_path)
    tf.config.run_functions_eagerly(True)
    yield shown
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def session() -> Session:
    """A session with a run that was trained on the two titles for many steps."""
    write_model()
    Path("titles.csv").write_text("title\n" + "\n".join(TITLES) + "\n", encoding="utf-8")
    train("titles.csv", steps=30, run_name="titles")
    session = Session()
    session.load_run("titles")
    return session


def test_copies_and_near_copies_are_counted_and_shown(page: list[Any], session: Session) -> None:
    texts = [TITLES[1].upper(), "What is the best thing that you have been to?", "Why not?"]
    report = show_memorization(session, texts)
    assert report is not None
    assert (report.copies, report.near_copies, report.novel) == (1, 1, 1)
    read = words(page[-1])
    assert re.search(r"Copies: the same words\s+1\s+33%", read)
    assert texts[1] in read
    assert TITLES[0] in read
    assert "read as the header" not in read, "it was said in training"
    assert "<b>" not in markup(page[-1]).lower(), "generated text must be escaped"


def test_advice_is_based_on_losses_and_copies(page: list[Any], session: Session) -> None:
    report = show_memorization(session, [TITLES[0]] * 9 + ["Why not?"])
    show_advice(session, report)
    shown = words(page[-1])
    assert "Of 10 texts, 9 are copies of the training text" in shown
    assert "In training the text is seen" in shown


def test_without_problems_there_is_no_advice(page: list[Any], session: Session) -> None:
    show_advice(session)
    assert "show no problem" in words(page[-1])


def test_every_part_of_a_large_training_text_is_compared(
    page: list[Any], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memorization, "MAX_CHARACTERS", 10)
    report = show_memorization(session, TITLES)
    assert report is not None
    assert report.copies == 2
    assert "characters only" not in words(page[-1])


def test_no_texts_are_no_error(page: list[Any], session: Session) -> None:
    report = show_memorization(session, [])
    assert report is not None
    assert report.total == 0


def test_a_missing_training_text_is_reported(page: list[Any], session: Session) -> None:
    Path("titles.csv").unlink()
    assert show_memorization(session, ["Why?"]) is None
    assert "cannot find titles.csv" in words(page[-1])


def test_a_session_without_a_run_is_an_error() -> None:
    with pytest.raises(NotebookError, match="has no finetuned run"):
        show_memorization(Session(), ["Why?"])
