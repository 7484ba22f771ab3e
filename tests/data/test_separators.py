"""The detection of the separator of a table."""

from __future__ import annotations

import pytest

from gpt2_helpers.data.separators import detect_separator


def detected(text: str, expected: str = ",", is_complete: bool = True) -> str:
    return detect_separator(text.splitlines(keepends=True), expected, is_complete).character


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("expected", [",", "\t"])
@pytest.mark.parametrize(
    "rows",
    [
        [("title", "score"), ("What is it?", "3"), ("Who was it?", "4")],
        [("id", "text", "author"), ("1", "Why so blue?", "ann"), ("2", "", "bob"), ("3", "Oh", "")],
        [("title", "score", ""), ("What is it?", "3", "")],
        [("What is it?", "3"), ("Who was it?", "4")],
    ],
)
def test_columns_are_recognized_with_any_separator(
    rows: list[tuple[str, ...]], separator: str, expected: str
) -> None:
    assert detected("".join(separator.join(row) + "\n" for row in rows), expected) == separator


@pytest.mark.parametrize(
    ("text", "expected", "separator"),
    [
        ('"title";"score"\n"Why; so blue?";12\n', ",", ";"),
        ("title;score\nOne, two, three;1\nFour;2\n", ",", ";"),
        ("name;price;text\nA;1,5;Yes\nB;2,5;No\n", ",", ";"),
        ("Name, first;Text\nAdam, Ann;Hello\nBell, Bob;Bye\n", ",", ";"),
        ("title\nWell; I never\nOh; did you\n", ",", ","),
        ("Well; I never.\nOh; did you?\nYes; of course.\n", ",", ","),
        ("Hello, world\nGood, thanks\n", "\t", "\t"),
        ("title\nHello, world\nGood, thanks\n", "\t", "\t"),
        ("one | two\nthree | four\n", ",", ","),
        ('id,text\n1,"a; b"\n2,"c; d"\n', ",", ","),
        ("id,text\n1,too, many\n2,b\n", ",", ","),
        ("id;text\n1;too; many\n2;b\n", ",", ";"),
        ("title\n", ",", ","),
        ("", ",", ","),
        ('title\n"unclosed; quote\n', ",", ","),
    ],
)
def test_punctuation_is_not_taken_for_a_separator(text: str, expected: str, separator: str) -> None:
    assert detected(text, expected) == separator


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=; "])
def test_a_declared_separator_is_used(line: str) -> None:
    found = detect_separator([f"{line}\n", "a,b;c\n"], ",")
    assert (found.character, found.is_declared) == (";", True)
    assert detect_separator(["sep=\t\n", "a,b\n"], ",").character == "\t"
    assert detect_separator(["sep=^\n", "a^b\n"], ",").name == "'^'"


def test_a_quoted_field_that_the_sample_cuts_off_does_not_count() -> None:
    lines = ["id;text\n", "1;one\n", '2;"two\n', "lines\n"]
    assert detect_separator(lines, ",", is_complete=False).character == ";"


def test_the_bars_of_marks_separate_no_columns() -> None:
    marked = "<|startoftext|>{}<|endoftext|>\n"
    rows = [marked.format(text) for text in ("Hello there", "How are you?", "Fine, thanks")]
    assert detect_separator(rows, ",").character == ","
    assert detect_separator(["text\n", *rows], ",").character == ","
    rows = [row.replace("\n", "|7\n") for row in rows]
    assert detect_separator(rows, ",").character == "|"
