"""gpt2-helpers beam-score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run


def test_files_are_needed(workspace: Path) -> None:
    result = run("beam-score", "--model-name", "toy")
    assert result.code == 2
    assert "pass files of texts, or a BigQuery table" in result.err


def test_texts_are_scored_and_compared(workspace: Path) -> None:
    pytest.importorskip("apache_beam", reason="needs the package apache-beam")
    result = run(
        *("beam-score", "titles.csv", "--texts-column", "title", "--model-name", "toy"),
        *("--dataset", "titles.csv", "--column", "title", "--destination-path", "scores.jsonl"),
    )
    assert result.code == 0, result.err
    (file,) = Path().glob("scores-*.jsonl")
    rows = [json.loads(line) for line in file.open(encoding="utf-8")]
    assert f"{len(rows)} texts in scores.index.json" in result.out
    assert {row["kind"] for row in rows} == {"copy"}
    assert all(row["loss"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("titles.csv", "--column", "title"), "column needs dataset"),
        (("titles.csv", "--encoding", "utf-8"), "encoding needs dataset"),
        (
            ("--table", "my-project.d.t", "--text-column", "title", "--texts-column", "title"),
            "texts_column is for files",
        ),
    ],
)
def test_options_without_effect_are_rejected(
    workspace: Path, options: tuple[str, ...], message: str
) -> None:
    result = run("beam-score", "--model-name", "toy", *options)
    assert result.code == 2
    assert message in result.err
