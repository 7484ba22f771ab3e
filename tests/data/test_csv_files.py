"""CSV and TSV files: quoting, headers, columns, and errors with line numbers."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from gpt2_helpers.data import csv_files
from gpt2_helpers.data.csv_files import column_lengths, looks_like_header, read_column
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


SENTENCES = [["What is it?"], ["Who ate the last of my biscuits?"], ["Why?"]]


@pytest.mark.parametrize(
    ("first", "below", "expected"),
    [
        (["title"], SENTENCES, True),
        (["Title"], SENTENCES, True),
        ([" Tweet text "], SENTENCES, True),
        (["title"], [], True),
        (["pokemon_name"], [["Bulbasaur"], ["Mr. Mime"]], True),
        (["limerick"], SENTENCES, True),
        (["заголовок"], [["Все счастливые семьи."], ["Дети бегали."]], True),
        (["id", "title", "score"], [["1", "What?", "12"]], True),
        (["Rating", "Review body"], [["4", "Good enough, I suppose."]], True),
        (["Unnamed: 0", "Jokes"], [["0", "A man walks into a bar."]], True),
        (["", "lines"], [["0", "A man walks into a bar."]], True),
        (["Who invented toast?"], SENTENCES, False),
        (["Tell me a joke"], SENTENCES, False),
        (["Love story"], SENTENCES, False),
        (["Help"], SENTENCES, False),
        (["red"], [["green"], ["blue"], ["light grey"]], False),
        (["1"], [["2"], ["3"]], False),
        (["1", "What is it?"], [["2", "Who was that?"]], False),
        (["text", "text"], [["one", "two"]], False),
        (["A long first line of a poem without a header"], SENTENCES, False),
        # At most four words and 40 characters:
        (["title text title text"], SENTENCES, True),
        (["title text title text title"], SENTENCES, False),
        (["n" * 40], SENTENCES, True),
        (["n" * 41], SENTENCES, False),
        # An identifier is a name if most, not half, of the cells below are none:
        (["limerick"], [["There was an old man"], ["sonnet"]], False),
        (["limerick"], [["There was an old man"], ["sonnet"], ["Why?"]], True),
        # Any other name needs numbers in all cells below that are not empty, and at least one:
        (["Stars"], [["4"], [" "], ["5"]], True),
        (["Stars"], [["4"], ["five"]], False),
        (["Stars"], [["four"], ["5"]], False),
        (["Stars"], [[""]], False),
        (["Stars"], [], False),
        # All cells must be names:
        (["title", "What is it?"], [["a", "b"]], False),
        ([""], SENTENCES, False),
        ([" ", ""], SENTENCES, False),
    ],
)
def test_headers_are_distinguished_from_texts(
    first: list[str], below: list[list[str]], expected: bool
) -> None:
    assert looks_like_header(first, below) is expected


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
    assert rows_and_notes(write(tmp_path, "title\none\n"), header=False)[0] == ["title", "one"]


MANY = 'id,title,score\n1,"What, me?",10\n2,Who?,20\n'


@pytest.mark.parametrize("column", ["title", "2", " title "])
def test_a_column_is_given_by_name_or_number(tmp_path: Path, column: str) -> None:
    rows, notes = rows_and_notes(write(tmp_path, MANY), column)
    assert rows == ["What, me?", "Who?"]
    assert "reading column 2, 'title'" in notes


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
    assert "skipped 1 row with an empty column" in notes
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
    monkeypatch.setattr(csv_files, "MAX_FIELD_CHARS", 100_000)
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


def test_a_possible_other_delimiter_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path, "title;score\nWhat is it?;3\nWho was it?;4\n")
    assert "save the file as .tsv" in rows_and_notes(path)[1]


def test_column_lengths_name_the_columns(tmp_path: Path) -> None:
    assert column_lengths(write(tmp_path, MANY)) == {"id": 2, "title": 13, "score": 4}
    assert list(column_lengths(write(tmp_path, "Why is that?,30\nWho knows?,4\n"))) == ["1", "2"]
    unusable = write(tmp_path, ",title,title,7\n0,a,b,c\n")
    assert list(column_lengths(unusable)) == ["1", "2", "3", "4"]
    assert column_lengths(write(tmp_path, "\n")) == {}
