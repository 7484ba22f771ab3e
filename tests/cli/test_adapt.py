"""gpt2-helpers adapt."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import run
from gpt2_helpers.config import ModelConfig


@pytest.mark.usefixtures("uncompiled")
def test_a_model_with_a_new_vocabulary_generates(workspace: Path) -> None:
    pytest.importorskip("tokenizers", reason="training a vocabulary needs the package tokenizers")
    arguments = ("adapt", "titles.csv", "--model-name", "toy", "--out", "models/new")
    result = run(*arguments, "--vocab-size", 262)
    assert result.code == 0, result.err
    assert result.out.startswith("models/new: 262 tokens, 2")
    assert ModelConfig.load(workspace / "models/new").n_vocab == 262
    text = run("generate", "--model-name", "models/new", "--prefix", "What", "--length", 8)
    assert text.out.startswith("What")
    assert "already contains a model" in run(*arguments, "--vocab-size", 262).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", " "), "out must not be empty"),
        (("--out", "x", "--vocab-size", 3), "vocab_size must be between 257 and 65536, got 3"),
        ((), "--out"),
    ],
)
def test_invalid_options(workspace: Path, arguments: tuple[str | int, ...], message: str) -> None:
    result = run("adapt", "titles.csv", *arguments)
    assert result.code == 2
    assert message in result.err
