"""Records of any format, and the JSON files of a folder that have none."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.records import read_records, reason_to_skip, text_columns
from gpt2_helpers.data.text_files import ReadReport

CONTENTS = {
    "a.csv": "title,n\none,1\ntwo,2\n",
    "a.tsv": "n\ttitle\n1\tone\n2\ttwo\n",
    "a.jsonl": '{"title": "one", "n": "1"}\n{"title": "two", "n": "2"}\n',
    "a.json": '[{"title": "one", "n": "1"}, {"title": "two", "n": "2"}]',
}


@pytest.mark.parametrize("name", [*CONTENTS, "a.parquet"])
def test_all_formats(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.parquet":
        table = pyarrow.table({"title": ["one", "two"], "n": ["1", "2"]})
        pyarrow.parquet.write_table(table, path)
    else:
        path.write_text(CONTENTS[name])
    found = [*read_records(path, ReadReport(), DatasetConfig(column="title"))]
    assert found == [("one",), ("two",)]
    assert text_columns(path) == {"title": 6, "n": 2}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"text": "one"}\n', None),
        ('["one"]', None),
        ('{"compilerOptions": {}}', "is one JSON object without a list of texts"),
        ('[{"id": 1}]', "has no texts"),
        ("oops", "line 1: not valid JSON"),
        ("[]", "it contains no texts"),
    ],
)
def test_json_without_texts(tmp_path: Path, content: str, reason: str | None) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    found = reason_to_skip(path, DatasetConfig())
    assert found == reason if reason is None else (found or "").startswith(reason)


@pytest.mark.parametrize("name", [*CONTENTS, "a.parquet"])
def test_prompts_and_completions(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.parquet":
        table = pyarrow.table({"title": ["one", "two"], "n": ["1", "2"]})
        pyarrow.parquet.write_table(table, path)
    else:
        path.write_text(CONTENTS[name])
    config = DatasetConfig(column="title", prompt_column="n")
    assert [*read_records(path, ReadReport(), config)] == [("1", "one"), ("2", "two")]


def test_keywords_as_prompts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,body\nThe red fox,one\nThe old barn,two\nThe red barn,\n")
    report = ReadReport()
    config = DatasetConfig(column="body", keywords_from="title")
    (first, second) = read_records(path, report, config)
    assert {*first[0].split(", ")} <= {"the", "red", "fox"}
    assert (first[1], second[1]) == ("one", "two")
    assert any("up to 3 keywords of 'title' as prompts" in note for note in report.notes())
    records = [*read_records(path, ReadReport(), DatasetConfig(keywords_from="title"))]
    assert [text for _, text in records] == ["The red fox", "The old barn", "The red barn"]
