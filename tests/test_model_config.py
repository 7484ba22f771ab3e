"""Model shapes, hparams.json, and the names of the pretrained models."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from gpt2_helpers.errors import CheckpointError, OptionError
from gpt2_helpers.model_config import (
    BUNDLED_FOLDER,
    MODEL_NAMES,
    PRETRAINED_CONFIGS,
    ModelConfig,
    canonical_model_name,
)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("124M", 124_439_808),
        ("355M", 354_823_168),
        ("774M", 774_030_080),
        ("1558M", 1_557_611_200),
    ],
)
def test_the_published_sizes(name: str, parameters: int) -> None:
    config = PRETRAINED_CONFIGS[name]
    assert config.n_parameters == parameters
    assert (config.n_vocab, config.n_ctx, config.head_dim) == (50257, 1024, 64)


def test_the_number_of_parameters() -> None:
    # Embeddings 5 x 4 and 3 x 4; two norms 2 x 8; attention 4 x 12 + 12 and 4 x 4 + 4;
    # feed-forward 4 x 16 + 16 and 16 x 4 + 4; the last norm 8.
    config = ModelConfig(n_vocab=5, n_ctx=3, n_embd=4, n_head=2, n_layer=1)
    assert config.n_parameters == (20 + 12) + (16 + 60 + 20 + 80 + 68) + 8


@pytest.mark.parametrize(
    ("given_name", "canonical"),
    [
        ("117M", "124M"),
        ("345M", "355M"),
        ("gpt2", "124M"),
        ("gpt2-medium", "355M"),
        ("gpt2-large", "774M"),
        ("gpt2-xl", "1558M"),
        ("openai-community/gpt2", "124M"),
        *((name, name) for name in MODEL_NAMES),
    ],
)
def test_model_names(given_name: str, canonical: str) -> None:
    assert canonical_model_name(given_name) == canonical
    assert canonical in MODEL_NAMES


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("124m", "124M"),
        ("124", "124M"),
        ("1.5B", None),
        ("Tiny", "tiny"),
        ("775M", "774M"),
        ("gpt2-medum", "gpt2-medium"),
    ],
)
def test_an_unknown_model_name(wrong: str, meant: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        canonical_model_name(wrong)
    message = str(caught.value)
    assert message.startswith(f"model_name must be one of {', '.join(MODEL_NAMES)}, got {wrong!r}")
    assert re.findall(r"did you mean '(.*)'", message) == ([meant] if meant else [])


def test_the_bundled_model_is_in_the_package() -> None:
    assert BUNDLED_FOLDER.parents[1].name == "gpt2_helpers"


def test_hparams_round_trip(tmp_path: Path) -> None:
    config = ModelConfig(300, 16, 32, 4, 2)
    config.save(tmp_path)
    assert ModelConfig.load(str(tmp_path)) == config
    assert json.loads((tmp_path / "hparams.json").read_text("utf-8")) == {
        "n_vocab": 300,
        "n_ctx": 16,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 2,
    }


def test_unknown_hparams_are_ignored(tmp_path: Path) -> None:
    values = {**dataclasses.asdict(ModelConfig()), "res_dropout": 0.0}
    (tmp_path / "hparams.json").write_text(json.dumps(values), encoding="utf-8")
    assert ModelConfig.load(tmp_path) == PRETRAINED_CONFIGS["124M"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("<html>", "cannot be read as JSON"),
        ("{}", "is missing n_vocab, n_ctx, n_embd, n_head, n_layer"),
        ("[1, 2]", "is missing n_vocab"),
        ("null", "is missing n_vocab"),
        ('{"n_vocab": 9, "n_ctx": 8, "n_embd": 4, "n_head": 2}', "is missing n_layer"),
        (
            '{"n_vocab": "9", "n_ctx": 8, "n_embd": 4, "n_head": 2, "n_layer": 1}',
            "n_vocab must be a whole number, got '9'",
        ),
        (
            '{"n_vocab": 9, "n_ctx": 0, "n_embd": 4, "n_head": 2, "n_layer": 1}',
            "n_ctx must be between 1",
        ),
        (
            '{"n_vocab": 9, "n_ctx": 8, "n_embd": 4, "n_head": 3, "n_layer": 1}',
            "n_embd must be divisible by n_head",
        ),
    ],
)
def test_invalid_hparams(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "hparams.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        ModelConfig.load(tmp_path)
    assert str(path) in str(caught.value)


def test_hparams_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "hparams.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        ModelConfig.load(tmp_path)


def test_missing_hparams(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"hparams\.json is missing"):
        ModelConfig.load(tmp_path / "nowhere")
