"""The separator of a table, detected from its first lines."""

from __future__ import annotations

from typing import NamedTuple

import regex

from gpt2_helpers.data.table_header import looks_like_header
from gpt2_helpers.data.table_rows import sample_rows

SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_EXPECTED = {".tsv": "\t"}

_MARKS = regex.compile(r"<\|\w+\|>")  # such as <|startoftext|>
_DECLARATION = regex.compile(r'\s*"?sep=([^\w\s"]|\t)"?\s*', regex.IGNORECASE)


class Separator(NamedTuple):
    """The character between two fields, and whether the first line declares it, as for Excel."""

    character: str
    is_declared: bool = False

    @property
    def name(self) -> str:
        """Its name, for messages."""
        return SEPARATOR_NAMES.get(self.character, repr(self.character))


def expected_separator(suffix: str) -> str:
    """The separator that a file name's suffix implies.

    >>> expected_separator(".TSV")
    '\\t'
    """
    return _EXPECTED.get(suffix.lower(), ",")


def detect_separator(lines: list[str], expected: str, is_complete: bool = True) -> Separator:
    """Detect the separator of a table: comma, semicolon, tab or vertical bar.

    The expected separator is used unless another one separates the first rows better: into two
    columns or more, with the same number in almost all rows, or below a header.

    Args:
        lines: The first lines of the table. A first line `sep=;` declares the separator.
        expected: The separator that the file's name implies.
        is_complete: Whether these are all lines of the table.

    Returns:
        The separator.

    >>> detect_separator(["title;score\\n", "What, me?;3\\n"], ",").character
    ';'
    """
    if lines and (declared := _DECLARATION.fullmatch(lines[0])):
        return Separator(declared[1], is_declared=True)
    lines = [_MARKS.sub("", line) for line in lines]  # their bars separate no columns
    best, best_score = expected, _score(lines, expected, is_complete, is_expected=True)
    for other in SEPARATOR_NAMES:
        if other != expected and (score := _score(lines, other, is_complete)) > best_score:
            best, best_score = other, score
    return Separator(best)


def _score(
    lines: list[str], separator: str, is_complete: bool, is_expected: bool = False
) -> tuple[float, bool]:
    """How well a separator splits the first rows: the share of rows with as many columns as the
    first, and whether the columns look like data rather than like clauses of a sentence.

    0 if there is a single column, or if the rows are unlikely to be a table.
    """
    impossible = (0.0, False)
    if not any(separator in line for line in lines):
        return impossible
    rows = sample_rows(lines, separator, is_complete)
    if not rows or len(rows[0]) < 2:
        return impossible
    width = len(rows[0])
    share = sum(len(row) == width for row in rows) / len(rows)
    # In sentences a space follows the mark.
    fields = [field for row in rows for field in row[1:]]
    is_tight = sum(field.startswith(" ") for field in fields) * 2 < len(fields)
    if not is_expected:
        if looks_like_header(rows[0], rows[1:]):
            wide_enough = sum(len(row) >= width for row in rows)
            if wide_enough < 0.9 * len(rows):
                return impossible
            share = max(share, 0.5)  # the rows with more columns are errors to report
        elif not is_tight or share < 0.9 or len(rows) < 2:
            return impossible
    return share, is_tight
