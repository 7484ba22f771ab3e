"""Cleaning text files: what is changed, what is reported, and what is proposed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.cleaning import clean_text, iter_lines
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.tokenizer import END_OF_TEXT
from toy import toy_tokenizer

TOKENIZER = toy_tokenizer()
FILE = Path("keeper.txt")
PARAGRAPH = """\
The keeper of the weather had a ledger, and in it he wrote the rain. On
Mondays he gave it to the farmers, who wanted it, and on Sundays to the
people at the shore, who did not. Nobody in the town had ever seen him
write. They saw the lamp in his window and heard, when the wind was from
the harbour, the scratching of a pen; and in the morning the streets
were wet or they were dry.
"""
BOOK = "\n".join([PARAGRAPH] * 30)
JOINED = "\n".join([" ".join(PARAGRAPH.splitlines()) + "\n"] * 30)
HEADER = "Title: The Weather Keeper\n\n*** START OF THE PROJECT GUTENBERG EBOOK ***\n\n"
FOOTER = "\n\n*** END OF THE PROJECT GUTENBERG EBOOK ***\nTerms of use\n"
EBOOK = HEADER + BOOK + FOOTER


def clean(text: str, size: int = 1000, **options: Any) -> tuple[str, tuple[str, ...]]:
    report = ReadReport()
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    pieces = list(clean_text(chunks, FILE, report, DatasetConfig(**options)))
    assert all(pieces)
    return "".join(pieces), report.notes()


@pytest.mark.parametrize("size", [1, 70, 100_000])
def test_both_options_together(size: int) -> None:
    assert clean(EBOOK, size, strip_boilerplate=True, unwrap=True) == (
        JOINED,
        (
            f"keeper.txt: left out Project Gutenberg's header and license: "
            f"{len(HEADER) + len(FOOTER)} characters",
            "keeper.txt: joined 150 hard-wrapped lines into paragraphs",
        ),
    )


def test_each_option_alone() -> None:
    assert clean(EBOOK, strip_boilerplate=True)[0] == BOOK
    assert clean(BOOK, unwrap=True)[0] == JOINED


def test_options_that_change_nothing_say_so() -> None:
    text, notes = clean("One line.\n" * 100, strip_boilerplate=True, unwrap=True)
    assert text == "One line.\n" * 100
    assert notes == (
        "keeper.txt: no text of Project Gutenberg to leave out",
        "keeper.txt: no hard-wrapped lines to join",
    )


def test_nothing_is_changed_by_default_but_proposed() -> None:
    text, notes = clean(EBOOK, size=100_000)
    assert text == EBOOK
    assert notes == (
        "keeper.txt: has Project Gutenberg's header: strip_boilerplate=True leaves it out",
        "keeper.txt: most lines end between 60 and 80 characters, in the middle of sentences: "
        "unwrap=True joins them into paragraphs",
    )
    assert clean("One line.\n" * 100) == ("One line.\n" * 100, ())
    assert clean("") == ("", ())


def test_a_line_without_end_is_not_held() -> None:
    chunks = ["x" * 50_000] * 10
    assert max(map(len, iter_lines(chunks))) <= 150_000
    assert "".join(iter_lines(chunks)) == "".join(chunks)
    assert clean("x" * 500_000, unwrap=True, strip_boilerplate=True)[0] == "x" * 500_000


def test_a_dataset_is_cleaned_before_it_is_encoded(tmp_path: Path) -> None:
    """Copies are recognized across files and formats, after the other options."""
    (tmp_path / "a.txt").write_text(EBOOK, encoding="utf-8")
    (tmp_path / "b.txt").write_text(JOINED, encoding="utf-8")
    (tmp_path / "c.csv").write_text("text\nWhat is best?\nhow\nWHAT  is best?\n", encoding="utf-8")
    config = DatasetConfig(deduplicate=True, strip_boilerplate=True, unwrap=True)
    dataset = load_dataset(tmp_path, TOKENIZER, config)
    assert TOKENIZER.decode(dataset.tokens) == (
        f"{JOINED}{END_OF_TEXT}<|startoftext|>What is best?{END_OF_TEXT}\n"
        f"<|startoftext|>how{END_OF_TEXT}\n"
    )
    assert dataset.documents == 3
    notes = "\n".join(dataset.notes)
    assert "a.txt: joined 150 hard-wrapped lines" in notes
    assert "a.txt: left out Project Gutenberg's header" in notes
    assert "left out 2 copies of earlier documents" in notes


def test_a_dataset_of_copies_of_one_text_still_has_that_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"the best{END_OF_TEXT}" * 3, encoding="utf-8")
    dataset = load_dataset(tmp_path, TOKENIZER, DatasetConfig(deduplicate=True))
    assert TOKENIZER.decode(dataset.tokens) == f"the best{END_OF_TEXT}"
    assert dataset.documents == 1
