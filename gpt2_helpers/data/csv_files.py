"""CSV and TSV files: finds the header and reads the texts of one column.

The format is RFC 4180, read strictly: fields may be quoted, and quoted fields may contain
delimiters, newlines and doubled quotes. Input that a lenient reader would change or drop raises an
error with the line number.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import regex

from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError, brief_repr, nearest
from gpt2_helpers.system.bounded_files import parse_count

DELIMITERS = {".csv": ",", ".tsv": "\t"}
MAX_FIELD_CHARS = 1 << 24  # Python's own limit of 131,072 is shorter than a book chapter
_SAMPLE_ROWS = 100  # rows used to detect a header and to compare columns

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


def read_column(
    path: Path, report: ReadReport, column: str | None = None, header: bool | None = None
) -> Iterator[str]:
    """Read the texts of one column of a CSV or TSV file, in order. Blank ones are skipped.

    Args:
        path: File to read; the suffix `.tsv` means tabs, anything else commas.
        report: Receives what was detected: the header, the column, the rows skipped.
        column: Name of the column, or its number from 1. Optional if there is only one column.
        header: Whether the first row is a header. Default: detected, see `looks_like_header`.

    Yields:
        The text of each row.

    Raises:
        DatasetError: A quote is never closed, a row has a different number of columns, or
            `column` is missing, unknown or required.

    Example:
        titles = list(read_column(Path("titles.csv"), ReadReport(), column="title"))
    """
    rows = _nonblank_rows(path, report)
    sample = list(itertools.islice(rows, _SAMPLE_ROWS))
    if not sample:
        report.add(path, "no rows")
        return
    width = len(sample[0][1])
    for line, cells in sample:
        _check_width(path, line, cells, width)
    header, index = _detect_layout(path, report, [cells for _, cells in sample], column, header)
    texts = blank = 0
    for line, cells in itertools.chain(sample[int(header) :], rows):
        _check_width(path, line, cells, width)
        if cells[index].strip():
            texts += 1
            yield cells[index]
        else:
            blank += 1
    if blank:
        report.add(path, f"skipped {_count(blank, 'row')} with an empty column")
    if not texts:
        report.add(path, "a header but no texts" if header else "no texts")


def column_lengths(path: Path) -> dict[str, int]:
    """Return the possible values of `column`, each with its number of characters in a sample.

    The longest column is probably the text. Columns are named by the header if there is one, and
    otherwise numbered from 1.
    """
    sampled = itertools.islice(_nonblank_rows(path, ReadReport()), _SAMPLE_ROWS)
    rows = [cells for _, cells in sampled]
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


def _detect_layout(
    path: Path, report: ReadReport, rows: list[list[str]], column: str | None, header: bool | None
) -> tuple[bool, int]:
    """Whether the first row is a header, and the index of the column; both are reported."""
    first, others = rows[0], rows[1:]
    is_named = column is not None and column in first and not column.isdigit()
    detected = is_named or looks_like_header(first, others)
    if header is None:
        header = detected
        kind = "the header" if header else "text, not as a header such as `text` or `title`"
        report.add(path, f"the first row, {_quote_row(first)}, is read as {kind}")
    elif header and not detected:
        report.add(
            path, f"skipped the first row, {_quote_row(first)}, as the header (see header=False)"
        )
    names = first if header else None
    index = _column_index(path, column, names, others if header and others else rows)
    if len(first) > 1:
        name = f", {first[index]!r}" if header else ""
        report.add(path, f"reading column {index + 1}{name}")
    elif others and all(";" in row[0] or "\t" in row[0] for row in rows):
        report.add(
            path,
            "every row contains a semicolon or a tab: if it separates columns, save the file as "
            ".tsv",
        )
    return header, index


def _check_width(path: Path, line: int, cells: list[str], width: int) -> None:
    if len(cells) != width:
        raise DatasetError(
            f"{path}, line {line}: {_count(len(cells), 'column')}, but the first row has {width}: "
            "put texts that contain the delimiter in quotes, or save the texts as a .txt file, one "
            "per line"
        )


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


def _column_index(
    path: Path, column: str | None, names: list[str] | None, rows: list[list[str]]
) -> int:
    """The index of the requested column; the error lists the columns."""
    width = len(rows[0])
    listed = f"{_count(width, 'column')} without a header; the first row is {_quote_row(rows[0])}"
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
    number = parse_count(column)
    if number is not None and 1 <= number <= width:
        return number - 1
    raise DatasetError(
        f"{path} has no column {brief_repr(column)}{nearest(column, stripped)}: it has {listed}; "
        f"use a name or a number from 1 to {width}"
    )


def _quote_row(cells: list[str]) -> str:
    text = ", ".join(cells)
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _nonblank_rows(path: Path, report: ReadReport) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of each row that is not blank, and report the number of blank ones."""
    delimiter = DELIMITERS.get(path.suffix.lower(), ",")
    reader = csv.reader(_lines(path, report), delimiter=delimiter, strict=True)
    blank = 0
    while True:
        start = reader.line_num + 1
        try:
            cells = _next_row(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise DatasetError(_csv_error(path, start, reader.line_num, str(error))) from None
        if any(cell.strip() for cell in cells):
            yield start, cells
        else:
            blank += 1
    if blank:
        report.add(path, f"skipped {_count(blank, 'blank row')}")


def _csv_error(path: Path, start: int, line: int, problem: str) -> str:
    """The message for an error of Python's csv module in the row that starts at line `start`."""
    if "unexpected end" in problem:
        return f"{path}, line {start}: a quote in this row is never closed: close it"
    if "field limit" in problem:
        return (
            f"{path}, line {start}: a field in this row has more than {MAX_FIELD_CHARS:,} "
            "characters: is a quote never closed?"
        )
    if "expected after" in problem:
        row = f" (its row starts at line {start}: is a quote there never closed?)"
        return (
            f"{path}, line {line}: text after a closing quote{row * (line > start)}: write a "
            'quote inside a quoted field as "", or save the texts as a .txt file'
        )
    return f"{path}, line {line}: not valid CSV: {problem}"


def _lines(path: Path, report: ReadReport) -> Iterator[str]:
    r"""Yield lines with their newline. Only `\n` ends a line; other Unicode line ends are text."""
    rest, number = "", 1
    for chunk in read_text(path, report):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            yield line + "\n"
        number += len(lines)
        if len(rest) > MAX_FIELD_CHARS:
            raise DatasetError(
                f"{path}, line {number} is longer than {MAX_FIELD_CHARS:,} characters: is this a "
                "CSV file? Rename it to .txt to train on it as text"
            )
    if rest:
        yield rest


def _next_row(reader: Iterator[list[str]]) -> list[str]:
    # The limit is global to the process, so it is raised only while a row is read.
    limit = csv.field_size_limit(MAX_FIELD_CHARS)
    try:
        return next(reader)
    finally:
        csv.field_size_limit(limit)
