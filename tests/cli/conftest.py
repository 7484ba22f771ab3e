"""A folder to run commands in, with a toy model, a dataset and a finetuned run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import FINETUNE, TITLES, run
from faulty_server import FaultyServer, running
from gpt2_helpers.checkpoint.model_files import save_model
from gpt2_helpers.checkpoint.pretrained import FILES
from gpt2_helpers.config import ModelConfig
from toy import toy_model, toy_tokenizer


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models/toy, titles.csv, and checkpoint/run1 after three steps."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("template")
    tokenizer = toy_tokenizer()
    shape = ModelConfig(tokenizer.n_vocab, n_ctx=24, n_embd=16, n_head=2, n_layer=1)
    (folder / "models" / "toy").mkdir(parents=True)
    tokenizer.save(folder / "models" / "toy")
    save_model(toy_model(shape, scale=2.0), folder / "models" / "toy")
    (folder / "titles.csv").write_text(TITLES, encoding="utf-8")
    before = Path.cwd()
    os.chdir(folder)
    tf.config.run_functions_eagerly(True)
    try:
        result = run(*FINETUNE, "--steps", 3, "--seed", 1, "--validation-split", 0.3)
    finally:
        tf.config.run_functions_eagerly(False)
        os.chdir(before)
    assert result.code == 0, result.err
    assert "loss=" in result.out
    return folder


@pytest.fixture
def workspace(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the template for one test, which is the current directory."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mirror(template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A local download server that has the toy model under the name 124M."""
    with running() as server:
        for name in FILES:
            server.files[f"/models/124M/{name}"] = (template / "models/toy" / name).read_bytes()
        monkeypatch.setenv("GPT2_HELPERS_MIRROR", f"{server.address}/models")
        monkeypatch.setenv("no_proxy", "*")
        yield server
