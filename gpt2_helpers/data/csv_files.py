"""CSV and TSV files: finds the separator, the header and the column, and reads its texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from gpt2_helpers.data.compression import data_name
from gpt2_helpers.data.record_texts import MARKS, Fields, count, keep_texts
from gpt2_helpers.data.separators import Separator, detect_separator, expected_separator
from gpt2_helpers.data.table_header import looks_like_header
from gpt2_helpers.data.table_rows import MAX_FIELD_CHARS, Row, RowError, TableRows
from gpt2_helpers.data.text_files import ReadReport, read_text
from gpt2_helpers.errors import DatasetError, brief_repr, listed, nearest
from gpt2_helpers.system.bounded_files import parse_count

_SAMPLE_ROWS = 100  # rows used to detect a header and to compare columns
_SAMPLE_LINES, _SAMPLE_CHARS = 200, 1 << 20  # used to detect the separator


def read_column(
    path: Path,
    report: ReadReport,
    column: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    marks: tuple[str, str] = MARKS,
) -> Iterator[str]:
    """Read the texts of one column of a CSV or TSV file, in order. Blank ones are skipped.

    Args:
        path: File to read. The separator is detected, see `detect_separator`.
        report: Receives what was detected: the separator, the header, the column, the rows skipped.
        column: Name of the column, or its number from 1. Optional if there is only one column.
        header: Whether the first row is a header. Default: detected, see `looks_like_header`.
        encoding: See `read_text`.
        marks: The start and end that will be put around each text. Texts that have them already
            are returned without.

    Yields:
        The text of each row.

    Raises:
        DatasetError: A quote is never closed, a row has a different number of columns, or
            `column` is missing, unknown or required.

    Example:
        titles = list(read_column(Path("titles.csv"), ReadReport(), column="title"))
    """
    fields = read_table(path, report, (column,), header, encoding)
    for (text,) in keep_texts(fields, path, report, marks):
        yield text


def read_table(
    path: Path,
    report: ReadReport,
    columns: tuple[str | None, ...],
    header: bool | None = None,
    encoding: str | None = None,
) -> Iterator[Fields]:
    """Yield the cells of several columns of each row, see `read_column`."""
    table = _Table(path, report, encoding)
    rows = iter(table)
    sample = list(itertools.islice(rows, _SAMPLE_ROWS))
    if not sample:
        report.add(path, "no rows")
        return
    width = len(sample[0].cells)
    for row in sample:
        table.check_width(row, width)
    header, indexes = table.detect_layout([row.cells for row in sample], columns, header)
    empty = True
    for row in itertools.chain(sample[int(header) :], rows):
        table.check_width(row, width)
        fields = tuple(row.cells[index] for index in indexes)
        empty = empty and not fields[-1].strip()
        yield fields
    if empty:
        report.add(path, "a header but no texts" if header else "no texts")


def column_lengths(path: Path, encoding: str | None = None) -> dict[str, int]:
    """Return the possible values of `column`, each with its number of characters in a sample.

    The longest column is probably the text. Columns are named by the header if there is one, and
    otherwise numbered from 1.
    """
    sampled = itertools.islice(_Table(path, ReadReport(), encoding), _SAMPLE_ROWS)
    rows = [row.cells for row in sampled]
    if not rows:
        return {}
    names = [cell.strip() for cell in rows[0]] if looks_like_header(rows[0], rows[1:]) else []
    found = {}
    for index in range(len(rows[0])):
        name = names[index] if names else ""
        length = sum(len(cells[index]) for cells in rows[1:] or rows if index < len(cells))
        found[name or str(index + 1)] = length
    return found


class _Table:
    """The rows of a file that are not blank, and its columns."""

    def __init__(self, path: Path, report: ReadReport, encoding: str | None) -> None:
        self._path, self._report = path, report
        self._lines = _lines(path, report, encoding)
        self._expected = expected_separator(data_name(path).suffix)
        self._separator = Separator(self._expected)

    def __iter__(self) -> Iterator[Row]:
        first: list[str] = []
        size = 0
        for line in self._lines:
            first.append(line)
            size += len(line)
            if len(first) >= _SAMPLE_LINES or size >= _SAMPLE_CHARS:
                break
        else:
            size = 0
        self._separator = detect_separator(first, self._expected, is_complete=not size)
        if self._separator.character != self._expected:
            self._report.add(self._path, f"columns are separated by {self._separator.name}")
        skipped = int(self._separator.is_declared)
        lines = itertools.chain(first[skipped:], self._lines)
        rows = TableRows(lines, self._separator.character, 1 + skipped)
        try:
            yield from rows
        except RowError as error:
            raise DatasetError(f"{self._path}, {error}") from None
        if rows.blank:
            self._report.add(self._path, f"skipped {count(rows.blank, 'blank row')}")
        if rows.unclosed:
            self._report.add(
                self._path,
                f"a quote is not closed in {count(rows.unclosed, 'row')}: each line is read as "
                "one row and the quote as text",
            )

    def check_width(self, row: Row, width: int) -> None:
        """Raise DatasetError unless a row has `width` columns."""
        if len(row.cells) == width:
            return
        separator = self._separator
        remedy = f"put texts that contain the separator ({separator.character!r}) in quotes"
        if separator.character == "\t":
            remedy = "replace tabs inside the texts by spaces"
        raise DatasetError(
            f"{self._path}, line {row.line}: {count(len(row.cells), 'column')}, but the first row "
            f"has {width}: {remedy}, or save the texts as a .txt file, one per line"
        )

    def detect_layout(
        self, rows: list[list[str]], columns: tuple[str | None, ...], header: bool | None
    ) -> tuple[bool, list[int]]:
        """Whether the first row is a header, and the indexes of the columns; both are reported."""
        path, report = self._path, self._report
        first, others = rows[0], rows[1:]
        is_named = any(
            column is not None and column in first and not column.isdigit() for column in columns
        )
        detected = is_named or looks_like_header(first, others)
        if header is None:
            header = detected
            kind = "the header" if header else "text, not as a header such as `text` or `title`"
            report.add(path, f"the first row, {_quote_row(first)}, is read as {kind}")
        elif header and not detected:
            report.add(
                path,
                f"skipped the first row, {_quote_row(first)}, as the header (see header=False)",
            )
        names = first if header else None
        texts = others if header and others else rows
        indexes = [self._column_index(column, names, texts) for column in columns]
        for index in indexes if len(first) > 1 else ():
            name = f", {brief_repr(first[index])}" if header else ""
            report.add(path, f"reading column {index + 1}{name}")
        return header, indexes

    def _column_index(
        self, column: str | None, names: list[str] | None, rows: list[list[str]]
    ) -> int:
        """The index of the requested column; the error lists the columns."""
        width = len(rows[0])
        columns = count(width, "column")
        if width > 1 and self._separator.character != self._expected:
            columns += f" separated by {self._separator.name}"
        found = f"{columns} without a header; the first row is {_quote_row(rows[0])}"
        if names is not None:
            found = f"{columns} ({listed(name or 'unnamed' for name in names)})"
        if column is None:
            if width == 1:
                return 0
            longest = max(range(width), key=lambda index: sum(len(row[index]) for row in rows))
            example = names[longest] if names and names[longest].strip() else str(longest + 1)
            raise DatasetError(
                f"{self._path} has {found}: name the one to train on, such as "
                f"column={brief_repr(example)}"
            )
        stripped = [name.strip() for name in names or []]
        if column.strip() in stripped:
            return stripped.index(column.strip())
        number = parse_count(column)
        if number is not None and 1 <= number <= width:
            return number - 1
        raise DatasetError(
            f"{self._path} has no column {brief_repr(column)}{nearest(column, stripped)}: "
            f"it has {found}; use a name or a number from 1 to {width}"
        )


def _quote_row(cells: list[str]) -> str:
    text = ", ".join(cells)
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _lines(path: Path, report: ReadReport, encoding: str | None) -> Iterator[str]:
    r"""Yield lines with their newline. Only `\n` ends a line; other Unicode line ends are text."""
    rest, number = "", 1
    for chunk in read_text(path, report, encoding):
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
