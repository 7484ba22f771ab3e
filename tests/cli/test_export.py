"""gpt2-helpers export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import error_of, run
from gpt2_helpers.exchange.model_folder import open_model
from hub_stand_in import running_hub, use_hub
from toy_runs import save_run

pytestmark = pytest.mark.usefixtures("workspace")


def test_a_run_is_exported() -> None:
    result = run("export", "--run-name", "run1", "out", "--dtype", "float16")
    assert (result.code, result.out) == (0, "run1 was exported to out\n")
    assert open_model("out").config.n_ctx == 24
    assert "| dataset | titles.csv |" in Path("out/README.md").read_text(encoding="utf-8")


def test_a_pretrained_model_is_exported() -> None:
    assert run("export", "out", "--model-name", "toy").out == "toy was exported to out\n"
    assert open_model("out").config.n_ctx == 24


def test_a_run_is_exported_for_onnx_runtime() -> None:
    pytest.importorskip("onnx")
    result = run("export", "--run-name", "run1", "--format", "onnx", "out", "--say-dataset")
    assert (result.code, result.out) == (0, "run1 was exported to out\n")
    manifest = json.loads(Path("out/model.json").read_text(encoding="utf-8"))
    assert (manifest["dtype"], manifest["dataset"]) == ("int8", "titles.csv")
    assert (manifest["step"], manifest["prompt_prefix"]) == (3, "<|startoftext|>")


def test_a_run_becomes_a_site_without_a_server() -> None:
    pytest.importorskip("onnx", reason="needs the package onnx")
    result = run("export", "--format", "web", "site", "--runtime", "cdn")
    assert (result.code, result.out) == (0, "run1 was exported to site\n")
    assert 'data-engine="browser"' in Path("site/index.html").read_text(encoding="utf-8")
    site = json.loads(Path("site/site.json").read_text(encoding="utf-8"))
    assert site["info"]["name"] == "run1"
    assert all(Path("site/model", file["name"]).is_file() for file in site["model"]["files"])
    assert "to a folder" in error_of("export", "--format", "web", "hf://me/titles")


def test_the_site_of_an_earlier_checkpoint_describes_it() -> None:
    pytest.importorskip("onnx", reason="needs the package onnx")
    for step in (4, 8):
        save_run("run2", step)
    options = ("--run-name", "run2", "--checkpoint", "model-4", "--format", "web")
    assert run("export", "site", *options, "--runtime", "cdn").code == 0
    site = json.loads(Path("site/site.json").read_text(encoding="utf-8"))
    assert (site["model"]["step"], site["info"]["steps"]) == (4, 4)
    assert site["info"]["description"].endswith("for 4 steps")


def test_a_run_is_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    with running_hub() as server:
        use_hub(server, monkeypatch, Path("cache"))
        result = run("export", "hf://me/titles", "--private")
        assert result.out == f"run1 was exported to {server.address}/me/titles\n"
        files = server.repositories["me/titles"]
        assert files["model.safetensors"]
        assert b"model='me/titles'" in files["README.md"]
        assert server.private == {"me/titles"}


def test_wrong_arguments_are_reported() -> None:
    assert "not both" in error_of("export", "out", "--run-name", "run1", "--model-name", "toy")
    assert "no run 'run9'" in error_of("export", "out", "--run-name", "run9")
    assert "run1 has no adapters" in error_of("export", "out", "--adapters")
    assert "DIR must not be empty" in error_of("export", " ")
    assert "hf://owner/name" in error_of("export", "hf://a/b/c")
    assert "dtype" in error_of("export", "out", "--dtype", "int8")
    assert "got 'float16'" in error_of("export", "out", "--format", "web", "--dtype", "float16")
    assert "format must be" in error_of("export", "out", "--format", "gguf")
    assert "leave out adapters" in error_of("export", "out", "--format", "onnx", "--adapters")
    assert not Path("out").exists()
