"""The text that the loaded run was trained on, for the forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt2_helpers.forms.run_training_text import RunTrainingText
from gpt2_helpers.session import Session


def test_a_pretrained_model_has_no_known_training_text() -> None:
    session = Session()
    session.load_pretrained("tiny")
    index, note = RunTrainingText(session).read()
    assert index is None
    assert "the training text of this model is unknown" in note


def test_the_reason_is_given_if_the_text_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    session.load_pretrained("tiny")
    monkeypatch.setattr(Session, "run_folder", tmp_path / "run1")
    index, note = RunTrainingText(session).read()
    assert index is None
    assert note.startswith("Copies are not marked: ")
