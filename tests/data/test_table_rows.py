"""The rows of tables: quotes, and quoted fields that contain separators and newlines."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2_helpers.data.table_rows import RowError, TableRows, sample_rows


def rows(text: str, separator: str = "\t") -> list[list[str]]:
    return [row.cells for row in TableRows(io.StringIO(text), separator)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Each line is a row, and a quote is an ordinary character ...
        (
            'title\tyear\n"Hello\t1999\nSecond film\t2000\nThird"\t2001\nFourth\t2002\n',
            [
                ["title", "year"],
                ['"Hello', "1999"],
                ["Second film", "2000"],
                ['Third"', "2001"],
                ["Fourth", "2002"],
            ],
        ),
        ('a\tb\n"Odd Al" live\t1\n', [["a", "b"], ['"Odd Al" live', "1"]]),
        ('a\tb\n5" disk\t1\nsay "hi"\t2\n', [["a", "b"], ['5" disk', "1"], ['say "hi"', "2"]]),
        ('a\tb\n1\t"never closed\n2\tx\n', [["a", "b"], ["1", '"never closed'], ["2", "x"]]),
        ('a\tb\n1\t"last', [["a", "b"], ["1", '"last']]),
        ('title\n"Hello\nSecond\nThird"\n', [["title"], ['"Hello'], ["Second"], ['Third"']]),
        ('"a" or "b"\n"c"d"\n', [['"a" or "b"'], ['"c"d"']]),
        ('"\n""\n"""\n', [['"'], ['"""']]),
        # ... unless the whole field is quoted.
        ('a\tb\n"Hello, world"\t1\n', [["a", "b"], ["Hello, world", "1"]]),
        ('a\tb\n"He said ""hi"""\t1\n', [["a", "b"], ['He said "hi"', "1"]]),
        ('a\tb\n"with\ttab"\t1\n', [["a", "b"], ["with\ttab", "1"]]),
        ('a\tb\n"two\nlines"\t1\nx\t2\n', [["a", "b"], ["two\nlines", "1"], ["x", "2"]]),
        ('a\tb\n1\t"two\n\nlines"\n2\tx\n', [["a", "b"], ["1", "two\n\nlines"], ["2", "x"]]),
        ('a\tb\n1\t"one\ntwo ""x""\nthree"\n', [["a", "b"], ["1", 'one\ntwo "x"\nthree']]),
        ('title\n"She said ""yes""\nand left"\n', [["title"], ['She said "yes"\nand left']]),
        ('"one\ntwo"\t1\n"three"\t2\n', [["one\ntwo", "1"], ["three", "2"]]),
        ('a\tb\n"1\n2"\t"3\n4"\n5\t6\n', [["a", "b"], ["1\n2", "3\n4"], ["5", "6"]]),
        ('a\tb\n"1\n2"\t"3\n5\t6\n', [["a", "b"], ["1\n2", '"3'], ["5", "6"]]),
    ],
)
def test_quotes_between_tabs(text: str, expected: list[list[str]]) -> None:
    assert rows(text) == expected


def test_unclosed_quotes_and_blank_rows_are_counted() -> None:
    table = TableRows(io.StringIO('a\tb\n\n"x\t1\n \t\ny\t"2\n"z"\t3\n'), "\t")
    assert [row.line for row in table] == [1, 3, 5, 6]
    assert (table.unclosed, table.blank) == (2, 2)


CELL = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(st.integers(0, 99).map(str), CELL | st.sampled_from(['"', '""', "\t"]))))
def test_tables_that_the_csv_module_wrote_with_tabs_are_read_back(
    pairs: list[tuple[str, str]],
) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter="\t", lineterminator="\n").writerows([("id", "text"), *pairs])
    assert rows(written.getvalue()) == [["id", "text"], *map(list, pairs)]


@given(st.lists(CELL.filter(lambda cell: "\t" not in cell and "\n" not in cell)))
def test_each_line_without_quoted_fields_is_a_row(cells: list[str]) -> None:
    plain = [f"{cell}." for cell in cells]  # a field that ends in a point is not quoted
    text = "".join(f"{cell}\t1\n" for cell in plain)
    assert rows(text) == [[cell, "1"] for cell in plain]


def test_the_search_for_the_end_of_a_quote_is_linear() -> None:
    line = '1\t"open\n'
    table = "id\ttext\n" + line * 20_000 + "one column\n"
    assert len(rows(table)) == 20_002


@pytest.mark.parametrize("separator", [",", ";", "|"])
def test_other_separators_are_read_strictly(separator: str) -> None:
    text = f'a{separator}b\n"x{separator}""y""\nz"{separator}1\n'
    assert rows(text, separator) == [["a", "b"], [f'x{separator}"y"\nz', "1"]]
    with pytest.raises(RowError, match="line 2: a quote in this row is never closed"):
        rows(f'a{separator}b\n"x{separator}1\n', separator)
    with pytest.raises(RowError, match="line 2: text after a closing quote"):
        rows(f'a{separator}b\n"x" y{separator}1\n', separator)


def test_a_sample_ends_before_an_error_or_a_row_that_is_cut_off() -> None:
    lines = ["a,b\n", "1,2\n", '"x" y,3\n', "4,5\n"]
    assert sample_rows(lines, ",", is_complete=True) == [["a", "b"], ["1", "2"]]
    assert sample_rows(lines[:2], ",", is_complete=False) == [["a", "b"]]
    assert sample_rows(lines[:2], ",", is_complete=True) == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize(
    "line",
    [
        '"a\tb"',  # closed, but with too few columns
        '"a\tb',
        'a\t"b""',
        'a"\t"b',  # closes the field of the line before, and opens another
        '"\t"\t"\t"',
    ],
)
def test_a_large_table_of_misplaced_quotes_is_read_once(line: str) -> None:
    # An algorithm that starts over at each line would take hours.
    table = TableRows(("a\tb\tc\n", *(f"{line}\n" for _ in range(100_000))), "\t")
    assert sum(len(row.cells) for row in table) >= 3
