"""Project Gutenberg's boilerplate: today's and old files, several books, and texts without it."""

from __future__ import annotations

import pytest

from gpt2_helpers.data.gutenberg import Boilerplate
from gpt2_helpers.tokenizer import END_OF_TEXT

HEADER = """\
The Project Gutenberg eBook of The Weather Keeper

This ebook is for the use of anyone anywhere in the United States and
most other parts of the world at no cost and with almost no restrictions.

Title: The Weather Keeper

Author: Ada Quill

Release date: May 3, 2004 [eBook #99999]

Language: English

"""
START = "*** START OF THE PROJECT GUTENBERG EBOOK THE WEATHER KEEPER ***\n"
BOOK = """\
THE WEATHER KEEPER

by Ada Quill


CHAPTER I

The keeper of the weather had a ledger, and in it he wrote the rain.

* * *

"Produced by whom?" she asked. "By the clouds," he said.
"""
END = "*** END OF THE PROJECT GUTENBERG EBOOK THE WEATHER KEEPER ***\n"
LICENCE = """\


Updated editions will replace the previous one--the old editions will
be renamed.

START: FULL LICENSE

THE FULL PROJECT GUTENBERG LICENSE

1.E.1. The following sentence, with active links to the full Project
Gutenberg License, must appear prominently.
"""


def strip(text: str) -> tuple[str, int]:
    boilerplate = Boilerplate()
    kept = "".join(boilerplate.strip(text.splitlines(keepends=True)))
    assert boilerplate.removed == len(text) - len(kept)
    return kept, boilerplate.removed


def test_only_the_book_is_kept() -> None:
    text = f"{HEADER}{START}\n\n\n\n{BOOK}\n\n\n{END}{LICENCE}"
    kept, removed = strip(text)
    assert kept == BOOK
    assert removed > 500


@pytest.mark.parametrize(
    "start",
    [
        START,
        START.replace("*** ", "***").replace(" ***", "***"),
        START.replace("OF THE", "OF THIS"),
        START.lower(),
        "*** START OF THE PROJECT GUTENBERG EBOOK THE WEATHER KEEPER, BEING A TRUE\n"
        "ACCOUNT OF HIS LIFE AND LABOURS ***\n",
        "*** START OF THE PROJECT GUTENBERG EBOOK THE WEATHER KEEPER\n",
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n",
    ],
)
def test_the_start_markers_of_all_times(start: str) -> None:
    assert strip(f"{HEADER}{start}\n{BOOK}")[0] == BOOK


@pytest.mark.parametrize(
    "end",
    [
        END,
        END.replace("*** ", "***").replace(" ***", "***"),
        "End of the Project Gutenberg EBook of The Weather Keeper, by Ada Quill\n\n" + END,
        "End of Project Gutenberg's The Weather Keeper, by Ada Quill\n",
    ],
)
def test_the_end_markers_of_all_times(end: str) -> None:
    assert strip(f"{START}{BOOK}\n\n{end}{LICENCE}")[0] == BOOK


@pytest.mark.parametrize(
    "credit",
    [
        "Produced by Ann Reader and the Online Distributed\nProofreading Team\n",
        "E-text prepared by Ann Reader\n",
        "This eBook was produced by Ann Reader.\n",
        "Transcribed from the 1889 edition by Ann Reader\n",
        "[Transcribed by Ann Reader]\n",
        "Credits: Ann Reader\n",
        "Produced by Ann Reader\n\n\nHTML version by Bob Reader\n",
    ],
)
def test_credits_before_the_book_are_removed(credit: str) -> None:
    assert strip(f"{HEADER}{START}\n{credit}\n\n{BOOK}{END}")[0] == BOOK


def test_several_books_in_one_text() -> None:
    book = f"{HEADER}{START}\n{BOOK}{END}{LICENCE}"
    assert strip(book * 3)[0] == BOOK * 3
    assert strip(f"{book}{END_OF_TEXT}{book}")[0] == f"{BOOK}{END_OF_TEXT}{BOOK}"
    assert strip(f"{BOOK}{END_OF_TEXT}\n{book}")[0] == f"{BOOK}{END_OF_TEXT}{BOOK}"
    closed = f"{HEADER}{START}{BOOK}{END.strip()}{END_OF_TEXT}\n"
    assert strip(closed + BOOK)[0] == f"{BOOK}{END_OF_TEXT}\n{BOOK}"


@pytest.mark.parametrize(
    "text",
    [
        BOOK,
        "",
        "\n\n",
        BOOK * 500,  # longer than a header
        f"{HEADER}\n\n{BOOK}",
        "She wrote about Project Gutenberg.\n\n*** START OF THE SECOND PART ***\n\nIt was late.\n",
        "A line\n" * 20_000 + START + "more than 50,000 characters are no header\n",
        "At the end of Project Gutenberg's page was a link.\n",
    ],
)
def test_other_texts_are_not_changed(text: str) -> None:
    assert strip(text) == (text, 0)


def test_a_book_whose_header_was_removed_before() -> None:
    assert strip(f"{BOOK}\n\n{END}{LICENCE}")[0] == BOOK
    assert strip(f"{BOOK * 500}{END}{LICENCE}")[0] == BOOK * 500


def test_very_many_blank_lines_are_passed_through() -> None:
    # Adding up the held lines at each line would take minutes.
    text = ("\n" * 45_000 + END_OF_TEXT) * 5
    assert strip(text) == (text, 0)
    text = "A book\n" * 8000 + "\n" * 500_000 + "The end\n"
    assert strip(text) == (text, 0)
