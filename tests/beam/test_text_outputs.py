"""Writing the rows of a shard into files and tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bigquery_stand_in
from bigquery_stand_in import Fault, RefusedError
from gpt2_helpers.beam.shards import ShardSet
from gpt2_helpers.beam.text_outputs import load_rows, write_rows
from gpt2_helpers.errors import BigQueryError

ROWS = [{"index": 0, "text": "Why\u2028?", "step": None}, {"index": 1, "text": "B\n", "step": 5}]
TABLE = "my-project.texts.titles"


def test_json_lines_have_a_row_per_line(tmp_path: Path) -> None:
    shards = ShardSet(str(tmp_path / "a.index.json"), ".jsonl", "00", 1)
    assert write_rows(shards, 0, ROWS, None)["texts"] == 2
    lines = Path(shards.path(0)).read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == ROWS


def test_parquet_files_have_the_same_columns_whatever_is_missing(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the package pyarrow")
    shards = ShardSet(str(tmp_path / "a.index.json"), ".parquet", "00", 2)
    for number, rows in enumerate((ROWS[:1], ROWS)):
        write_rows(shards, number, rows, None)
    first, second = (parquet.read_table(shards.path(number)) for number in range(2))
    assert first.schema == second.schema
    assert second.to_pylist() == ROWS


def test_rows_are_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = ShardSet(str(tmp_path / "a.index.json"), ".jsonl", "00", 2)
    with bigquery_stand_in.running({}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        for _ in range(2):  # a worker that was killed before it could write the record
            write_rows(shards, 0, ROWS, TABLE)
        write_rows(shards, 1, ROWS[:1], TABLE)
        assert server.loaded == {TABLE: [*ROWS, ROWS[0]]}
    assert shards.finished(0) == {"number": 0, "texts": 2}


def test_a_table_that_cannot_be_loaded_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with bigquery_stand_in.running({}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        server.faults.append(Fault("POST", 403, "accessDenied", "Access Denied: Table titles"))
        with pytest.raises(BigQueryError, match="Access Denied"):
            load_rows(TABLE, ROWS, "a")


def test_rows_that_could_not_be_loaded_are_loaded_by_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bigquery_stand_in.running({}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        server.load_errors += [RefusedError("quotaExceeded", "Quota exceeded")] * 2
        for _ in range(2):
            with pytest.raises(BigQueryError, match="quota"):
                load_rows(TABLE, ROWS, "a")
        for _ in range(2):
            load_rows(TABLE, ROWS, "a")
        assert server.loaded == {TABLE: ROWS}


def test_a_loaded_shard_is_found_wherever_the_dataset_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with bigquery_stand_in.running({}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        server.location = "asia-northeast1"
        for _ in range(2):
            load_rows(TABLE, ROWS, "a")
        assert server.loaded == {TABLE: ROWS}


def test_columns_have_the_same_types_whatever_the_texts_look_like(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bigquery_stand_in.running({}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        load_rows(TABLE, [{"index": 0, "text": "2020", "step": None, "logprob": None}], "a")
        ((sent),) = server.sent("POST")
    load = sent["configuration"]["load"]
    assert not load.get("autodetect")
    types = {column["name"]: column["type"] for column in load["schema"]["fields"]}
    assert types == {"index": "INTEGER", "text": "STRING", "step": "INTEGER", "logprob": "FLOAT"}
