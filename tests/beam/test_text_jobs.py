"""Jobs that write texts, and are started again after an interruption."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bigquery_stand_in
from bigquery_stand_in import Table
from gpt2_helpers.beam.text_inputs import TextInput
from gpt2_helpers.config import PRESET
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.google.bigquery.config import BigQueryConfig
from gpt2_helpers.session import Session
from paths import ROOT

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from apache_beam.ml.inference.base import ModelHandler, PredictionResult  # noqa: E402

from gpt2_helpers.beam.runner import make_options, run_pipeline  # noqa: E402
from gpt2_helpers.beam.text_jobs import TextJob, WriteTexts, _plan, read_index  # noqa: E402


class Upper(ModelHandler[Any, Any, Any]):
    """In place of a model: the text in capitals. Fails at one text."""

    def __init__(self, failing: str = "") -> None:
        super().__init__(max_batch_size=1)
        self._failing = failing

    def load_model(self) -> None:
        return None

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: Any = None
    ) -> Iterable[PredictionResult]:
        for items in batch:
            if self._failing in [text for _, text in items]:
                raise DatasetError(f"cannot read {self._failing}")
            yield PredictionResult(items, [{"index": n, "text": text.upper()} for n, text in items])


def run(job: TextJob, failing: str = "none") -> dict[str, int]:
    transform = WriteTexts(Upper(failing))
    return run_pipeline(make_options([]), lambda p: p | beam.Create([job]) | transform)


def rows(folder: Path) -> list[dict[str, Any]]:
    index = read_index(str(folder / "texts.index.json"))
    assert index is not None
    files = [folder / shard["file"] for shard in index["shards"]]
    return [json.loads(line) for file in files for line in file.open(encoding="utf-8")]


def test_a_job_that_failed_is_resumed(tmp_path: Path) -> None:
    texts = tuple(f"text {number}" for number in range(20))
    job = TextJob(TextInput(texts), str(tmp_path / "texts.index.json"), {"a": 1}, shard_size=3)
    with pytest.raises(DatasetError, match="cannot read text 10"):
        run(job, failing="text 10")
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.jsonl")}
    assert 0 < len(done) < 7
    counters = run(job)
    assert counters["kept_texts"] + counters["new_texts"] == 20
    assert counters["kept_texts"] >= 3 * len(done) - 1
    assert all(path.stat().st_mtime_ns == changed for path, changed in done.items())
    assert rows(tmp_path) == [{"index": n, "text": text.upper()} for n, text in enumerate(texts)]
    assert len([*tmp_path.iterdir()]) == 8
    assert run(job) == {}  # complete


def test_a_job_with_other_settings_replaces_the_files(tmp_path: Path) -> None:
    for settings in ({"a": 1}, {"a": 2}):
        job = TextJob(TextInput(("a", "b")), str(tmp_path / "texts.index.json"), settings)
        assert run(job) == {"new_texts": 2}
    assert len([*tmp_path.iterdir()]) == 2


def test_another_format_is_another_job(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the package pyarrow")
    index = str(tmp_path / "texts.index.json")
    for output_format in ("jsonl", "parquet"):
        job = TextJob(TextInput(("a", "b")), index, output_format=output_format)
        assert run(job) == {"new_texts": 2}
    assert [path.suffix for path in sorted(tmp_path.glob("texts-*"))] == [".parquet"]


def test_a_job_whose_files_are_lost_is_not_complete(tmp_path: Path) -> None:
    texts = tuple("abcdef")
    job = TextJob(TextInput(texts), str(tmp_path / "texts.index.json"), shard_size=3)
    run(job)
    next(tmp_path.glob("*.jsonl")).unlink()
    assert run(job)["new_texts"] >= 3
    assert [row["text"] for row in rows(tmp_path)] == [*"ABCDEF"]
    assert run(job) == {}


def test_a_shard_does_not_have_the_texts_of_the_others(tmp_path: Path) -> None:
    job = TextJob(TextInput(tuple("abcdef")), str(tmp_path / "texts.index.json"), shard_size=3)
    planned = [*_plan(job)]
    assert [items for _, _, items in planned] == [[*enumerate("abc")], [*enumerate("def", 3)]]
    assert all(not shard_job.source.texts for shard_job, _, _ in planned)


def test_another_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "texts.index.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DatasetError, match="not the index of an earlier job"):
        run(TextJob(TextInput(("a",)), str(tmp_path / "texts.index.json")))


def test_prompts_come_from_a_table_and_rows_go_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = BigQueryConfig(
        source="own",
        table="my-project.texts.titles",
        text_column="title",
        order_column="score",
        min_length=1,
        project="my-project",
    )
    table = Table({"title": "STRING", "score": "INT64"}, [(f"t{n}", n) for n in range(7)])
    index = str(tmp_path / "texts.index.json")
    job = TextJob(TextInput(query=query), index, table="my-project.texts.new", shard_size=2)
    with bigquery_stand_in.running({"my-project.texts.titles": table}) as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        with pytest.raises(DatasetError, match="cannot read t3"):
            run(job, failing="t3")
        run(job)
        written = sorted(server.loaded["my-project.texts.new"], key=lambda row: row["index"])
    assert written == [{"index": n, "text": f"T{6 - n}"} for n in range(7)]
    assert [path.name for path in tmp_path.iterdir()] == ["texts.index.json"]


COMMAND = (
    *("beam-generate", "--model-name", "tiny", "--prompts", "prompts.txt", "--length", "16"),
    *("--seed", "4", "--shard-size", "4", "--destination-path", "out/texts.jsonl"),
    *("--direct_num_workers=2", "--direct_running_mode=multi_processing"),
)


def test_a_job_of_two_processes_that_was_killed_ends_as_in_one(tmp_path: Path) -> None:
    prompts = [f"Why is number {number}" for number in range(40)]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts), encoding="utf-8")
    command = [sys.executable, "-m", "gpt2_helpers", *COMMAND]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "2"}
    settings: dict[str, Any] = {"cwd": tmp_path, "env": environment, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, **settings) as process:
        deadline = time.monotonic() + 120
        while len(finished := [*tmp_path.glob("out/*.jsonl")]) < 2:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out" / "texts.index.json").exists()
    kept = {path: path.stat().st_ino for path in finished}
    again = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **settings)
    assert "40 texts" in again.stdout
    assert "from an earlier attempt" in again.stdout
    assert all(path.stat().st_ino == number for path, number in kept.items())
    session = Session()
    session.load_pretrained("tiny")
    config = replace(PRESET, length=16, seed=4, batch_size=20, prompt_prefix="")
    expected = sorted(session.generate(prompts, config), key=lambda result: result.index)
    assert [row["text"] for row in rows(tmp_path / "out")] == [text.text for text in expected]
