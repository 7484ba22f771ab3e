"""The Beam transform that compares generated texts with training text."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_pipelines import collect
from gpt2_helpers.evaluation.memorization_check import check_texts
from gpt2_helpers.evaluation.training_text import TrainingData
from gpt2_helpers.system.files import drain

beam = pytest.importorskip("apache_beam", reason="needs the package apache-beam")

from gpt2_helpers.beam import CheckMemorization  # noqa: E402


def test_matches_are_those_of_one_process(tmp_path: Path) -> None:
    titles = [f"What is the strangest thing that you saw in {year}?" for year in range(2000, 2030)]
    (tmp_path / "titles.csv").write_text("\n".join(["title", *titles]), encoding="utf-8")
    data = TrainingData([(str(tmp_path / "titles.csv"), None)])
    texts = [titles[3], titles[5].replace("strangest", "oddest"), "A novel text", titles[7].upper()]
    rows = collect(
        lambda p: p | beam.Create([*enumerate(texts)]) | CheckMemorization(data, batch_size=3)
    )
    rows.sort(key=lambda row: row["index"])
    expected = drain(check_texts(texts, data)).matches
    assert [(row["kind"], row["nearest"]) for row in rows] == [
        (match.kind, match.nearest) for _, match in expected
    ]
    assert {row["kind"] for row in rows} == {"copy", "near copy", "novel"}
