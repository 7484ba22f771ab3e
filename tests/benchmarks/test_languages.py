"""The comparison of vocabularies: its split, and a table for a toy text."""

from __future__ import annotations

from pathlib import Path

import pytest

import languages
from gpt2_helpers.training.vocabulary import train_tokenizer
from language_texts import LANGUAGES, make_text


def test_the_last_tenth_is_held_out_from_a_whole_line_on() -> None:
    text = "".join(f"line {n}\n" for n in range(100))
    training, held_out = languages.split(text)
    assert training + held_out == text
    assert held_out.startswith("line 90\n")
    assert training.endswith("\n")


def test_source_code_is_long_and_the_same_each_time() -> None:
    text = languages.standard_library()
    assert len(text) == languages.CODE_BYTES
    assert text == languages.standard_library()
    assert "def " in text


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_text_has_enough_words_for_its_vocabulary(name: str) -> None:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    training, _ = languages.split(make_text(name))
    size = languages.size_of(name)
    assert train_tokenizer([training], size).n_vocab == size


@pytest.mark.usefixtures("shallow_tiny")
def test_both_vocabularies_are_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    monkeypatch.setattr(languages, "STEPS", 1)
    monkeypatch.setattr(languages, "BATCH_SIZE", 1)
    monkeypatch.setattr(languages, "SEEDS", (1,))
    monkeypatch.setitem(languages.SMALLER_VOCAB_SIZES, "arabic", 400)
    monkeypatch.chdir(tmp_path)
    languages.compare({"arabic": make_text("arabic", 8000)})
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| arabic")]
    assert [row.split("|")[1].strip() for row in rows] == [
        "arabic, English vocabulary",
        "arabic, adapted vocabulary",
    ]
