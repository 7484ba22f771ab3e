"""The public function that compares generated texts with the training text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gpt2_helpers as gpt2
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.generation.output_file import SAMPLE_DELIM

TITLES = ["Why is the sky blue?", "What did you dream of last night?"]
TEXTS = ["why is the sky blue", "What did you dream about last night?", "Ships"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{n},{title}\n" for n, title in enumerate(TITLES))
    Path("titles.csv").write_text("score,title\n" + rows, encoding="utf-8")
    texts = "".join(f"{text}\n{SAMPLE_DELIM}" for text in TEXTS)
    Path("texts.txt").write_text(texts, encoding="utf-8")


def test_a_list_and_a_file_give_the_same_report(capsys: pytest.CaptureFixture[str]) -> None:
    report = gpt2.check_memorization(TEXTS, "titles.csv", column="title")
    assert (report.copies, report.near_copies, report.novel) == (1, 1, 1)
    assert "comparing 3 texts" in capsys.readouterr().err
    for path in ("texts.txt", Path("texts.txt")):
        assert gpt2.check_memorization(path, ["titles.csv"], column="title") == report
    rows = "".join(f'{n},"{text}"\n' for n, text in enumerate(TEXTS))
    Path("texts.csv").write_text("n,body\n" + rows, encoding="utf-8")
    found = gpt2.check_memorization(
        "texts.csv", Path("titles.csv"), column="title", generated_column="body"
    )
    assert found == report


def test_generated_texts_of_this_session_are_a_tuple_or_list() -> None:
    report = gpt2.check_memorization(tuple(TEXTS[:1]), "titles.csv", column="title")
    assert report.copies == 1


@pytest.mark.parametrize(
    ("generated", "message"),
    [([], "got list without entries"), ([1], "got list"), ((), "tuple without entries")],
)
def test_only_texts_are_compared(generated: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        gpt2.check_memorization(generated, "titles.csv")


def test_a_missing_file() -> None:
    with pytest.raises(DatasetError, match=r"gone\.txt does not exist"):
        gpt2.check_memorization("gone.txt", "titles.csv")
