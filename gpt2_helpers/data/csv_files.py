"""CSV and TSV files -> the texts of one column. Knows quotes, headers, columns; nothing of tokens.

The format is RFC 4180's, read strictly: fields may stand in quotes, and then hold separators,
newlines and doubled quotes. What a looser reading would change or swallow is an error with a line.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import regex

from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError, nearest

DELIMITERS = {".csv": ",", ".tsv": "\t"}
MAX_FIELD_CHARS = 1 << 24  # characters; Python's own limit of 131,072 is less than a chapter
_SAMPLE = 100  # rows looked at to tell a header and to compare columns

_NAME = regex.compile(r"[^\W\d][\w .:/()#%&-]*(?<![.:])")
_IDENTIFIER = regex.compile(r"\p{Ll}[\p{L}\d]*(?:[._-][\p{L}\d]+)*")  # one word in small letters
_COMMON_WORDS = (
    "abstract answer article author body caption category clean comment content contents date "
    "description dialogue document essay full headline id index joke label line lyric lyrics "
    "message name names poem post prompt question quote quotes raw response review score "
    "sentence song source story subject subreddit summary tag text texts timestamp title titles "
    "tweet tweets url user username verse year "
)
_COMMON_NAMES = frozenset(_COMMON_WORDS.split())


def read_column(
    path: Path, report: ReadReport, column: str | None = None, header: bool | None = None
) -> Iterator[str]:
    """The texts of one column of a CSV or TSV file, in order; blank ones are skipped and counted.

    `column` names it by its header or its number from 1, and may be left out where there is but
    one. `header` says whether the first row is one; None finds out (see `looks_like_header`).
    What was found goes into `report`. Raises DatasetError, with the line, for a quote that is
    never closed, a row of another width, or a column that is missing or not named.
    """
    rows = _filled_rows(path, report)
    sample = list(itertools.islice(rows, _SAMPLE))
    if not sample:
        report.add(path, "it holds no rows")
        return
    width = len(sample[0][1])
    for line, cells in sample:
        _check_width(path, line, cells, width)
    header, index = _layout(path, report, [cells for _, cells in sample], column, header)
    texts = blank = 0
    for line, cells in itertools.chain(sample[int(header) :], rows):
        _check_width(path, line, cells, width)
        if cells[index].strip():
            texts += 1
            yield cells[index]
        else:
            blank += 1
    if blank:
        report.add(path, f"{_count(blank, 'row')} with nothing in the column skipped")
    if not texts:
        report.add(path, "it holds a header and no texts" if header else "it holds no texts")


def column_lengths(path: Path) -> dict[str, int]:
    """What `column` may be for a table, each with the characters of it in the first rows: the one
    with most is likely the text. Names where there is a header, else numbers from 1."""
    rows = [cells for _, cells in itertools.islice(_filled_rows(path, ReadReport()), _SAMPLE)]
    if not rows:
        return {}
    names = [cell.strip() for cell in rows[0]] if looks_like_header(rows[0], rows[1:]) else []
    found = {}
    for index in range(len(rows[0])):
        name = names[index] if names else ""
        usable = name and names.count(name) == 1 and not name.isdecimal()
        length = sum(len(cells[index]) for cells in rows[1:] or rows if index < len(cells))
        found[name if usable else str(index + 1)] = length
    return found


def _layout(
    path: Path, report: ReadReport, rows: list[list[str]], column: str | None, header: bool | None
) -> tuple[bool, int]:
    """Whether there is a header, and the place of the wanted column; both are said."""
    first, below = rows[0], rows[1:]
    named = column is not None and column in first and not column.isdigit()
    seen = named or looks_like_header(first, below)
    if header is None:
        header = seen
        taken = (
            "the header"
            if header
            else "a text, and not as a header (a row such as text or title would be one)"
        )
        report.add(path, f"the first row, {_shown(first)}, is taken as {taken}")
    elif header and not seen:
        report.add(path, f"the first row, {_shown(first)}, was skipped (header=False keeps it)")
    names = first if header else None
    index = _column_index(path, column, names, below if header and below else rows)
    if len(first) > 1:
        name = f", {first[index]!r}" if header else ""
        report.add(path, f"column {index + 1}{name}, is the one read")
    elif below and all(";" in row[0] or "\t" in row[0] for row in rows):
        report.add(path, "each row holds a ; or a tab: where these part columns, save as .tsv")
    return header, index


def _check_width(path: Path, line: int, cells: list[str], width: int) -> None:
    if len(cells) != width:
        raise DatasetError(
            f"{path}, line {line}: {_count(len(cells), 'column')}, where the first row has "
            f"{width}: put a text that holds the separator into quotes, or save the texts as a "
            ".txt file, one a line"
        )


def looks_like_header(first: list[str], below: list[list[str]]) -> bool:
    """Whether the first row names the columns: all are short names, none alike, and one tells.

    A cell tells where it is made of common names of columns (`title`, `Tweet text`, `score` ...);
    where it is one word in small letters and most cells below it are not; or where all cells below
    it are numbers.

    >>> looks_like_header(["title"], [["What is your favourite smell?"]])
    True
    >>> looks_like_header(["Who invented toast?"], [["What is your favourite smell?"]])
    False
    """
    cells = [cell.strip() for cell in first]
    named = [cell for cell in cells if cell]  # pandas leaves the name of its index out
    if not named or len(set(named)) < len(named):
        return False
    for cell in named:
        if len(cell) > 40 or len(cell.split()) > 4 or not _NAME.fullmatch(cell):
            return False
    for index, cell in enumerate(cells):
        column = [row[index].strip() for row in below if index < len(row) and row[index].strip()]
        words = regex.findall(r"[^\W_]+", cell.casefold())
        if words and _COMMON_NAMES.issuperset(words):
            return True
        if _IDENTIFIER.fullmatch(cell):
            others = sum(_IDENTIFIER.fullmatch(other) is None for other in column)
            if others * 2 > len(column):
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


def _column_index(
    path: Path, column: str | None, names: list[str] | None, rows: list[list[str]]
) -> int:
    """The place of the wanted column, or DatasetError with the columns there are."""
    width = len(rows[0])
    listed = f"{_count(width, 'column')} and no header, and begins with {_shown(rows[0])}"
    if names is not None:
        listed = f"{_count(width, 'column')} ({', '.join(name or 'unnamed' for name in names)})"
    if column is None:
        if width == 1:
            return 0
        longest = max(range(width), key=lambda index: sum(len(row[index]) for row in rows))
        example = names[longest] if names and names[longest] else str(longest + 1)
        raise DatasetError(
            f"{path} has {listed}: name the one to train on, such as column={example!r}"
        )
    stripped = [name.strip() for name in names or []]
    if column.strip() in stripped:
        return stripped.index(column.strip())
    if column.strip().isdecimal() and 1 <= int(column) <= width:
        return int(column) - 1
    raise DatasetError(
        f"{path} has no column {column!r}{nearest(column, stripped)}: it has {listed}; give one of "
        f"these names, or a number from 1 to {width}"
    )


def _shown(cells: list[str]) -> str:
    text = ", ".join(cells)
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _filled_rows(path: Path, report: ReadReport) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row that is not blank, and a count of those that are."""
    separator = DELIMITERS.get(path.suffix.lower(), ",")
    reader = csv.reader(_lines(path, report), delimiter=separator, strict=True)
    blank = 0
    while True:
        start = reader.line_num + 1
        try:
            cells = _next_row(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise DatasetError(_explained(path, start, reader.line_num, str(error))) from None
        if any(cell.strip() for cell in cells):
            yield start, cells
        else:
            blank += 1
    if blank:
        report.add(path, f"{_count(blank, 'blank row')} skipped")


def _explained(path: Path, start: int, line: int, problem: str) -> str:
    if "unexpected end" in problem:
        return f"{path}, line {start}: a quote is opened in this row and never closed: close it"
    if "field limit" in problem:
        return (
            f"{path}, line {start}: a field of over {MAX_FIELD_CHARS:,} characters begins in this "
            "row: is a quote never closed?"
        )
    if "expected after" in problem:
        begun = f" (its row begins on line {start}: is a quote there never closed?)"
        return (
            f"{path}, line {line}: text goes on after a closing quote{begun * (line > start)}: "
            'write a quote inside a quoted field as "", or save the texts as a .txt file'
        )
    return f"{path}, line {line}: not readable as CSV: {problem}"


def _lines(path: Path, report: ReadReport) -> Iterator[str]:
    """Lines with their newline. Only `\\n` ends one: Unicode's other line ends are plain text."""
    rest, number = "", 1
    for block in read_text(path, report):
        *whole, rest = (rest + block).split("\n")
        for line in whole:
            yield line + "\n"
        number += len(whole)
        if len(rest) > MAX_FIELD_CHARS:
            raise DatasetError(
                f"{path}, line {number} is longer than {MAX_FIELD_CHARS:,} characters: is this a "
                "CSV file? Give it the ending .txt to train on it as text"
            )
    if rest:
        yield rest


def _next_row(reader: Iterator[list[str]]) -> list[str]:
    # The limit is one number for the whole process, so it is raised no longer than needed.
    before = csv.field_size_limit(MAX_FIELD_CHARS)
    try:
        return next(reader)
    finally:
        csv.field_size_limit(before)
