"""config.json of a GPT-2: what is written, and which models are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.config import ModelConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange.config_json import (
    config_json,
    generation_json,
    model_config,
    read_object,
)
from hugging_face import GOLDEN

PATH = Path("mine/config.json")


def test_a_config_is_read_back() -> None:
    config = ModelConfig(n_vocab=300, n_ctx=64, n_embd=32, n_head=4, n_layer=3)
    written = config_json(config, 299, "float16")
    assert model_config(written, PATH) == config
    assert (written["eos_token_id"], written["torch_dtype"]) == (299, "float16")


def test_the_config_of_transformers_is_read() -> None:
    path = GOLDEN / "model" / "config.json"
    expected = ModelConfig(n_vocab=330, n_ctx=48, n_embd=16, n_head=2, n_layer=2)
    assert model_config(read_object(path), path) == expected


def test_missing_entries_are_those_of_124m() -> None:
    assert model_config({"n_layer": 6}, PATH) == ModelConfig(n_layer=6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "llama"}, "model_type must be gpt2, got 'llama'"),
        ({"activation_function": "gelu"}, "activation_function must be gelu_new or"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon must be 1e-05"),
        ({"scale_attn_by_inverse_layer_idx": True}, "must be false as in OpenAI's GPT-2, got True"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings must be true"),
        ({"n_inner": 1000}, "n_inner must be 4 n_embd = 3072"),
        ({"quantization_config": {"bits": 4}}, "quantized"),
        ({"n_embd": 10**9}, "n_embd"),
        ({"vocab_size": "many"}, "n_vocab"),
        ({"n_head": 7}, "divisible"),
    ],
)
def test_other_models_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        model_config(values, PATH)
    assert message in str(caught.value)
    assert "config.json" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, "\x00"])
def test_damaged_json_is_reported(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_object(path)


def test_transformers_samples_as_generate_does() -> None:
    values = generation_json(ModelConfig(n_ctx=64), 5)
    assert values["do_sample"] is True
    assert (values["temperature"], values["top_k"], values["max_length"]) == (0.7, 0, 64)
