"""The report of a memorization check: counts, histograms, lines and JSON."""

from __future__ import annotations

import json

from gpt2_helpers.evaluation.overlap_report import OverlapReport, as_json, as_lines
from gpt2_helpers.evaluation.similarity import Match
from gpt2_helpers.evaluation.word_overlap import WordOverlap

MATCHES = [
    ("Why is it so?", Match("copy", "why is it so", 1.0, run=4)),
    ("Why is it so cold?", Match("near copy", "why is it so old", 0.9, run=4)),
    ("Where\nis \x1b[31mit?", Match("novel", "", 0.0, words=WordOverlap(3, 2, 0.9))),
    ("WHY is it so", Match("copy", "why is it so", 1.0, run=4)),
    ("A long one " * 30, Match("novel", "", 0.4, run=51)),
]
REPORT = OverlapReport.from_matches(MATCHES, ["one note"])


def test_histograms_count_each_text_once() -> None:
    assert list(REPORT.run_histogram().values()) == [1, 3, 0, 0, 0, 0, 1]
    assert list(REPORT.similarity_histogram().values()) == [2, 0, 0, 0, 0, 1, 2]
    assert sum(OverlapReport(0, 0, 0).run_histogram().values()) == 0


def test_the_longest_run_and_its_text() -> None:
    assert REPORT.longest_run == MATCHES[-1]
    assert OverlapReport.from_matches(MATCHES[2:3]).longest_run is None
    assert OverlapReport.from_matches([]).longest_run is None


def test_json_has_every_text() -> None:
    found = json.loads(json.dumps(as_json(REPORT)))
    assert (found["total"], found["copies"], found["near_copies"], found["novel"]) == (5, 2, 1, 2)
    assert (found["duplicates"], found["longest_run"], found["notes"]) == (1, 51, ["one note"])
    assert found["known_words"] == 0.6667
    assert found["texts"][1] == {
        "text": "Why is it so cold?",
        "kind": "near copy",
        "similarity": 0.9,
        "nearest": "why is it so old",
        "longest_run": 4,
        "run": "Why is it so",
        "duplicate_of": None,
    }
    assert [text["duplicate_of"] for text in found["texts"]] == [None, None, None, 1, None]
    assert as_json(OverlapReport.from_matches([]))["known_words"] is None


def test_lines_have_counts_bars_and_examples() -> None:
    lines = as_lines(REPORT, examples=1)
    assert lines[0].startswith("Of 5 texts, 2 are copies of the training text, 1 is a near copy")
    assert "copies of the training text      2  40.0%" in lines
    assert f"3 to 4 words            3  {'#' * 40}" in lines
    assert f"50 words or more        1  {'#' * 14}" in lines
    assert any(line.startswith("longest run, 51 words: A long one") for line in lines)
    place = lines.index("near copies, with the closest training text:")
    assert lines[place + 1 : place + 3] == ["  Why is it so cold?", "    0.90  why is it so old"]
    assert lines[-1] == "  and 1 more, which --json lists too"
    assert all(len(line) < 120 and line.isprintable() for line in lines)


def test_without_examples_there_are_only_counts() -> None:
    lines = as_lines(REPORT, examples=0)
    assert not any("closest training text:" in line for line in lines)
    assert as_lines(OverlapReport.from_matches([]))[0].startswith("Of 0 texts")
