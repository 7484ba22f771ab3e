"""safetensors files: round trips, and files that are damaged or belong to other models."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.exchange.config_json import model_config, read_object
from gpt2_helpers.exchange.weights import (
    PREFIX,
    SHARDS_FILE,
    WEIGHTS_FILE,
    SafetensorsWeights,
    save_weights,
)
from hugging_face import GOLDEN, SHAPE
from toy import toy_weights


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    return safetensors.numpy.load_file(folder / WEIGHTS_FILE)


def write(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    safetensors.numpy.save_file(tensors, folder / WEIGHTS_FILE)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    save_weights(tmp_path / WEIGHTS_FILE, toy_weights(SHAPE))
    return tmp_path


def test_weights_are_read_back(own: Path) -> None:
    weights = SafetensorsWeights(own, SHAPE)
    expected = toy_weights(SHAPE)
    assert list(weights) == list(expected)
    assert len(weights) == len(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name], array, err_msg=name)


def test_the_file_has_the_names_of_transformers_and_normal_permissions(own: Path) -> None:
    theirs = safetensors.numpy.load_file(GOLDEN / "model" / WEIGHTS_FILE)
    assert tensors_of(own).keys() == theirs.keys() - {"lm_head.weight"}
    other = own / "other"
    other.touch()
    assert (own / WEIGHTS_FILE).stat().st_mode == other.stat().st_mode


def test_float16_halves_the_size(own: Path) -> None:
    size = (own / WEIGHTS_FILE).stat().st_size
    save_weights(own / WEIGHTS_FILE, toy_weights(SHAPE), "float16")
    assert (own / WEIGHTS_FILE).stat().st_size < 0.6 * size
    weights = SafetensorsWeights(own, SHAPE)
    np.testing.assert_allclose(weights["model/wte"], toy_weights(SHAPE)["model/wte"], rtol=1e-3)
    assert weights["model/wte"].dtype == np.float32


def test_values_too_large_for_float16_are_refused(tmp_path: Path) -> None:
    weights = toy_weights(SHAPE)
    weights["model/wpe"][0, 0] = 1e6
    with pytest.raises(CheckpointError, match="model/wpe has values too large for float16"):
        save_weights(tmp_path / WEIGHTS_FILE, weights, "float16")
    assert not list(tmp_path.iterdir())


def test_bfloat16_is_read(own: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    tensors = {n: a.astype(ml_dtypes.bfloat16) for n, a in tensors_of(own).items()}
    weights = SafetensorsWeights(write(own, tensors), SHAPE)
    np.testing.assert_allclose(weights["model/wte"], toy_weights(SHAPE)["model/wte"], rtol=1e-2)


def test_names_without_prefix_and_old_masks_are_read(own: Path) -> None:
    tensors = {name.removeprefix(PREFIX): array for name, array in tensors_of(own).items()}
    tensors["h.0.attn.bias"] = np.ones((1, 1, 48, 48), bool)
    tensors["h.1.attn.masked_bias"] = np.array(-1e4, np.float32)
    tensors["lm_head.weight"] = tensors["wte.weight"]
    weights = SafetensorsWeights(write(own, tensors), SHAPE)
    np.testing.assert_array_equal(weights["model/wte"], toy_weights(SHAPE)["model/wte"])


def test_several_files_with_an_index_are_read(own: Path) -> None:
    tensors = tensors_of(own)
    (own / WEIGHTS_FILE).unlink()
    places: dict[str, str] = {}
    for number, part in enumerate((list(tensors)[:7], list(tensors)[7:])):
        file = f"model-0000{number + 1}-of-00002.safetensors"
        safetensors.numpy.save_file({name: tensors[name] for name in part}, own / file)
        places |= dict.fromkeys(part, file)
    (own / SHARDS_FILE).write_text(json.dumps({"weight_map": places}), encoding="utf-8")
    weights = SafetensorsWeights(own, SHAPE)
    for name, array in toy_weights(SHAPE).items():
        np.testing.assert_array_equal(weights[name], array)


@pytest.mark.parametrize("target", ["../secret.safetensors", "/etc/passwd", 5])
def test_an_index_may_not_name_other_folders(own: Path, target: object) -> None:
    (own / WEIGHTS_FILE).unlink()
    index = {"weight_map": {"transformer.wte.weight": target}}
    (own / SHARDS_FILE).write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not a file name"):
        SafetensorsWeights(own, SHAPE)


def test_another_output_matrix_is_refused(own: Path) -> None:
    tensors = tensors_of(own)
    tensors["lm_head.weight"] = tensors[f"{PREFIX}wte.weight"] + 1
    with pytest.raises(CheckpointError, match="differs from the token embeddings"):
        SafetensorsWeights(write(own, tensors), SHAPE)


def test_missing_misshapen_and_unexpected_weights_are_named(own: Path) -> None:
    tensors = tensors_of(own)
    name = f"{PREFIX}h.1.mlp.c_fc.weight"
    without = {n: a for n, a in tensors.items() if n != name}
    with pytest.raises(CheckpointError, match=rf"lacks the weight {name}"):
        SafetensorsWeights(write(own, without), SHAPE)
    with pytest.raises(CheckpointError, match=r"has shape \[3\], but config.json implies"):
        SafetensorsWeights(write(own, without | {name: np.ones(3, np.float32)}), SHAPE)
    with pytest.raises(CheckpointError, match=r"unexpected weight score\.weight"):
        SafetensorsWeights(write(own, tensors | {"score.weight": np.ones(3, np.float32)}), SHAPE)
    with pytest.raises(CheckpointError, match="dtype I8"):
        SafetensorsWeights(write(own, without | {name: np.ones((16, 64), np.int8)}), SHAPE)


@pytest.mark.parametrize("damage", ["empty", "cut", "header", "text"])
def test_a_damaged_file_is_reported(own: Path, damage: str) -> None:
    path = own / WEIGHTS_FILE
    whole = path.read_bytes()
    contents = {
        "empty": b"",
        "cut": whole[:-100],
        "header": (2**60).to_bytes(8, "little") + whole[8:],
        "text": b"<html>not found</html>",
    }
    path.write_bytes(contents[damage])
    with pytest.raises(CheckpointError, match="not a valid safetensors file"):
        SafetensorsWeights(own, SHAPE)


def test_pickled_weights_are_not_loaded(own: Path) -> None:
    (own / WEIGHTS_FILE).rename(own / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="can execute code: convert it"):
        SafetensorsWeights(own, SHAPE)
    (own / "pytorch_model.bin").unlink()
    with pytest.raises(CheckpointError, match="has no weights"):
        SafetensorsWeights(own, SHAPE)


def test_the_weights_of_transformers_match_its_config() -> None:
    path = GOLDEN / "model" / "config.json"
    weights = SafetensorsWeights(GOLDEN / "model", model_config(read_object(path), path))
    assert weights["model/h0/attn/c_attn/w"].shape == (1, 16, 48)


def test_a_file_that_disappears_is_reported(own: Path) -> None:
    weights = SafetensorsWeights(own, SHAPE)
    shutil.move(own / WEIGHTS_FILE, own / "gone")
    with pytest.raises(CheckpointError, match="safetensors"):
        weights["model/wte"]


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "f4"), (np.inf, "f2"), (1e300, "f8")])
def test_values_that_are_not_finite_in_fp32_are_refused(
    own: Path, value: float, dtype: str
) -> None:
    tensors = tensors_of(own)
    name = f"{PREFIX}wpe.weight"
    tensors[name] = tensors[name].astype(dtype)
    tensors[name][0, 0] = value
    weights = SafetensorsWeights(write(own, tensors), SHAPE)
    with pytest.raises(CheckpointError, match=rf"{name} contains NaN, infinite values"):
        weights["model/wpe"]


def test_a_part_that_is_a_pipe_is_not_opened(own: Path) -> None:
    (own / WEIGHTS_FILE).unlink()
    os.mkfifo(own / "part.safetensors")
    index = {"weight_map": {f"{PREFIX}wte.weight": "part.safetensors"}}
    (own / SHARDS_FILE).write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"part\.safetensors is not a regular file"):
        SafetensorsWeights(own, SHAPE)
