"""gpt2-helpers import, and models in Hugging Face's layout in other commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import error_of, run
from gpt2_helpers.checkpoint.run_folder import RunFolder
from hub_stand_in import running_hub, use_hub
from hugging_face import GOLDEN

pytestmark = pytest.mark.usefixtures("workspace")

MODEL = GOLDEN / "model"


def test_a_model_is_imported_and_used() -> None:
    result = run("import", MODEL, "--run-name", "run2")
    assert result.out == f"{MODEL} is imported as run2 in checkpoint\n"
    assert run("generate", "--run-name", "run2", "--length", "8", "--seed", 1).code == 0
    again = run("import", MODEL, "--run-name", "run2")
    assert "the previous run2 is kept as checkpoint/run2.before" in again.err


def test_a_model_is_finetuned_by_its_path() -> None:
    Path("text.txt").write_text("Der alte Fischer saß am Ufer. " * 20, encoding="utf-8")
    command = ("finetune", "text.txt", "--model-name", MODEL, "--steps", 1, "--run-name", "new")
    result = run(*command, "--sample-every", 0, "--precision", "float32", "--optimizer", "sgd")
    assert result.code == 0, result.err
    assert RunFolder("checkpoint", "new").require().record.base_model == "model"
    assert Path("models/model/hparams.json").is_file()
    again = run(*command, "--sample-every", 0, "--precision", "float32", "--optimizer", "sgd")
    assert "is ignored" not in again.err + again.out


def test_adapters_are_imported() -> None:
    result = run("import", GOLDEN / "adapters", "--model-name", MODEL, "--run-name", "lora")
    assert result.code == 0, result.err
    assert RunFolder("checkpoint", "lora").require().record.lora_rank == 4


def test_a_model_is_imported_and_downloaded_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    with running_hub() as server:
        use_hub(server, monkeypatch, tmp_path / "cache")
        server.repositories["me/mine"] = {path.name: path.read_bytes() for path in MODEL.iterdir()}
        assert run("import", "hf://me/mine", "--run-name", "run2").code == 0
        assert RunFolder("checkpoint", "run2").require().record.base_model == "me--mine"
        assert run("download", "hf://me/mine").out == "models/me--mine is complete\n"
        assert run("download", "hf://me/mine").out == "models/me--mine was already complete\n"
        assert "the repository does not exist" in error_of("import", "hf://me/other")
    assert run("generate", "--model-name", "hf://me/mine", "--length", "8").code == 0


def test_wrong_arguments_are_reported() -> None:
    Path("empty").mkdir()
    assert "nowhere is not a folder with a model" in error_of("import", "nowhere")
    assert "config.json is missing" in error_of("import", "empty")
    assert "plain folder name" in error_of("import", MODEL, "--run-name", "../x")
