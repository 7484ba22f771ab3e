"""Bundles as TensorFlow reads and writes them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from gpt2_helpers.checkpoint.tensor_bundle import DATA, INDEX, read_table
from gpt2_helpers.checkpoint.tensor_bundle_writer import write_bundle

ARRAYS = {
    # Unordered names of many lengths with common prefixes.
    f"model/h{order}/{'attn/' * (order % 3)}w": np.full((order % 5 + 1, 3), order, np.float32)
    for order in range(40, 0, -1)
} | {
    "half": np.array([[0.5, -2.0]], np.float16),
    "scalar": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
    "transposed": np.arange(6, dtype=np.int32).reshape(2, 3).T,
    "truth": np.array([True, False]),
    "bfloat16": tf.constant([1.0, -0.5], tf.bfloat16).numpy(),
}


def read(prefix: Path) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(prefix))  # verifies all checksums
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_tensorflow_reads_a_bundle(tmp_path: Path) -> None:
    write_bundle(tmp_path / "model-5", ARRAYS.items())
    found = read(tmp_path / "model-5")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert {path.name for path in tmp_path.iterdir()} == {f"model-5{DATA}", f"model-5{INDEX}"}
    size = sum(array.nbytes for array in ARRAYS.values())
    assert Path(tmp_path / f"model-5{DATA}").stat().st_size == size


def test_entries_are_those_of_tensorflow(tmp_path: Path) -> None:
    names = sorted(ARRAYS)
    write_bundle(tmp_path / "ours", [(name, ARRAYS[name]) for name in names])
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "theirs"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[ARRAYS[name] for name in names],
    )
    ours, theirs = (
        dict(read_table((tmp_path / f"{name}{INDEX}").read_bytes())) for name in ("ours", "theirs")
    )
    assert ours == theirs


def test_tensors_are_made_one_by_one(tmp_path: Path) -> None:
    former: weakref.ref[tf.Tensor] | None = None

    def tensors() -> Iterator[tuple[str, tf.Tensor]]:
        nonlocal former
        for order in range(20):
            assert former is None or former() is None
            tensor = tf.zeros([100])
            former = weakref.ref(tensor)
            yield f"w{order}", tensor
            del tensor

    write_bundle(tmp_path / "m", tensors())
    assert len(read(tmp_path / "m")) == 20


def test_an_index_of_many_blocks_is_read(tmp_path: Path) -> None:
    # Keys are stored without the prefix that they share with the previous key.
    names = [f"{order:06}/a/rather/long/name/of/a/variable" for order in range(9000)]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "m"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(1, tf.int8)] * len(names),
    )
    table = (tmp_path / f"m{INDEX}").read_bytes()
    assert len(table) > 2**18  # the size of TensorFlow's blocks in bytes
    keys = [key.decode() for key, _ in read_table(table)]
    assert keys == ["", *names]
