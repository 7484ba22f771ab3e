"""The model that is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers import config
from gpt2_helpers.bench.weights import bench_folder
from gpt2_helpers.checkpoint.model_files import open_weights
from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig, RunConfig
from gpt2_helpers.exchange.model_folder import open_model
from gpt2_helpers.tokenizer import Tokenizer


def test_a_model_that_exists_is_used_with_its_weights(tmp_path: Path) -> None:
    folder = bench_folder(RunConfig(model_name="tiny"), tmp_path, for_transformers=True)
    _, weights = open_weights(folder, None)
    _, stored = open_weights(BUNDLED_FOLDER, None)
    np.testing.assert_array_equal(weights["model/wpe"], stored["model/wpe"])
    exported = open_model(tmp_path / "model-transformers")
    np.testing.assert_array_equal(exported.weights["model/wpe"], stored["model/wpe"])
    assert (folder / "text.txt").read_text(encoding="utf-8")


def test_a_known_shape_without_a_model_gets_random_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = ModelConfig(n_vocab=9000, n_ctx=64, n_embd=8, n_head=1, n_layer=1)
    monkeypatch.setitem(config.PRETRAINED_CONFIGS, "355M", shape)
    run = RunConfig(model_name="355M", model_dir=str(tmp_path / "no models"))
    folder = bench_folder(run, tmp_path, for_transformers=False)
    found, weights = open_weights(folder, None)
    assert found == shape
    assert np.std(weights["model/wte"]) == pytest.approx(0.02, rel=0.1)
    assert Tokenizer.load(folder).n_vocab <= shape.n_vocab


def test_the_text_is_long_enough_for_the_longest_prompt(tmp_path: Path) -> None:
    folder = bench_folder(RunConfig(model_name="tiny"), tmp_path, for_transformers=False)
    text = (folder / "text.txt").read_text(encoding="utf-8")
    tokens = Tokenizer.load(folder).encode(text)
    assert len(tokens) >= ModelConfig.load(folder).n_ctx
