"""Sharded token files, written by a Beam pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bigquery_stand_in
from bigquery_stand_in import Table
from gpt2_helpers.config import DatasetConfig
from gpt2_helpers.data.dataset import load_dataset
from gpt2_helpers.errors import DatasetError, OptionError
from gpt2_helpers.google.bigquery.config import BigQueryConfig
from toy import toy_tokenizer

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam.encode import EncodeDataset, EncodeJob, plan_encoding  # noqa: E402
from gpt2_helpers.beam.parts import Part  # noqa: E402
from gpt2_helpers.beam.runner import make_options, run_pipeline  # noqa: E402


def encode(job: EncodeJob, parts: list[Part]) -> dict[str, int]:
    return run_pipeline(make_options([]), lambda p: p | beam.Create(parts) | EncodeDataset(job))


@pytest.mark.parametrize("config", [{}, {"deduplicate": True}, {"unwrap": True}])
def test_the_ids_are_those_of_one_process(
    dataset: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    data, out = DatasetConfig(**config), str(tmp_path / "texts.tokens")
    expected = load_dataset(dataset, toy_tokenizer(), data).tokens
    job, parts = plan_encoding(dataset, toy_tokenizer(), data, out, part_bytes=500)
    assert len(parts) > 5
    encode(job, parts)
    np.testing.assert_array_equal(load_dataset(out, toy_tokenizer()).tokens, expected)
    assert job.is_complete()
    assert len(list(tmp_path.glob("*.npy"))) == len(parts)
    assert not list(tmp_path.glob("*.json"))


def test_finished_shards_are_kept(dataset: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "texts.tokens")
    job, parts = plan_encoding(dataset, toy_tokenizer(), DatasetConfig(), out, part_bytes=500)
    (dataset / "h.txt").unlink()  # read last: the first attempt fails there
    with pytest.raises(DatasetError, match="cannot be read"):
        encode(job, parts)
    assert not job.is_complete()
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")}
    assert done
    (dataset / "h.txt").write_text("One  TEXT.", encoding="utf-8")
    counters = encode(job, parts)
    assert counters["kept_shards"] == len(done)
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
    assert job.describe(counters)[-1] == f"saved in {out}"
    expected = load_dataset(dataset, toy_tokenizer()).tokens
    np.testing.assert_array_equal(load_dataset(out, toy_tokenizer()).tokens, expected)


def test_a_dataset_and_its_shards_can_be_at_urls(dataset: Path, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the package fsspec")
    root = f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").put(f"{dataset}/", f"/{tmp_path.name}/texts/", recursive=True)
    out = f"{root}/out/texts.tokens"
    job, parts = plan_encoding(f"{root}/texts", toy_tokenizer(), DatasetConfig(), out, 500)
    encode(job, parts)
    expected = load_dataset(dataset, toy_tokenizer()).tokens
    np.testing.assert_array_equal(load_dataset(out, toy_tokenizer()).tokens, expected)


def test_a_bigquery_table_is_exported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"title": "STRING", "score": "INT64"}
    rows = [(f"Why is the number {number} odd?", number) for number in range(20)]
    query = BigQueryConfig(
        source="own", table="my-project.texts.titles", text_column="title", project="my-project"
    )
    with bigquery_stand_in.running({"my-project.texts.titles": Table(columns, rows)}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        out = str(tmp_path / "titles.tokens")
        job, parts = plan_encoding([], toy_tokenizer(), DatasetConfig(), out, query=query)
        encode(job, parts)
        assert len(server.sent("POST")) == 1
    (tmp_path / "titles.csv").write_text(
        "title\n" + "".join(f"{title}\n" for title, _ in rows), encoding="utf-8"
    )
    expected = load_dataset(tmp_path / "titles.csv", toy_tokenizer()).tokens
    assert sorted(load_dataset(out, toy_tokenizer()).tokens) == sorted(expected)
    assert not list(tmp_path.glob("*.query.csv"))


def test_a_dataset_without_text_leaves_no_index(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("", encoding="utf-8")
    out = str(tmp_path / "texts.tokens")
    job, parts = plan_encoding(tmp_path / "a.txt", toy_tokenizer(), DatasetConfig(), out)
    with pytest.raises(DatasetError, match="contains no text to train on"):
        encode(job, parts)
    assert not Path(out).exists()


def test_tokens_of_gpt_2_simple_are_not_possible(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="legacy_tokens"):
        plan_encoding(tmp_path, toy_tokenizer(), DatasetConfig(legacy_tokens=True), "a.tokens")


def test_a_job_whose_files_are_lost_is_not_complete(dataset: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "texts.tokens")
    job, parts = plan_encoding(dataset, toy_tokenizer(), DatasetConfig(), out, part_bytes=500)
    encode(job, parts)
    assert job.is_complete()
    lost = tmp_path / job.shards.name(1)
    lost.unlink()
    assert not job.is_complete()
    encode(job, parts)
    assert job.is_complete()


def test_what_a_kill_after_the_index_has_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Some text of some words.", encoding="utf-8")
    out = str(tmp_path / "texts.tokens")
    job, parts = plan_encoding(tmp_path / "a.txt", toy_tokenizer(), DatasetConfig(), out)
    encode(job, parts)
    files = {path.name for path in tmp_path.iterdir()}
    job.shards.add_record(0, {})
    job.clean_up()
    assert {path.name for path in tmp_path.iterdir()} == files


def test_files_that_are_skipped_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "a.txt").write_text("Some text of some words.", encoding="utf-8")
    (folder / "settings.json").write_text('{"size": 3}', encoding="utf-8")
    out = str(tmp_path / "texts.tokens")
    job, parts = plan_encoding(folder, toy_tokenizer(), DatasetConfig(), out)
    counters = encode(job, parts)
    assert any("settings.json: skipped, because" in line for line in job.describe(counters))


def test_a_link_to_a_table_is_read_as_a_table(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("title\nWhy is it odd?\nWho is it?\n", encoding="utf-8")
    (tmp_path / "titles.csv").symlink_to(tmp_path / "blob")
    out = str(tmp_path / "titles.tokens")
    encode(*plan_encoding(tmp_path / "titles.csv", toy_tokenizer(), DatasetConfig(), out))
    expected = load_dataset(tmp_path / "titles.csv", toy_tokenizer()).tokens
    np.testing.assert_array_equal(load_dataset(out, toy_tokenizer()).tokens, expected)
