"""Training text in pieces: which texts are short, and where long ones are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.evaluation import training_text
from gpt2_helpers.evaluation.training_text import Piece, read_pieces, text_files


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pieces(name: str, content: str) -> list[Piece]:
    Path(name).write_text(content, encoding="utf-8")
    return list(read_pieces(Path(name), DatasetConfig(), ReadReport()))


def test_records_are_short_unless_they_are_long() -> None:
    assert pieces("a.csv", f"title\nWhy?\n{'x' * 1001}\n") == [
        Piece("Why?", True),
        Piece("x" * 1001, False),
    ]


def test_documents_of_a_text_file_are_long() -> None:
    text = "One two.<|endoftext|>\n <|endoftext|>Three"
    assert pieces("a.txt", text) == [Piece("One two.", False), Piece("Three", False)]
    assert pieces("b.txt", "") == []


def test_documents_with_a_marker_are_rows() -> None:
    text = f"<|startoftext|>One<|endoftext|>\n<|startoftext|>{'two ' * 300}<|endoftext|>\n"
    assert pieces("a.txt", text) == [Piece("One", True), Piece("\n" + "two " * 300, False)]


def test_a_long_text_is_cut_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_text, "_PIECE", 7)
    chunks = ["One ", "two thr", "ee four<|end", "oftext|>Five six"]
    monkeypatch.setattr(training_text, "read_text", lambda *_: iter(chunks))
    found = pieces("a.txt", "text")
    assert found == [
        Piece("One two", False, False),
        Piece(" three four", False, True),
        Piece("Five", False, False),
        Piece(" six", False, True),
    ]


def test_a_text_that_ends_where_it_was_cut_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_text, "_PIECE", 4)
    monkeypatch.setattr(training_text, "read_text", lambda *_: iter(["One two "]))
    *_, last = pieces("a.txt", "text")
    assert last.is_end


def test_files_of_token_ids_are_left_out() -> None:
    np.savez("a.npz", np.arange(3))
    Path("b.txt").write_text("text", encoding="utf-8")
    notes: list[str] = []
    assert text_files(["a.npz", "b.txt"], DatasetConfig(), notes) == [Path("b.txt")]
    assert notes == ["skipped 1 of 2 files, which contain token ids"]
    with pytest.raises(DatasetError, match="contains token ids and no text"):
        text_files("a.npz", DatasetConfig(), notes)
    with pytest.raises(OptionError, match="column='title' was given"):
        text_files("b.txt", DatasetConfig(column="title"), notes)
