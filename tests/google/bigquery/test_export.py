"""Rows -> the CSV that finetuning takes: what is cleaned and left out, and what a stop leaves."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bigquery_stand_in import HACKER_NEWS, Fault, StandIn, Table, running
from gpt2_helpers.config import BUNDLED_FOLDER
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.data.documents import wrap_row
from gpt2_helpers.errors import BigQueryError, OptionError
from gpt2_helpers.google.bigquery import client as bigquery
from gpt2_helpers.google.bigquery.client import sign_in
from gpt2_helpers.google.bigquery.config import BigQueryConfig
from gpt2_helpers.google.bigquery.export import ExportProgress, clean, export, new_csv_path
from gpt2_helpers.tokenizer import Tokenizer

pytest.importorskip("google.cloud.bigquery")

TITLES = [
    'Who said "no", and why?',
    "Tom &amp; Jerry&#39;s &quot;best&quot; film",
    "two\nlines, \r\n and   spaces",
    "Who said &quot;no&quot;, and why?",  # the first again, once unescaped
    "&#32; &nbsp; &#10; &#32;",
    None,
    "A &hearts; b",  # 12 characters, five of them once unescaped
    "Ünïcödé \u2028 and a &#0; lost\ufffd letter",
    "=1+1, @formula",
    "Five years of | pipes; and\ttabs",
    "title",
    "The last of all titles",
]
MONTHS = {"first_month": "2019-01", "last_month": "2019-02"}
KEPT = [
    'Who said "no", and why?',
    'Tom & Jerry\'s "best" film',
    "two lines, and spaces",
    "Ünïcödé and a lost letter",
    "=1+1, @formula",
    "Five years of | pipes; and tabs",
    "The last of all titles",
]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    columns = {"title": "STRING", "score": "INT64", "type": "STRING"}
    rows = [(title, 100 - place, "story") for place, title in enumerate(TITLES)]
    with running({HACKER_NEWS: Table(columns, rows)}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        monkeypatch.setattr(bigquery, "PAGE_ROWS", 3)
        yield server


@pytest.fixture
def config(tmp_path: Path) -> BigQueryConfig:
    return BigQueryConfig(
        project="my-project-1", csv_path=str(tmp_path / "exported.csv"), min_length=6
    )


def exported(config: BigQueryConfig) -> list[ExportProgress]:
    return list(export(sign_in(config.project), config))


@pytest.mark.usefixtures("stand_in")
def test_the_csv_has_one_column_with_one_text_per_row(config: BigQueryConfig) -> None:
    exported(config)
    text = Path(config.csv_path or "").read_bytes().decode("utf-8")
    assert text.startswith('title\n"Who said ""no"", and why?"\n')
    assert text.count("\n") == len(KEPT) + 1
    assert list(csv.reader(text.splitlines())) == [["title"], *([title] for title in KEPT)]


@pytest.mark.usefixtures("stand_in")
def test_the_csv_can_be_used_for_finetuning(config: BigQueryConfig) -> None:
    exported(config)
    tokenizer = Tokenizer.load(BUNDLED_FOLDER)
    data = load_dataset(config.csv_path or "", tokenizer)
    assert data.documents == len(KEPT)
    assert tokenizer.decode(data.tokens.tolist()) == "".join(map(wrap_row, KEPT))


@pytest.mark.usefixtures("stand_in")
def test_texts_left_out_are_counted(config: BigQueryConfig) -> None:
    last = exported(config)[-1]
    # NULL and `title`, of five characters, are left out by the query.
    assert (last.rows, last.total) == (10, 10)
    assert (last.kept, last.empty, last.short, last.repeated) == (len(KEPT), 1, 1, 1)
    assert last.describe() == "7 texts kept of 10; left out: 1 repeated, 1 too short, 1 empty"
    assert last.path == Path(config.csv_path or "")
    assert last.preview == tuple(KEPT)


def test_progress_comes_before_the_query_and_after_each_page(
    stand_in: StandIn, config: BigQueryConfig
) -> None:
    steps = export(sign_in(config.project), config)
    assert next(steps) == ExportProgress()
    assert not stand_in.requests
    received = list(steps)
    assert [progress.rows for progress in received] == [3, 6, 9, 10, 10]
    assert {progress.total for progress in received} == {10}
    assert [progress.path is not None for progress in received] == [False] * 4 + [True]


@pytest.mark.usefixtures("stand_in")
def test_the_preview_is_limited(config: BigQueryConfig) -> None:
    columns = {"title": "STRING", "score": "INT64", "type": "STRING"}
    rows = [(f"title number {number}", 100 - number, "story") for number in range(50)]
    with running({HACKER_NEWS: Table(columns, rows)}) as server, pytest.MonkeyPatch.context() as p:
        p.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        last = exported(config)[-1]
    assert last.kept == 50
    assert last.preview == tuple(f"title number {number}" for number in range(10))


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("What&#x27;s &amp;amp; what", "What's &amp; what"),
        ("a&nbsp;b\u3000c\x85d\u2029e", "a b c d e"),
        ("nul\x00 bell\x07 del\x7f", "nul bell del"),
        ("half a pair \ud83d here", "half a pair here"),
        ("whole \U0001f600 and e\u0301", "whole \U0001f600 and e\u0301"),
        (
            "&copy; by R&D: &notes, &nosuchthing; &not &#x1F600;",
            "© by R&D: &notes, &nosuchthing; &not 😀",
        ),
        (" ", ""),
    ],
)
def test_texts_are_normalized_to_one_line(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


def test_an_error_leaves_no_file(stand_in: StandIn, config: BigQueryConfig, tmp_path: Path) -> None:
    steps = export(sign_in(config.project), config)
    assert [next(steps).rows, next(steps).rows] == [0, 3]
    assert list(tmp_path.glob(".exported.csv.*.part"))
    stand_in.faults = [Fault("/queries/", 403, "accessDenied", "Access Denied: Table a.b.c")]
    with pytest.raises(BigQueryError, match="denied access"):
        list(steps)
    assert not os.listdir(tmp_path)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("stop", [KeyboardInterrupt, GeneratorExit])
def test_an_aborted_export_leaves_no_file(
    config: BigQueryConfig, stop: type[BaseException], tmp_path: Path
) -> None:
    steps: Any = export(sign_in(config.project), config)
    next(steps)
    next(steps)
    with pytest.raises(stop):
        steps.throw(stop)
    assert not os.listdir(tmp_path)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"words": "unheard-of"}, "the query found no texts, so .* check the spelling"),
        ({"min_length": 500}, "the query found no texts"),
        ({"words": "nbsp"}, "found only empty or too short texts"),
    ],
)
def test_an_empty_result_is_an_error(
    config: BigQueryConfig, changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BigQueryError, match=sentence):
        exported(replace(config, **changes))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "under a file"])
def test_an_unwritable_path_is_detected_before_the_query(
    stand_in: StandIn, config: BigQueryConfig, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "a.csv"
    if kind == "folder":
        path.mkdir()
    else:
        (tmp_path / "file").write_text("x")
        path = tmp_path / "file" / "a.csv"
    with pytest.raises(OptionError, match="^csv_path=.* cannot be written"):
        exported(replace(config, csv_path=str(path)))
    assert not stand_in.requests


@pytest.mark.usefixtures("stand_in")
def test_a_missing_folder_is_created(config: BigQueryConfig, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.csv"
    exported(replace(config, csv_path=str(path)))
    assert os.listdir(path.parent) == ["a.csv"]


def test_an_existing_file_is_never_replaced(stand_in: StandIn, config: BigQueryConfig) -> None:
    path = Path(config.csv_path or "")
    path.write_text("title\nfrom before\n", encoding="utf-8")
    with pytest.raises(OptionError, match="csv_path must be a new file"):
        exported(config)
    assert not stand_in.requests
    assert "from before" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "hacker_news"),
        (
            {"source": "reddit", "first_month": "2019-01", "last_month": "2019-02"},
            "reddit_AskReddit",
        ),
        (
            {
                "source": "reddit",
                "first_month": "2019-01",
                "last_month": "2019-02",
                "subreddit": "",
            },
            "reddit_all",
        ),
        ({"source": "own", "table": "my-project.texts.jokes_*", "text_column": "joke"}, "jokes"),
    ],
)
def test_a_file_is_named_by_source_and_date(
    options: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config, day = BigQueryConfig(**options), date(2026, 11, 30)
    for number in ("", "-2", "-3"):
        path = new_csv_path(config, day)
        assert path.name == f"{name}_2026-11-30{number}.csv"
        path.touch()
