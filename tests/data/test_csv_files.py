"""CSV and TSV files: quoting, headers, columns, and errors with line numbers."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from gpt2_helpers.data import csv_files, table_rows
from gpt2_helpers.data.csv_files import column_lengths, read_column, read_table
from gpt2_helpers.data.separators import Separator
from gpt2_helpers.data.text_files import ReadReport
from gpt2_helpers.errors import DatasetError


def write(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def rows_and_notes(
    path: Path, column: str | None = None, header: bool | None = None
) -> tuple[list[str], str]:
    report = ReadReport()
    return list(read_column(path, report, column, header)), "; ".join(report.notes())


def test_fields_may_contain_quotes_commas_and_newlines(tmp_path: Path) -> None:
    path = write(
        tmp_path, 'title\r\n"Hello, world"\r\nHe said "hi"\r\n"two\r\nlines, ""quoted"""\r\nlast'
    )
    rows, _ = rows_and_notes(path)
    assert rows == ["Hello, world", 'He said "hi"', 'two\nlines, "quoted"', "last"]


def test_only_a_newline_ends_a_row(tmp_path: Path) -> None:
    path = write(tmp_path, "title\none\x0b\x0c\x1c\x85\u2028still one\ntwo\n")
    assert rows_and_notes(path)[0] == ["one\x0b\x0c\x1c\x85\u2028still one", "two"]


def test_tsv_columns_are_separated_by_tabs(tmp_path: Path) -> None:
    path = write(tmp_path, "id\ttitle\n1\tone, two\n2\tthree\n", "a.TSV")
    assert rows_and_notes(path, "title")[0] == ["one, two", "three"]


def test_the_detected_header_is_reported(tmp_path: Path) -> None:
    rows, notes = rows_and_notes(write(tmp_path, "title\nWhat is it?\n"))
    assert rows == ["What is it?"]
    assert "the first row, 'title', is read as the header" in notes
    rows, notes = rows_and_notes(write(tmp_path, "Who is it?\nWhat is it?\n"))
    assert rows == ["Who is it?", "What is it?"]
    assert "the first row, 'Who is it?', is read as text" in notes


def test_the_header_can_be_forced_or_excluded(tmp_path: Path) -> None:
    path = write(tmp_path, "Who is it?\nWhat is it?\n")
    rows, notes = rows_and_notes(path, header=True)
    assert rows == ["What is it?"]
    assert "skipped the first row, 'Who is it?', as the header" in notes
    assert "no texts" not in notes
    assert rows_and_notes(path, header=False) == (["Who is it?", "What is it?"], "")
    path = write(tmp_path, "title\none\n")
    assert rows_and_notes(path, header=False) == (["title", "one"], "")
    assert rows_and_notes(path, header=True) == (["one"], "")


MANY = 'id,title,score\n1,"What, me?",10\n2,Who?,20\n'


@pytest.mark.parametrize("column", ["title", "2", " title "])
def test_a_column_is_given_by_name_or_number(tmp_path: Path, column: str) -> None:
    rows, notes = rows_and_notes(write(tmp_path, MANY), column)
    assert rows == ["What, me?", "Who?"]
    assert "reading column 2, 'title'" in notes
    assert rows_and_notes(write(tmp_path, MANY), "1")[0] == ["1", "2"]
    assert rows_and_notes(write(tmp_path, MANY), "3")[0] == ["10", "20"]


def test_the_column_that_is_read_is_reported_if_there_are_several(tmp_path: Path) -> None:
    assert "reading column 2" in rows_and_notes(write(tmp_path, "id,title\n1,one\n"), "title")[1]
    assert "reading column" not in rows_and_notes(write(tmp_path, "title\none\n"))[1]


def test_a_number_makes_no_header_of_the_first_row(tmp_path: Path) -> None:
    path = write(tmp_path, "1,What is it?\n2,Who?\n")
    assert rows_and_notes(path, "2")[0] == ["What is it?", "Who?"]


def test_all_rows_below_decide_whether_the_first_is_a_header(tmp_path: Path) -> None:
    rows, _ = rows_and_notes(write(tmp_path, "limerick\nThere was an old man\n"))
    assert rows == ["There was an old man"]
    rows, _ = rows_and_notes(write(tmp_path, "limerick\nsonnet\nThere was an old man\n"))
    assert rows == ["limerick", "sonnet", "There was an old man"]


def test_a_long_first_row_is_shortened_in_notes(tmp_path: Path) -> None:
    for length, shown in ((60, "w" * 60), (61, "w" * 59 + "…")):
        path = write(tmp_path, "w" * length + "\nWhat is it?\n")
        assert f"the first row, '{shown}', is read as text" in rows_and_notes(path)[1]


def test_a_column_name_in_the_first_row_makes_it_the_header(tmp_path: Path) -> None:
    path = write(tmp_path, "What they said,Who said it\nHello there,Ann\nBye now,Bob\n")
    assert rows_and_notes(path, "What they said")[0] == ["Hello there", "Bye now"]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (MANY, None, "has 3 columns (id, title, score): name the one to train on, such as "),
        (MANY, None, "column='title'"),
        (MANY, "titel", "no column 'titel' (did you mean 'title'?): it has 3 columns (id,"),
        (MANY, "4", "a number from 1 to 3"),
        (MANY, "0", "a number from 1 to 3"),
        (
            "1,What is it?\n2,Who?\n",
            None,
            "2 columns without a header; the first row is '1, What is",
        ),
        ("1,What is it?\n2,Who?\n", None, "column='2'"),
        ("1,What is it?\n2,Who?\n", "title", "no column 'title'"),
        ("a,\nb,\n", None, "2 columns"),
    ],
)
def test_the_error_lists_the_columns(
    tmp_path: Path, text: str, column: str | None, message: str
) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)):
        rows_and_notes(write(tmp_path, text), column)


def test_the_index_column_of_pandas_is_unnamed(tmp_path: Path) -> None:
    path = write(tmp_path, ",lyrics\n0,La la la\n1,Oh no\n")
    with pytest.raises(DatasetError, match=re.escape("2 columns (unnamed, lyrics)")):
        rows_and_notes(path)
    assert rows_and_notes(path, "lyrics")[0] == ["La la la", "Oh no"]


def test_blank_rows_are_skipped_and_reported(tmp_path: Path) -> None:
    path = write(tmp_path, '\ntitle\none\n\n  \n"\n"\ntwo\n\n')
    rows, notes = rows_and_notes(path)
    assert rows == ["one", "two"]
    assert "skipped 5 blank rows" in notes
    rows, notes = rows_and_notes(write(tmp_path, "id,title\n1,one\n2, \n,\n3,two\n"), "title")
    assert rows == ["one", "two"]
    assert "skipped 1 row with an empty text" in notes
    assert "skipped 1 blank row" in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('title\none\n"two\nthree\nfour\n', ", line 3: a quote in this row is never closed"),
        (
            'title\none\n"two\nthree\n"four"\n',
            ", line 5: text after a closing quote (its row",
        ),
        ('title\none\n"two\nthree\n"four"\n', "starts at line 3"),
        ('title\n"Hello," he said\n', ", line 2: text after a closing quote: write"),
        ("title\none\ntwo, three\nfour\n", ", line 3: 2 columns, but the first row has 1"),
        ("one, two\nthree\n", ", line 2: 1 column, but the first row has 2"),
        ("title\n" + "x\n" * 500 + "one, two\n", ", line 502: 2 columns"),
        ('title\n"a\nb"\none, two\n', ", line 4: 2 columns"),
        ("title\none\nt\0wo\n", ", line 3: contains a NUL byte"),
    ],
)
def test_invalid_csv_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)):
        rows_and_notes(write(tmp_path, text))


def test_the_length_of_a_field_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = csv.field_size_limit()
    book = "many words\n" * 50_000  # four times Python's own limit
    rows, _ = rows_and_notes(write(tmp_path, f'text\n"{book}"\nshort\n'))
    assert rows == [book, "short"]
    for module in (csv_files, table_rows):
        monkeypatch.setattr(module, "MAX_FIELD_CHARS", 100_000)
    longest = "w" * 100_000
    assert rows_and_notes(write(tmp_path, f"text\n{longest}"))[0] == [longest]
    for unclosed in (f'text\n"{book}', "text\n" + "word " * 500_000):
        with pytest.raises(DatasetError, match=r"line 2.*100,000 characters"):
            rows_and_notes(write(tmp_path, unclosed))
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("\n\n \n", "no rows"),
        ("title\n", "a header but no texts"),
        ("title\n\n\n", "a header but no texts"),
    ],
)
def test_a_table_without_texts_is_reported(tmp_path: Path, text: str, message: str) -> None:
    rows, notes = rows_and_notes(write(tmp_path, text))
    assert rows == []
    assert message in notes


def test_column_lengths_name_the_columns(tmp_path: Path) -> None:
    assert column_lengths(write(tmp_path, MANY)) == {"id": 2, "title": 13, "score": 4}
    assert list(column_lengths(write(tmp_path, "Why is that?,30\nWho knows?,4\n"))) == ["1", "2"]
    unusable = write(tmp_path, ",title,title,7\n0,a,b,c\n")
    assert list(column_lengths(unusable)) == ["1", "2", "3", "4"]
    assert column_lengths(write(tmp_path, ",title\n0,one\n")) == {"1": 1, "title": 3}
    ragged = write(tmp_path, "id,title\n1\n2,one,more\n")
    assert column_lengths(ragged) == {"id": 2, "title": 3}
    assert column_lengths(write(tmp_path, "\n")) == {}


def test_columns_separated_by_semicolons_are_read_and_reported(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufefftitle;score\r\n"Why; so blue?";12\r\nOne, two;7\r\n')
    rows, notes = rows_and_notes(path, "title")
    assert rows == ["Why; so blue?", "One, two"]
    assert "columns are separated by semicolons" in notes
    with pytest.raises(DatasetError, match=r"2 columns separated by semicolons \(title, score\)"):
        rows_and_notes(path)
    assert column_lengths(path) == {"title": 21, "score": 3}


def test_the_line_that_declares_the_separator_is_no_row(tmp_path: Path) -> None:
    path = write(tmp_path, "sep=;\ntitle;score\nOne, two;7\nThree;4;5\n")
    with pytest.raises(DatasetError, match=r"line 4: 3 columns, but .*separator \(';'\) in quotes"):
        rows_and_notes(path, "title")
    path = write(tmp_path, 'sep=,\ntitle\n"One, two"\n')
    assert rows_and_notes(path)[0] == ["One, two"]
    path = write(tmp_path, "sep=;\ntitle\none\n")
    with pytest.raises(DatasetError, match=r"it has 1 column \(title\)"):
        rows_and_notes(path, "text")


def test_the_separator_is_detected_by_several_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "What, me?;3\nOne, two;7\n")
    assert rows_and_notes(path, "1")[0] == ["What, me?", "One, two"]


@pytest.mark.parametrize(
    ("lines", "sampled", "is_complete"),
    [
        (["title\n"] * 199, 199, True),
        (["title\n"] * 300, 200, False),
        (["t" * (1 << 19)] * 3, 2, False),
        (["t" * ((1 << 20) - 1), "title\n", "one\n"], 2, False),
    ],
)
def test_the_first_200_lines_or_million_characters_are_enough_to_detect_the_separator(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
    sampled: int,
    is_complete: bool,
) -> None:
    seen: list[tuple[int, bool]] = []

    def detect(first: list[str], expected: str, is_complete: bool) -> Separator:
        seen.append((len(first), is_complete))
        return Separator(expected)

    monkeypatch.setattr(csv_files, "detect_separator", detect)
    monkeypatch.setattr(csv_files, "_lines", lambda *_: iter(lines))
    rows = read_column(tmp_path / "a.csv", ReadReport(), header=False)
    next(rows)
    assert seen == [(sampled, is_complete)]


def test_unclosed_quotes_in_a_tsv_are_reported(tmp_path: Path) -> None:
    path = write(tmp_path, 'title\tyear\n"Hello\t1999\nThird"\t2001\n', "a.tsv")
    rows, notes = rows_and_notes(path, "title")
    assert rows == ['"Hello', 'Third"']
    assert "a quote is not closed in 1 row: each line is read as one row" in notes
    path = write(tmp_path, "id\ttext\n1\ta\tb\n", "a.tsv")
    with pytest.raises(DatasetError, match="line 2: 3 columns.* replace tabs inside the texts"):
        rows_and_notes(path, "text")


START, END = "<|startoftext|>", "<|endoftext|>"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (f"{START}one{END}", "one"),
        (f"one{END}", "one"),
        (f"{START}one", "one"),
        (f" {START} one {END} ", " one "),
        (f"{START}{START}one{END}{END}", "one"),
        (f"one{END}two", f"one{END}two"),
        (f"one {START}", f"one {START}"),
    ],
)
def test_marks_that_a_row_has_already_are_removed_and_reported(
    tmp_path: Path, row: str, text: str
) -> None:
    path = write(tmp_path, f"text\n{row}\ntwo\n{START}{END}\n")
    rows, notes = rows_and_notes(path)
    assert rows == [text, "two"]
    assert f"row{'s' * (row != text)} had {START} or {END} already: not marked twice" in notes
    assert "skipped 1 row with an empty text" in notes


def test_the_encoding_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("tytuł,ocena\nZażółć gęślą jaźń,1\n".encode("cp1250"))
    assert list(column_lengths(path, "cp1250")) == ["tytuł", "ocena"]
    assert list(read_column(path, ReadReport(), "tytuł", encoding="cp1250")) == [
        "Zażółć gęślą jaźń"
    ]


def test_a_byte_order_mark_before_the_header_is_not_part_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufeff\ufeff"title",score\none,1\n\ufefftwo,2\n')
    rows, notes = rows_and_notes(path, "title")
    assert rows == ["one", "two"]
    assert "left out 2 byte order marks inside the text" in notes


def test_prompts_whose_completions_are_all_empty_are_reported(tmp_path: Path) -> None:
    path = write(tmp_path, "question,answer\nWhy?,\nHow?, \n")
    report = ReadReport()
    assert list(read_table(path, report, ("question", "answer"))) == [("Why?", ""), ("How?", " ")]
    assert "a header but no texts" in "; ".join(report.notes())


def test_a_table_of_very_many_columns_has_a_short_message(tmp_path: Path) -> None:
    header = ",".join(f"name_{number}" for number in range(5000))
    path = write(tmp_path, f"{header}\n" + ",".join(["x y"] * 5000) + "\n")
    for column in (None, "name"):
        with pytest.raises(DatasetError, match="name_19 and 4,980 more") as caught:
            rows_and_notes(path, column)
        assert len(str(caught.value)) < 600
