"""Runs recorded under the options' earlier names open, resume and are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.checkpoint.renamed_options import RENAMED, with_current_names
from gpt2_helpers.checkpoint.run_folder import RunFolder
from gpt2_helpers.cli import main
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.fields import fields_of
from toy_runs import train, write_model, write_text

FOLDER = Path("checkpoint/run1")


def rename_back(**more: object) -> None:
    """Rewrite the run's record as an earlier version would have written it."""
    path = FOLDER / "run.json"
    record = json.loads(path.read_text())
    earlier = {new: old for old, new in RENAMED.items()}
    parameters = {earlier.get(n, n): v for n, v in record["parameters"].items()}
    del parameters["validation_split"], parameters["validation_data"]
    path.write_text(json.dumps({**record, "parameters": {**parameters, **more}}))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_new_name_is_an_option() -> None:
    current = {field.name for kind in (FinetuneConfig, RunConfig) for field in fields_of(kind)}
    assert set(RENAMED.values()) <= current
    assert not set(RENAMED) & current


@pytest.mark.parametrize(
    ("recorded", "split", "data"),
    [("0.05", 0.05, None), ("held.txt", 0.0, "held.txt"), (None, 0.0, None), ("0", 0.0, None)],
)
def test_validation_was_a_fraction_or_a_path(
    recorded: str | None, split: float, data: str | None
) -> None:
    current = with_current_names({"validation": recorded})
    assert current == {"validation_split": split, "validation_data": data}


@pytest.mark.usefixtures("uncompiled")
def test_an_older_run_opens_resumes_and_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    write_model()
    write_text()
    options: dict[str, Any] = {"lr_schedule": "cosine", "max_grad_norm": 2.0, "eval_every": 3}
    train(steps=2, validation_split=0.25, **options)
    recorded = RunFolder("checkpoint", "run1").read().record.parameters
    rename_back(validation="0.25")
    assert "gradient_clip" in (FOLDER / "run.json").read_text()
    assert RunFolder("checkpoint", "run1").read().record.parameters == recorded

    assert main(["info", "run1"]) == 0
    shown = capsys.readouterr().out
    assert "lr_schedule=cosine" in shown
    assert "validation_split=0.25" in shown
    assert "gradient_clip" not in shown

    _, steps = train(steps=2, validation_split=0.25, **options)
    assert [step.step for step in steps] == [3, 4]
    saved = json.loads((FOLDER / "run.json").read_text())["parameters"]
    assert set(saved) == {
        field.name
        for kind in (FinetuneConfig, RunConfig, DatasetConfig)
        for field in fields_of(kind)
    }
