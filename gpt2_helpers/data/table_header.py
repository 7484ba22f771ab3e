"""Whether the first row of a table is a header."""

from __future__ import annotations

import regex

_COLUMN_NAME = regex.compile(r"[^\W\d][\w .:/()#%&-]*(?<![.:])")
_IDENTIFIER = regex.compile(r"\p{Ll}[\p{L}\d]*(?:[._-][\p{L}\d]+)*")  # starts in lower case
_COMMON_WORDS = (
    "abstract answer article author body caption category clean comment content contents date "
    "description dialogue document essay full headline id index joke label line lyric lyrics "
    "message name names poem post prompt question quote quotes raw response review score "
    "sentence song source story subject subreddit summary tag text texts timestamp title titles "
    "tweet tweets url user username verse year "
)
_COMMON_NAMES = frozenset(_COMMON_WORDS.split())


def looks_like_header(first: list[str], others: list[list[str]]) -> bool:
    """Whether the first row names the columns: short distinct names, one of them conclusive.

    A name is conclusive if it consists of common column names (`title`, `Tweet text`, `score`), if
    it looks like an identifier and most cells below it do not, or if all cells below are numbers.

    >>> looks_like_header(["title"], [["What is your favourite smell?"]])
    True
    >>> looks_like_header(["Who invented toast?"], [["What is your favourite smell?"]])
    False
    """
    cells = [cell.strip() for cell in first]
    names = [cell for cell in cells if cell]  # pandas leaves the name of the index column empty
    if not names or len(set(names)) < len(names):
        return False
    for name in names:
        if len(name) > 40 or len(name.split()) > 4 or not _COLUMN_NAME.fullmatch(name):
            return False
    for index, cell in enumerate(cells):
        column = [row[index].strip() for row in others if index < len(row) and row[index].strip()]
        words = regex.findall(r"[^\W_]+", cell.casefold())
        if words and _COMMON_NAMES.issuperset(words):
            return True
        if _IDENTIFIER.fullmatch(cell):
            different = sum(_IDENTIFIER.fullmatch(other) is None for other in column)
            if different * 2 > len(column):
                return True
        if cell and column and all(_is_number(other) for other in column):
            return True
    return False


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
