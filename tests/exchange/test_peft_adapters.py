"""LoRA adapters in PEFT's format: round trips, PEFT's own files, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange.model_folder import open_model
from gpt2_helpers.exchange.peft_adapters import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    is_adapter_folder,
    read_adapters,
    write_adapters,
)
from gpt2_helpers.model.gpt2 import GPT2
from gpt2_helpers.model.lora import MergedWeights, new_adapters
from hugging_face import GOLDEN, SHAPE, TEXTS, golden

ADAPTERS = GOLDEN / "adapters"


def random_adapters(rank: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    arrays = new_adapters(SHAPE, rank, seed=1)
    return {name: random.normal(size=a.shape).astype(np.float32) for name, a in arrays.items()}


def test_logits_are_those_of_peft() -> None:
    base, expected = open_model(GOLDEN / "model"), golden("adapters")
    adapters = read_adapters(ADAPTERS, base.config)
    assert (adapters.rank, adapters.base_model) == (4, "model")
    merged = GPT2(base.config, MergedWeights(base.weights, adapters.arrays))
    separate = GPT2(base.config, base.weights)
    separate.load_adapters(adapters.arrays)
    ids = base.tokenizer.encode(TEXTS[0])
    for model in (merged, separate):
        np.testing.assert_allclose(model.logits([ids])[0], expected["logits_0"], atol=1e-4)
    without = golden("model")["logits_0"]
    assert np.abs(without - expected["logits_0"]).max() > 0.1


def test_written_adapters_are_read_back(tmp_path: Path) -> None:
    arrays = random_adapters()
    assert not is_adapter_folder(tmp_path / "a")
    write_adapters(tmp_path / "a", arrays, "owner/base")
    assert is_adapter_folder(tmp_path / "a")
    read = read_adapters(tmp_path / "a", SHAPE)
    assert (read.rank, read.base_model) == (3, "owner/base")
    assert read.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)


def test_names_are_those_of_peft(tmp_path: Path) -> None:
    write_adapters(tmp_path, random_adapters(), "")
    ours = safetensors.numpy.load_file(tmp_path / ADAPTER_WEIGHTS)
    theirs = safetensors.numpy.load_file(ADAPTERS / ADAPTER_WEIGHTS)
    assert theirs.keys() < ours.keys()
    settings = [json.loads((f / ADAPTER_CONFIG).read_text()) for f in (tmp_path, ADAPTERS)]
    assert settings[0].keys() - {"rank_pattern"} <= settings[1].keys()


def changed(folder: Path, **values: Any) -> Path:
    """The adapters of PEFT with changes in their configuration."""
    shutil.copytree(ADAPTERS, folder)
    path = folder / ADAPTER_CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | values), encoding="utf-8")
    return folder


def test_the_scale_of_rslora_is_applied(tmp_path: Path) -> None:
    config = open_model(GOLDEN / "model").config
    plain = read_adapters(ADAPTERS, config).arrays["model/h0/attn/c_attn/lora_b"]
    scaled = read_adapters(changed(tmp_path / "rs", use_rslora=True), config)
    np.testing.assert_allclose(scaled.arrays["model/h0/attn/c_attn/lora_b"], 2 * plain, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peft_type": "PREFIX_TUNING"}, "peft_type must be LORA, got 'PREFIX_TUNING'"),
        ({"use_dora": True}, "adapters with use_dora cannot be imported"),
        ({"bias": "all"}, "bias must be none, got 'all'"),
        ({"modules_to_save": ["wte"]}, "modules_to_save must be empty"),
        ({"rank_pattern": {"c_attn": 2}}, "rank_pattern must be empty"),
        ({"r": 0}, "r and lora_alpha must be positive numbers"),
        ({"lora_alpha": "high"}, "r and lora_alpha must be positive numbers"),
        ({"r": True}, "r and lora_alpha must be positive numbers"),
        ({"r": 10**9}, "r is 1000000000, but the matrices of the base model have at most 64 rows"),
        ({"r": 10**4000}, "r is a number of about 4,000 digits"),
        ({"lora_alpha": 10**4000}, "got 4 and a number of about 4,000 digits"),
        ({"lora_alpha": float("nan")}, "r and lora_alpha must be positive numbers"),
        ({"lora_alpha": float("inf")}, "r and lora_alpha must be positive numbers"),
        ({"r": 8}, "belong to a model of another size"),
    ],
)
def test_other_adapters_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_adapters(changed(tmp_path / "a", **change), open_model(GOLDEN / "model").config)
    assert message in str(caught.value)


def test_adapters_of_other_matrices_are_refused(tmp_path: Path) -> None:
    folder = changed(tmp_path / "a")
    tensors = safetensors.numpy.load_file(folder / ADAPTER_WEIGHTS)
    tensors["base_model.model.lm_head.lora_A.weight"] = np.ones((4, 16), np.float32)
    safetensors.numpy.save_file(tensors, folder / ADAPTER_WEIGHTS)
    with pytest.raises(CheckpointError, match=r"lm_head\.lora_A\.weight, which the base model"):
        read_adapters(folder, open_model(GOLDEN / "model").config)


def test_missing_weights_are_reported(tmp_path: Path) -> None:
    folder = changed(tmp_path / "a")
    (folder / ADAPTER_WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors is missing"):
        read_adapters(folder, SHAPE)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])  # the last one times the scale
def test_adapters_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    folder = changed(tmp_path / "a", lora_alpha=1000)
    tensors = safetensors.numpy.load_file(folder / ADAPTER_WEIGHTS)
    name = next(name for name in tensors if "lora_B" in name)
    tensors[name][0, 0] = value
    safetensors.numpy.save_file(tensors, folder / ADAPTER_WEIGHTS)
    with pytest.raises(CheckpointError, match="contains NaN, infinite values"):
        read_adapters(folder, open_model(GOLDEN / "model").config)


def test_weights_that_are_a_pipe_are_not_opened(tmp_path: Path) -> None:
    folder = changed(tmp_path / "a")
    (folder / ADAPTER_WEIGHTS).unlink()
    os.mkfifo(folder / ADAPTER_WEIGHTS)
    with pytest.raises(CheckpointError, match="is not a regular file"):
        read_adapters(folder, open_model(GOLDEN / "model").config)
