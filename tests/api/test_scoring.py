"""Scores of one text and of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.evaluation.scoring import TextScore
from gpt2_helpers.session import Session
from toy_runs import write_model, write_text


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    write_text()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with the toy model, compiled once for all tests that only generate."""
    session = Session()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("loaded"))
        write_model()
        session.load_pretrained("toy", precision="float32")
    return session


def test_a_text_or_a_list_of_texts_is_scored(loaded: Session) -> None:
    score = gpt2.score(loaded, "What is the best?")
    assert isinstance(score, TextScore)
    assert score.text == "What is the best?"
    assert len(score.tokens) == len(score.ids) == len(score.logprobs)
    assert score.perplexity > 1
    both = gpt2.score(loaded, ["What is the best?", "How?"], model_name="toy", stride=4)
    assert isinstance(both, list)
    assert both[0].total == pytest.approx(score.total, rel=1e-5)
    assert [each.text for each in both] == ["What is the best?", "How?"]


@pytest.mark.parametrize("text", [[], 5, [5]])
def test_only_texts_are_scored(loaded: Session, text: Any) -> None:
    with pytest.raises(OptionError, match="text must be a str"):
        gpt2.score(loaded, text)
    with pytest.raises(DatasetError, match="empty text"):
        gpt2.score(loaded, "")
