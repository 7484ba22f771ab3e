"""The texts of records (rows of a table, lines of JSON), as they are trained on.

Marks that a text already has are removed, since they are added later. Blank texts are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import regex

from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.tokenizer import END_OF_TEXT, START_OF_TEXT

MARKS = (START_OF_TEXT, END_OF_TEXT)

Fields = tuple[str, ...]  # the text of a record; or its prompt and its completion

_LINE_ENDS = regex.compile(r"\r\n?")
# JSON can write half of a character outside the Basic Multilingual Plane, which is not text.
_NOT_TEXT = regex.compile("[\0\ud800-\udfff\ufeff]")


def keep_texts(
    records: Iterable[Fields],
    path: Path,
    report: ReadReport,
    marks: tuple[str, str] = MARKS,
    noun: str = "row",
) -> Iterator[Fields]:
    """Yield the records that are not blank, without marks, and report what was changed.

    Args:
        records: The fields of each record. The last one is the text that the model learns to
            write; a record in which it is blank is skipped.
        path: The file, for the report.
        report: Receives the numbers of blank and of marked records.
        marks: The start and end that will be put around each text.
        noun: What a record of the file is called.
    """
    blank = marked = 0
    for fields in records:
        texts = tuple(without_marks(field, marks) for field in fields)
        marked += texts != fields
        if texts[-1].strip():
            yield texts
        else:
            blank += 1
    if blank:
        report.add(path, f"skipped {count(blank, noun)} with an empty text")
    if marked:
        report.add(
            path,
            f"{count(marked, noun)} had {marks[0]} or {marks[1]} already: not marked twice",
        )


def without_marks(text: str, marks: tuple[str, str]) -> str:
    """A text without the marks that it starts and ends with, however often."""
    start, end = marks
    while start and text.lstrip().startswith(start):
        text = text.lstrip().removeprefix(start)
    while end and text.rstrip().endswith(end):
        text = text.rstrip().removesuffix(end)
    return text


class ValueCleaner:
    r"""Cleans strings that were escaped in a file, which reading it as text does not do.

    Line ends become `\n`. Byte order marks, NUL characters and surrogates, halves of characters,
    are left out.

    >>> cleaner = ValueCleaner()
    >>> cleaner("one\r\ntwo\ud83d"), cleaner.left_out
    ('one\ntwo', 1)
    """

    def __init__(self) -> None:
        self.left_out = 0

    def __call__(self, value: str) -> str:
        if "\r" in value:
            value = _LINE_ENDS.sub("\n", value)
        if value.isascii() and "\0" not in value:
            return value
        value, found = _NOT_TEXT.subn("", value)
        self.left_out += found
        return value

    def report(self, path: Path, report: ReadReport) -> None:
        """Report how many characters were left out, if any."""
        if self.left_out:
            report.add(
                path,
                f"left out {count(self.left_out, 'character')} that are not text (halves of "
                "characters, byte order marks, NUL characters)",
            )


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "row"), count(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
