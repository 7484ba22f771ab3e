"""Bundles written in parts, as read by TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint import tensor_bundle_writer
from gpt2_helpers.checkpoint.tensor_bundle import DATA, INDEX, read_table
from gpt2_helpers.checkpoint.tensor_bundle_writer import write_bundle

ARRAYS = {
    # Unordered names of many lengths with common prefixes.
    f"model/h{order}/{'attn/' * (order % 3)}w": np.full((order % 5 + 1, 3), order, np.float32)
    for order in range(40, 0, -1)
} | {"half": np.array([[0.5, -2.0]], np.float16), "scalar": np.array(7, np.int64)}


def read(prefix: Path) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(prefix))  # verifies all checksums
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.parametrize("piece", [1, 100, 10**6])
def test_tensorflow_reads_a_bundle_written_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(tensor_bundle_writer, "PART_SIZE", piece)
    write_bundle(tmp_path / "model-5", ARRAYS.items())
    found = read(tmp_path / "model-5")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert {path.name for path in tmp_path.iterdir()} == {f"model-5{DATA}", f"model-5{INDEX}"}
    size = sum(array.nbytes for array in ARRAYS.values())
    assert Path(tmp_path / f"model-5{DATA}").stat().st_size == size


def test_only_one_part_is_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_bundle_writer, "PART_SIZE", 3 * 400)
    made, written = 0, 0
    genuine = tf.raw_ops.SaveV2

    def save(**options: object) -> None:
        nonlocal written
        genuine(**options)
        written += len(list(options["tensors"]))  # type: ignore[call-overload]

    def tensors() -> Iterator[tuple[str, tf.Tensor]]:
        nonlocal made
        for order in range(20):
            assert made - written < 3
            made += 1
            yield f"w{order}", tf.zeros([100])

    monkeypatch.setattr(tf.raw_ops, "SaveV2", save)
    write_bundle(tmp_path / "m", tensors())
    assert made == written == 20


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
