"""Folders of models: by name, by path, on the Hub, and the conversion of Hugging Face's layout."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.checkpoint.model_files import load_for_inference, save_model
from gpt2_helpers.checkpoint.model_folders import (
    SOURCE_FILE,
    converted_folder,
    local_name,
    model_folder,
)
from gpt2_helpers.config import BUNDLED_FOLDER, ModelConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.tokenizer import Tokenizer
from hugging_face import SHAPE, copy_model, write_own_model
from toy import toy_model, toy_tokenizer, toy_weights


def test_models_are_in_model_dir_and_the_bundled_one_in_the_package(
    tmp_path: Path,
) -> None:
    save_model(toy_model(), tmp_path / "124M")
    assert model_folder("124M", tmp_path) == tmp_path / "124M"
    assert model_folder("tiny", tmp_path) == BUNDLED_FOLDER
    save_model(toy_model(), tmp_path / "tiny")
    assert model_folder("tiny", tmp_path) == tmp_path / "tiny"


def test_a_missing_model_is_reported_with_the_download_command(tmp_path: Path) -> None:
    save_model(toy_model(), tmp_path / "own")
    with pytest.raises(CheckpointError) as caught:
        model_folder("355m", tmp_path)
    message = str(caught.value)
    assert "did you mean '355M'" in message
    assert "download_gpt2()" in message
    assert "own" in message


def test_a_path_names_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(toy_model(), tmp_path / "elsewhere" / "mine")
    monkeypatch.chdir(tmp_path)
    assert model_folder("elsewhere/mine", "models") == Path("elsewhere/mine")
    assert model_folder(str(tmp_path / "elsewhere/mine"), "models").name == "mine"


def test_a_folder_with_the_name_of_a_pretrained_model_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_own_model(Path("tiny"))
    assert model_folder("tiny", "models") == BUNDLED_FOLDER


# --- Conversion


def test_a_hugging_face_folder_is_converted_once(tmp_path: Path) -> None:
    source, models = tmp_path / "exports" / "mine", tmp_path / "models"
    write_own_model(source)
    folder = model_folder(str(source), models)
    assert folder == models / "mine"
    assert ModelConfig.load(folder) == SHAPE
    assert Tokenizer.load(folder).vocabulary == toy_tokenizer().vocabulary
    model = load_for_inference(folder, "float32", "float32")
    for name, array in toy_weights(SHAPE).items():
        np.testing.assert_array_equal(model.effective_weight(name), array)
    index = folder / "model.ckpt.index"
    before = index.stat().st_mtime_ns
    assert model_folder(str(source), models) == folder
    assert model_folder("mine", models) == folder
    assert index.stat().st_mtime_ns == before


def test_a_changed_folder_is_converted_again(tmp_path: Path) -> None:
    source, models = tmp_path / "mine", tmp_path / "models"
    write_own_model(source)
    folder = model_folder(str(source), models)
    exact = load_for_inference(folder, "float32", "float32").effective_weight("model/wte")
    write_own_model(source, dtype="float16")
    os.utime(source / "model.safetensors", (1, 1))
    model_folder(str(source), models)
    rounded = load_for_inference(folder, "float32", "float32").effective_weight("model/wte")
    assert not np.array_equal(exact, rounded)


def test_a_conversion_that_was_interrupted_is_repeated(tmp_path: Path) -> None:
    source, models = tmp_path / "mine", tmp_path / "models"
    write_own_model(source)
    folder = model_folder(str(source), models)
    (folder / "model.ckpt.index").unlink()
    (folder / SOURCE_FILE).unlink()
    (folder / "hparams.json").unlink()
    assert model_folder(str(source), models) == folder
    assert (folder / "model.ckpt.index").is_file()


def test_a_folder_among_the_models_is_converted_in_place(tmp_path: Path) -> None:
    copy_model(tmp_path / "german")
    folder = model_folder("german", tmp_path)
    assert folder == tmp_path / "german"
    assert (folder / "config.json").is_file()
    assert Tokenizer.load(folder).n_vocab == ModelConfig.load(folder).n_vocab == 330
    before = (folder / "model.ckpt.index").stat().st_mtime_ns
    assert model_folder("german", tmp_path) == folder
    assert (folder / "model.ckpt.index").stat().st_mtime_ns == before


def test_other_models_are_not_replaced(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for parent in ("a", "b"):
        write_own_model(tmp_path / parent / "mine")
    save_model(toy_model(), models / "mine")
    with pytest.raises(CheckpointError, match="is a different model than"):
        model_folder(str(tmp_path / "a" / "mine"), models)
    model_folder(str(tmp_path / "a" / "mine"), models := tmp_path / "others")
    with pytest.raises(CheckpointError, match="was converted from .*delete or rename it"):
        model_folder(str(tmp_path / "b" / "mine"), models)


def test_weights_in_both_layouts_are_not_converted(tmp_path: Path) -> None:
    save_model(toy_model(), tmp_path / "mine")
    before = (tmp_path / "mine" / "model.ckpt.index").stat().st_mtime_ns
    write_own_model(tmp_path / "mine")
    assert model_folder("mine", tmp_path) == tmp_path / "mine"
    assert (tmp_path / "mine" / "model.ckpt.index").stat().st_mtime_ns == before


def test_a_damaged_source_leaves_no_model(tmp_path: Path) -> None:
    source, models = copy_model(tmp_path / "german"), tmp_path / "models"
    (source / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="not a valid safetensors file"):
        model_folder(str(source), models)
    assert not models.exists()


# --- The Hub


def test_a_model_on_the_hub_has_to_be_downloaded_first(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="gpt2-helpers download hf://me/mine downloads it"):
        model_folder("hf://me/mine", tmp_path)
    write_own_model(tmp_path / "snapshot")
    folder = converted_folder(tmp_path / "snapshot", tmp_path, "me--mine", "hf://me/mine")
    assert model_folder("hf://me/mine", tmp_path) == folder == tmp_path / "me--mine"


def test_local_names() -> None:
    assert local_name("hf://me/mine@v2") == "me--mine"
    assert local_name("a/b/") == "b"
    assert local_name(".") == Path.cwd().name
