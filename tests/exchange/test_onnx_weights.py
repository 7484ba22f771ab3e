"""8-bit matrices, and files of limited size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from gpt2_helpers.exchange.onnx_weights import (
    SCALES,
    ZERO_POINT,
    StoredTensor,
    Weight,
    WeightFiles,
    quantize_columns,
    stored_weights,
)
from toy import TOY, toy_weights


def read(folder: Path, stored: StoredTensor) -> np.ndarray:
    content = (folder / stored.file).read_bytes()[stored.offset : stored.offset + stored.size]
    return np.frombuffer(content, stored.dtype).reshape(stored.shape)


def write(files: WeightFiles, weights: dict[str, np.ndarray], *names: str) -> None:
    for name in names:
        files.add(Weight(name, weights[name]))


def test_each_column_is_rounded_to_half_a_step() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 9)).astype(np.float32)
    matrix *= 10.0 ** np.arange(-4, 5)
    matrix[:, 4] = 0
    numbers, scales = quantize_columns(matrix)
    assert (numbers.dtype, scales.dtype) == (np.uint8, np.float32)
    rounded = (numbers.astype(np.float32) - ZERO_POINT) * scales
    assert (np.abs(rounded - matrix) <= scales * 0.5001).all()
    np.testing.assert_allclose(scales[[0, 8]], np.abs(matrix).max(0)[[0, 8]] / 127, rtol=1e-6)
    assert not rounded[:, 4].any()


def test_matrices_but_not_positions_are_stored_in_8_bits() -> None:
    weights = {weight.name: weight for weight in stored_weights(toy_weights(), "int8")}
    in_8_bits = {name for name, weight in weights.items() if weight.scales is not None}
    assert in_8_bits == {"model/wte", *(name for name in weights if name.endswith("/w"))}
    embeddings = weights["model/wte"]
    assert embeddings.array.shape == (TOY.n_embd, TOY.n_vocab)
    assert embeddings.scales is not None
    np.testing.assert_allclose(
        embeddings.scales, np.abs(toy_weights()["model/wte"]).max(axis=1) / 127, rtol=1e-6
    )
    assert weights["model/wpe"].array.dtype == np.float32
    assert {w.array.dtype.name for w in stored_weights(toy_weights(), "float32")} == {"float32"}


def test_files_are_filled_up_to_the_limit(tmp_path: Path) -> None:
    arrays = {f"array{i}": np.full((3, 10), i, np.float32) for i in range(5)}  # 120 bytes each
    with WeightFiles(tmp_path, max_bytes=300) as files:
        for name, array in arrays.items():
            files.add(Weight(name, array))
    assert [(file.name, file.size) for file in files.files] == [
        ("weights-000.bin", 248),
        ("weights-001.bin", 248),
        ("weights-002.bin", 120),
    ]
    for file in files.files:
        content = (tmp_path / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
    for name, array in arrays.items():
        (stored,) = files.tensors[name]
        assert stored.offset % 64 == 0
        np.testing.assert_array_equal(read(tmp_path, stored), array)


def test_a_larger_matrix_is_split_with_its_scales(tmp_path: Path) -> None:
    matrix = np.arange(70, dtype=np.uint8).reshape(7, 10)
    scales = np.arange(10, dtype=np.float32)
    with WeightFiles(tmp_path, max_bytes=30) as files:
        files.add(Weight("matrix", matrix, scales))
    parts = [read(tmp_path, stored) for stored in files.tensors["matrix"]]
    assert [part.shape for part in parts] == [(7, 4), (7, 4), (7, 2)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), matrix)
    found = [read(tmp_path, stored) for stored in files.tensors["matrix" + SCALES]]
    assert [part.shape for part in found] == [(4,), (4,), (2,)]
    np.testing.assert_array_equal(np.concatenate(found), scales)
    assert all(file.size <= 30 for file in files.files)


def test_a_failure_leaves_the_earlier_file(tmp_path: Path) -> None:
    (tmp_path / "weights-000.bin").write_bytes(b"earlier")
    weights: dict[str, np.ndarray] = {"model/ln_f/g": np.zeros(3, np.float32)}
    with pytest.raises(KeyError), WeightFiles(tmp_path) as files:
        write(files, weights, "model/ln_f/g", "model/ln_f/b")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "weights-000.bin": b"earlier"
    }
