"""Folders in Hugging Face's layout: what is written, and the model of transformers itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange.model_card import CARD_MARKER
from gpt2_helpers.exchange.model_folder import is_model_folder, open_model, write_card
from gpt2_helpers.model.gpt2 import GPT2
from hugging_face import GOLDEN, SHAPE, TEXTS, golden, write_own_model
from toy import toy_tokenizer, toy_weights

FILES = {
    *("README.md", "config.json", "generation_config.json", "merges.txt", "model.safetensors"),
    *("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json"),
}


def test_logits_are_those_of_transformers() -> None:
    opened, expected = open_model(GOLDEN / "model"), golden("model")
    model = GPT2(opened.config, opened.weights)
    for order, text in enumerate(TEXTS):
        ids = opened.tokenizer.encode(text)[: opened.config.n_ctx]
        logits = model.logits([ids])[0]
        np.testing.assert_allclose(logits, expected[f"logits_{order}"], atol=1e-4)


def test_a_written_model_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert not is_model_folder(folder)
    write_own_model(folder)
    assert is_model_folder(folder)
    assert {path.name for path in folder.iterdir()} == FILES
    opened = open_model(folder)
    assert opened.config == SHAPE
    assert opened.tokenizer.vocabulary == toy_tokenizer().vocabulary
    for name, array in toy_weights(SHAPE).items():
        np.testing.assert_array_equal(opened.weights[name], array)


def test_a_second_export_replaces_the_files(tmp_path: Path) -> None:
    write_own_model(tmp_path)
    first = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "other.txt").touch()
    write_own_model(tmp_path, dtype="float16")
    assert (tmp_path / "model.safetensors").read_bytes() != first
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"other.txt"}


def test_an_edited_card_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    write_card(tmp_path, f"{CARD_MARKER} first")
    write_card(tmp_path, f"{CARD_MARKER} second")
    assert "second" in path.read_text(encoding="utf-8")
    path.write_text("mine", encoding="utf-8")
    write_card(tmp_path, f"{CARD_MARKER} third")
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_folder_without_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a folder with a model"):
        open_model(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        open_model(tmp_path)
