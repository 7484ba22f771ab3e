"""gpt2-helpers pretrain."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import error_of, run
from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.config import ModelConfig, RunConfig
from gpt2_helpers.training.pretrain_config import PRETRAIN_RUN
from paths import ROOT


@pytest.mark.usefixtures("uncompiled")
def test_pretraining_a_model_and_generating_with_it(workspace: Path) -> None:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    arguments = (
        *("pretrain", "titles.csv", "--out", "models/new", "--vocab-size", 262, "--n-ctx", 8),
        *("--n-embd", 8, "--n-layer", 1, "--n-head", 2, "--batch-size", 1, "--steps", 2),
        *("--warmup-steps", 1, "--validation-split", 0.2, "--precision", "float32", "--dropout", 0),
    )
    result = run(*arguments)
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "the new model is in models/new"
    assert "validation=" in result.out
    assert load_model(workspace / "models/new").config == ModelConfig(262, 8, 8, 2, 1)
    text = run("generate", "--model-name", "new", "--prefix", "What", "--length", 8)
    assert text.out.startswith("What")
    again = run(*arguments)
    assert (again.code, "loss=" in again.out) == (0, False)  # training is complete


def test_validation_data_replaces_the_default_split(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def prepare(*arguments: object) -> None:
        given["run"] = arguments[4]

    monkeypatch.setattr("gpt2_helpers.training.pretrain.prepare", prepare)
    monkeypatch.setattr("gpt2_helpers.training.pretrain.finish", lambda out, dtype: out)
    arguments = ("pretrain", ROOT / "README.md", "--out", "new")
    assert run(*arguments, "--validation-data", "held-out.txt").code == 0
    config = given["run"]
    assert isinstance(config, RunConfig)
    assert (config.validation_data, config.validation_split) == ("held-out.txt", 0.0)
    assert run(*arguments).code == 0
    assert given["run"] == PRETRAIN_RUN


def test_pretraining_on_several_machines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}}')
    message = error_of("pretrain", ROOT / "README.md", "--out", "new")
    assert "pretrain trains on one machine: unset TF_CONFIG" in message
