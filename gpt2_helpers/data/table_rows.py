r"""Rows of tables: splits lines at a separator, and removes the quotes around fields.

CSV is read as in RFC 4180, strictly: fields may be quoted, and quoted fields may contain
separators, newlines and doubled quotes. Input that a lenient reader would change or drop raises an
error with the line number.

In a table separated by tabs each line is a row, and a quote is an ordinary character, unless the
whole field is quoted as Excel and pandas do, with doubled quotes inside. Such a field may contain
tabs and newlines.
"""

from __future__ import annotations

import csv
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import regex

MAX_FIELD_CHARS = 1 << 24  # Python's own limit of 131,072 is shorter than a book chapter

_WHOLE_FIELD = regex.compile(r'"((?:[^"]++|"")*+)"(?=\t|\Z)')
_QUOTED = regex.compile(
    r'"((?:[^"]++|"")*+)("?)'
)  # the second quote is missing if it is not closed
_PAIRED = regex.compile(r'(?:[^"]++|"")*+')


class Row(NamedTuple):
    """One row: the number of its first line, and its fields."""

    line: int
    cells: list[str]


class RowError(Exception):
    """A row that cannot be split; the message says where and why."""


class TableRows:
    """Iterates over the rows of a table, without blank lines.

    Args:
        lines: The lines with their newlines.
        separator: The character between two fields.
        first_line: Number of the first line.

    Attributes:
        blank: Number of blank rows so far.
        unclosed: Number of rows so far in which a quote that opens a field is an ordinary character
            because it is never closed.
    """

    def __init__(self, lines: Iterable[str], separator: str, first_line: int = 1) -> None:
        self.blank = self.unclosed = 0
        self._first_line = first_line
        read = self._tab_separated if separator == "\t" else self._comma_separated
        self._rows = read(lines, separator)

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            if any(cell.strip() for cell in row.cells):
                yield row
            else:
                self.blank += 1

    def _comma_separated(self, lines: Iterable[str], separator: str) -> Iterator[Row]:
        reader = csv.reader(lines, delimiter=separator, strict=True)
        while True:
            start = self._first_line + reader.line_num
            try:
                cells = _next_row(reader)
            except StopIteration:
                return
            except csv.Error as error:
                line = self._first_line - 1 + reader.line_num
                raise RowError(_csv_error(start, line, str(error))) from None
            yield Row(start, cells)

    def _tab_separated(self, lines: Iterable[str], _separator: str) -> Iterator[Row]:
        ahead = _Lookahead(lines, self._first_line)
        width: int | None = None
        while (line := ahead.next_line()) is not None:
            number, text = ahead.number, line.removesuffix("\n")
            cells, is_open = _split_at_tabs(text)
            if width is None or len(cells) != width:
                # A quoted field with a tab in it.
                joined = _unquote(text) if width is not None else None
                if joined is not None and len(joined) == width:
                    cells, is_open = joined, False
            if is_open and not self._is_literal(text, cells, width, ahead):
                longer = self._join(text, width, ahead)
                cells, is_open = longer or cells, longer is None
            self.unclosed += is_open
            if width is None and text.strip():
                width = len(cells)
            yield Row(number, cells)

    def _is_literal(
        self, text: str, cells: list[str], width: int | None, ahead: _Lookahead
    ) -> bool:
        """Whether a line whose quote is not closed is a row, not the start of a quoted field.

        It is one if it and the next line have the right number of columns as they are. In a table
        with one column that is always so, and only doubled quotes show that the field is quoted.
        """
        following = ahead.peek()
        columns = None if following is None else len(_split_at_tabs(following)[0])
        width = columns if width is None else width
        if width is None:
            return True
        if width == 1:
            return '""' not in text.strip('"')
        return len(cells) == width and columns in (None, width)

    def _join(self, text: str, width: int | None, ahead: _Lookahead) -> list[str] | None:
        """The fields of a row over several lines, or None if its quote is never closed."""
        row = _QuotedRow(text)
        taken: list[str] = []
        fallback: tuple[list[str], int] | None = None  # fields, and number of lines taken
        size = len(text)
        while row.is_open and (line := ahead.next_line()) is not None:
            taken.append(line.removesuffix("\n"))
            size += len(line)
            row.add(taken[-1])
            if size > MAX_FIELD_CHARS or (width is not None and len(row.cells) > width):
                break
            # The last field may be a single line with a quote that is never closed.
            if fallback is None and (cells := row.with_literal_end()) and len(cells) == width:
                fallback = cells, len(taken)
        else:
            if row.is_complete and width in (None, len(row.cells)):
                return row.cells
        cells, used = fallback or (None, 0)
        ahead.put_back(taken[used:])
        return cells


class _QuotedRow:
    """A row over several lines. Each line is parsed once, since a file of unclosed quotes may have
    very many.

    Attributes:
        cells: The fields that are complete.
        is_complete: Whether all are.
        is_open: Whether the last field is quoted and not closed yet. If it is neither open nor
            complete, a newline is outside of quotes: this is not one row.
    """

    def __init__(self, text: str) -> None:
        self.cells: list[str] = []
        self.is_complete = self.is_open = False
        self._open: list[str] = []  # the lines of the field that is not closed
        self._parse(text)

    def add(self, line: str) -> None:
        """Add a line to a row that is open."""
        self._open.append(line)
        paired = _PAIRED.match(line)
        if paired is None or paired.end() < len(line):
            self._parse("\n".join(self._open))

    def with_literal_end(self) -> list[str] | None:
        """The fields if the open one is a single line in which the quote is text."""
        if self.is_open and len(self._open) == 1 and "\n" not in self._open[0]:
            return [*self.cells, *self._open[0].split("\t")]
        return None

    def _parse(self, text: str) -> None:
        """Parse the text from the start of the open field."""
        self._open, self.is_open, position = [], False, 0
        while True:
            match = _QUOTED.match(text, position)
            if match and not match[2]:
                self._open, self.is_open = [text[position:]], True
                return
            if match and text[match.end() : match.end() + 1] in ("", "\t"):
                self.cells.append(match[1].replace('""', '"'))
                end = match.end()
            else:
                end = text.find("\t", position)
                end = len(text) if end < 0 else end
                if "\n" in text[position:end]:
                    return
                self.cells.append(text[position:end])
            if end == len(text):
                self.is_complete = True
                return
            position = end + 1


class _Lookahead:
    """Lines that can be looked at before they are read, and put back. `number` is that of the last
    line read."""

    def __init__(self, lines: Iterable[str], first_line: int) -> None:
        self._lines, self._waiting = iter(lines), deque[str]()
        self.number = first_line - 1

    def next_line(self) -> str | None:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        self.number += line is not None
        return line

    def peek(self) -> str | None:
        """The next line that is not blank, without its newline."""
        for line in self._waiting:
            if line.strip():
                return line.removesuffix("\n")
        for line in self._lines:
            self._waiting.append(line)
            if line.strip():
                return line.removesuffix("\n")
        return None

    def put_back(self, lines: list[str]) -> None:
        self._waiting.extendleft(line + "\n" for line in reversed(lines))
        self.number -= len(lines)


def _split_at_tabs(text: str) -> tuple[list[str], bool]:
    """The fields of a line, each unquoted if all of it is quoted, and whether one is left open."""
    fields = text.split("\t")
    is_open = False
    if '"' in text:
        for index, field in enumerate(fields):
            if match := _WHOLE_FIELD.fullmatch(field):
                fields[index] = match[1].replace('""', '"')
            elif field.startswith('"') and field.count('"') % 2:
                is_open = True
    return fields, is_open


def _unquote(text: str) -> list[str] | None:
    """The fields of a row in which quoted fields may contain tabs and newlines; None if it is not
    such a row."""
    cells, position = [], 0
    while True:
        if match := _WHOLE_FIELD.match(text, position):
            cells.append(match[1].replace('""', '"'))
            end = match.end()
        else:
            end = text.find("\t", position)
            end = len(text) if end < 0 else end
            field = text[position:end]
            if "\n" in field:
                return None
            cells.append(field)
        if end == len(text):
            return cells
        position = end + 1


def _next_row(reader: Iterator[list[str]]) -> list[str]:
    # The limit is global to the process, so it is raised only while a row is read.
    limit = csv.field_size_limit(MAX_FIELD_CHARS)
    try:
        return next(reader)
    finally:
        csv.field_size_limit(limit)


def _csv_error(start: int, line: int, problem: str) -> str:
    """The message for an error of Python's csv module in the row that starts at line `start`."""
    if "unexpected end" in problem:
        return f"line {start}: a quote in this row is never closed: close it"
    if "field limit" in problem:
        return (
            f"line {start}: a field in this row has more than {MAX_FIELD_CHARS:,} characters: is a "
            "quote never closed?"
        )
    if "expected after" in problem:
        row = f" (its row starts at line {start}: is a quote there never closed?)"
        return (
            f"line {line}: text after a closing quote{row * (line > start)}: write a quote inside "
            'a quoted field as "", or save the texts as a .txt file'
        )
    return f"line {line}: not valid CSV: {problem}"


def sample_rows(lines: list[str], separator: str, is_complete: bool) -> list[list[str]]:
    """The fields of the first rows, up to the first that cannot be split.

    Args:
        lines: The first lines of a table.
        separator: The character between two fields.
        is_complete: Whether these are all lines; otherwise the last row may be cut off.
    """
    rows: list[list[str]] = []
    try:
        for row in itertools.islice(TableRows(lines, separator), len(lines)):
            rows.append(row.cells)
    except RowError:
        return rows
    return rows if is_complete or len(rows) < 2 else rows[:-1]
