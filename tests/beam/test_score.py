"""The Beam transform and the job that score texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beam_pipelines import collect
from gpt2_helpers.config import BeamOutputConfig
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.session import Session

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam import ModelSource, ScoreTexts  # noqa: E402
from gpt2_helpers.beam.runner import make_options, run_pipeline  # noqa: E402
from gpt2_helpers.beam.score import plan_scoring  # noqa: E402
from gpt2_helpers.beam.text_inputs import TextInput  # noqa: E402

TEXTS = [f"Why is the number {number} odd?" for number in range(5)]


def expected_losses() -> list[float]:
    session = Session()
    session.load_pretrained("tiny")
    return [score.loss for score in session.scorer().score(TEXTS)]


def test_scores_are_those_of_one_process() -> None:
    rows = collect(lambda p: p | beam.Create([*enumerate(TEXTS)]) | ScoreTexts(ModelSource("tiny")))
    losses = {row["index"]: row["loss"] for row in rows}
    assert [losses[n] for n in range(5)] == pytest.approx(expected_losses(), rel=1e-5)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_job_writes_scores_with_the_copies_that_it_found(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "titles.csv").write_text(f"title\n{TEXTS[3]}\n", encoding="utf-8")
    (tmp_path / "texts.csv").write_text("\n".join(["text", *TEXTS]), encoding="utf-8")
    source = TextInput(paths=(str(tmp_path / "texts.csv"),), is_prompts=False)
    output = BeamOutputConfig(destination_path=str(tmp_path / f"out/scores.{suffix}"), shard_size=2)
    data = TrainingData([(str(tmp_path / "titles.csv"), None)])
    job, transform = plan_scoring(source, ModelSource("tiny"), ScoreConfig(), output, data)
    run_pipeline(make_options([]), lambda p: p | beam.Create([job]) | transform)
    files = sorted((tmp_path / "out").glob(f"*.{suffix}"))
    assert len(files) == 3
    if suffix == "jsonl":
        rows = [json.loads(line) for file in files for line in file.open(encoding="utf-8")]
    else:
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs the package pyarrow")
        rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    assert [row["text"] for row in rows] == TEXTS
    assert rows[3]["kind"] == "copy"
    assert rows[0]["kind"] != "copy"
    assert [row["loss"] for row in rows] == pytest.approx(expected_losses(), rel=1e-5)


def test_scores_are_compared_again_with_training_text_that_has_changed(tmp_path: Path) -> None:
    titles = tmp_path / "titles.csv"
    output = BeamOutputConfig(destination_path=str(tmp_path / "out" / "scores.jsonl"))
    data = TrainingData([(str(titles), None)])

    def compare() -> None:
        source = TextInput((TEXTS[1],))
        job, transform = plan_scoring(source, ModelSource("tiny"), ScoreConfig(), output, data)
        run_pipeline(make_options([]), lambda p: p | beam.Create([job]) | transform)

    for title in ("Something else entirely", TEXTS[1]):
        titles.write_text(f"title\n{title}\n", encoding="utf-8")
        compare()
    (file,) = (tmp_path / "out").glob("*.jsonl")
    (row,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert row["kind"] == "copy"
