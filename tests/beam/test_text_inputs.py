"""Prompts and texts of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

import bigquery_stand_in
from bigquery_stand_in import Table
from gpt2_helpers.beam.text_inputs import TextInput
from gpt2_helpers.errors import BigQueryError, DatasetError, OptionError
from gpt2_helpers.google.bigquery.config import BigQueryConfig

QUERY = BigQueryConfig(
    source="own",
    table="my-project.texts.titles",
    text_column="title",
    order_column="score",
    min_length=1,
    project="my-project",
)


def test_prompts_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Why\n\n Who \n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("n,start\n1,What\n", encoding="utf-8")
    file = TextInput(paths=(str(tmp_path / "a.txt"),))
    table = TextInput(("When",), (str(tmp_path / "b.csv"),), column="start")
    assert file.read("unused") == ["Why", "Who"]
    assert table.read("unused") == ["When", "What"]


def test_texts_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"One\ntext\n{'=' * 20}\nTwo\n", encoding="utf-8")
    source = TextInput(paths=(str(tmp_path / "a.txt"),), is_prompts=False)
    assert source.read("unused") == ["One\ntext", "Two"]
    with pytest.raises(DatasetError, match="no prompts or texts"):
        TextInput().read("unused")


def test_prompts_are_read_at_a_url(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the package fsspec")
    fsspec.filesystem("memory").pipe(f"/{tmp_path.name}/a.txt", b"Why\nWho\n")
    assert TextInput(paths=(f"memory://{tmp_path.name}/a.txt",)).read("unused") == ["Why", "Who"]


def test_the_result_of_a_query_is_kept_until_the_job_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "query.json"
    source = TextInput(query=QUERY)
    rows = [("Why &amp; how", 1), ("Who\nis it", 2), (None, 3)]
    table = Table({"title": "STRING", "score": "INT64"}, rows)
    with bigquery_stand_in.running({"my-project.texts.titles": table}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        assert source.read(str(snapshot)) == ["Who is it", "Why & how"]
        queries = len(server.sent("POST"))
        assert source.read(str(snapshot)) == ["Who is it", "Why & how"]
        assert len(server.sent("POST")) == queries
    source.forget(str(snapshot))
    assert not snapshot.exists()


def test_a_query_without_texts_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table({"title": "STRING", "score": "INT64"}, [])
    with bigquery_stand_in.running({"my-project.texts.titles": table}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        with pytest.raises(BigQueryError, match="found no texts"):
            TextInput(query=QUERY).read(str(tmp_path / "query.json"))


def test_texts_of_several_files_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "One"}\n', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("", encoding="utf-8")  # a shard without texts
    (tmp_path / "c.txt").write_text("Two\n", encoding="utf-8")
    paths = tuple(str(tmp_path / name) for name in ("a.jsonl", "b.jsonl", "c.txt"))
    assert TextInput(paths=paths, column="title", is_prompts=False).read("unused") == ["One", "Two"]
    with pytest.raises(OptionError, match="texts_column='title' was given, but"):
        TextInput(paths=paths[2:], column="title", is_prompts=False).read("unused")
