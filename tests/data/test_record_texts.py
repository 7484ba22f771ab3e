"""Texts of records: marks, blank texts, and characters that are not text."""

from __future__ import annotations

from pathlib import Path

from gpt2_helpers.data.record_texts import Fields, ValueCleaner, keep_texts
from gpt2_helpers.data.text_files import ReadReport

START, END = "<|startoftext|>", "<|endoftext|>"


def kept(*records: Fields) -> tuple[list[Fields], tuple[str, ...]]:
    report = ReadReport()
    return [*keep_texts(records, Path("a"), report, noun="record")], report.notes()


def test_marks_are_removed_from_all_fields() -> None:
    found, notes = kept((f"{START}one{END}", "two"), ("three", f"four{END}"), ("five", "six"))
    assert found == [("one", "two"), ("three", "four"), ("five", "six")]
    assert notes == (f"a: 2 records had {START} or {END} already: not marked twice",)


def test_records_whose_text_is_blank_are_skipped() -> None:
    found, notes = kept(("one", " "), ("", "two"), (START, END))
    assert found == [("", "two")]
    assert "a: skipped 2 records with an empty text" in notes


def test_what_is_not_text_is_left_out_and_counted() -> None:
    report, clean = ReadReport(), ValueCleaner()
    assert (clean("plain"), clean("a\r\nb\rc")) == ("plain", "a\nb\nc")
    assert clean("é\ud83dx\ufeff") == "éx"
    clean.report(Path("a"), report)
    assert report.notes()[0].startswith("a: left out 2 characters that are not text")
