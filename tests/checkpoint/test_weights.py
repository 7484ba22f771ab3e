"""Named arrays in TensorFlow's checkpoint files, also truncated and damaged ones."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.tensor_bundle import masked_crc32c
from gpt2_helpers.checkpoint.weights import SUFFIXES, WeightsReader, write_weights
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.system.files import atomic_write_text
from index_files import entry, field, index

DATA = ".data-00000-of-00001"


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "model/wte": random.normal(size=(50, 8)).astype(np.float32),
        "model/h0/ln_1/g": np.ones(8, np.float32),
        "half": np.array([[0.5, -2.0]], np.float16),
        "counts": np.array([3, 2**62], np.int64),
        "numbers": np.array([0.1, np.inf]),
        "scalar": np.array(7, np.int64),
    }


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    write_weights(tmp_path / "run" / "model-5", arrays())
    return tmp_path / "run" / "model-5"


def test_a_round_trip_is_bit_identical(prefix: Path) -> None:
    reader = WeightsReader(prefix)
    assert set(reader) == set(arrays())
    assert len(reader) == len(arrays())
    for name, expected in arrays().items():
        assert reader.shapes[name] == expected.shape
        assert reader[name].dtype == expected.dtype
        np.testing.assert_array_equal(reader[name], expected)


def test_tensors_and_variables_are_written(tmp_path: Path) -> None:
    write_weights(tmp_path / "m", {"a": tf.Variable([1.0, 2.0]), "b": tf.constant(3)})
    reader = WeightsReader(str(tmp_path / "m"))
    assert reader["a"].tolist() == [1.0, 2.0]
    assert reader["b"] == 3


def test_tensorflow_reads_the_files(prefix: Path) -> None:
    listed = {name: tuple(shape) for name, shape in tf.train.list_variables(str(prefix))}
    assert listed == {name: array.shape for name, array in arrays().items()}
    assert Path(f"{prefix}.meta").stat().st_size > 0


def test_no_temporary_files_remain(prefix: Path) -> None:
    assert sorted(path.name for path in prefix.parent.iterdir()) == sorted(
        f"model-5{suffix}" for suffix in SUFFIXES
    )


def test_an_unknown_name(prefix: Path) -> None:
    reader = WeightsReader(prefix)
    assert reader.get("other") is None
    assert "other" not in reader
    with pytest.raises(KeyError):
        reader["other"]


@pytest.mark.parametrize("suffix", [".index", DATA])
def test_a_missing_file_is_reported(prefix: Path, suffix: str) -> None:
    os.remove(f"{prefix}{suffix}")
    with pytest.raises(CheckpointError, match=re.escape(f"model-5{suffix} is missing")):
        WeightsReader(prefix)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_data_file_is_reported_with_the_variable(prefix: Path, share: float) -> None:
    path = Path(f"{prefix}{DATA}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"the variable \S+ cannot be read.*truncated"):
        dict(WeightsReader(prefix))


def test_one_damaged_byte_is_detected(prefix: Path) -> None:
    path = Path(f"{prefix}{DATA}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"the variable model/wte cannot be read"):
        dict(WeightsReader(prefix))


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\0" * 500])
def test_an_invalid_index(prefix: Path, content: bytes) -> None:
    Path(f"{prefix}.index").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model-5\.index is not a valid checkpoint index"):
        WeightsReader(prefix)


def save_slices(prefix: Path, array: tf.Tensor, *slices: str) -> None:
    """Save an array with TensorFlow in slices, given as "start,length" of the first dimension."""
    parts = []
    for part in slices:
        start, length = map(int, part.split(","))
        parts.append(array[start : start + length])
    shape = " ".join(map(str, array.shape))
    others = "".join(":-" for _ in array.shape[1:])
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=["a"] * len(slices) + ["b"],
        shape_and_slices=[f"{shape} {part}{others}" for part in slices] + [""],
        tensors=[*parts, tf.constant([1.0, -0.5], tf.bfloat16)],
    )


@pytest.mark.parametrize(
    ("shape", "slices"),
    [
        ((3, 2), ("0,1", "1,2")),
        ((200, 1), ("0,63", "63,1", "64,136")),  # around the first numbers of two bytes
        ((40_000,), ("0,8192", "8192,20000", "28192,11808")),  # and of three
    ],
)
def test_slices_and_bfloat16_are_read_as_tensorflow_saved_them(
    tmp_path: Path, shape: tuple[int, ...], slices: tuple[str, ...]
) -> None:
    array = tf.reshape(tf.range(float(np.prod(shape))), shape)
    save_slices(tmp_path / "m", array, *slices)
    reader = WeightsReader(tmp_path / "m")
    assert reader.shapes == {"a": shape, "b": (2,)}
    assert reader.dtypes == {"a": "float32", "b": "bfloat16"}
    np.testing.assert_array_equal(reader["a"], array)
    assert reader["b"].tolist() == [1.0, -0.5]
    Path(f"{tmp_path / 'm'}{DATA}").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"the variable a cannot be read.*truncated"):
        WeightsReader(tmp_path / "m")["a"]


def test_big_endian_data(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0], ">f4")
    saved = entry(checksum=masked_crc32c(values))
    content = index((b"a", saved), header=field(1, 1) + field(2, 1))
    (tmp_path / "m.index").write_bytes(content)
    (tmp_path / f"m{DATA}").write_bytes(values.tobytes())
    array = WeightsReader(tmp_path / "m")["a"]
    assert array.dtype == np.float32
    assert array.tolist() == [1.5, -2.0]


def test_strings_are_listed_but_not_read(tmp_path: Path) -> None:
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "m"),
        tensor_names=["_CHECKPOINTABLE_OBJECT_GRAPH", "a"],
        shape_and_slices=["", ""],
        tensors=[tf.constant(b"graph"), tf.constant(1.0)],
    )
    reader = WeightsReader(tmp_path / "m")
    assert reader["a"] == 1
    assert reader.shapes == {"_CHECKPOINTABLE_OBJECT_GRAPH": (), "a": ()}
    with pytest.raises(CheckpointError, match="unsupported dtype number 7"):
        reader["_CHECKPOINTABLE_OBJECT_GRAPH"]


def test_a_truncated_index(prefix: Path) -> None:
    path = Path(f"{prefix}.index")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"model-5\.index is not a valid checkpoint index"):
        WeightsReader(prefix)


def test_errors_are_one_line(prefix: Path) -> None:
    Path(f"{prefix}{DATA}").write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        dict(WeightsReader(prefix))
    assert "\n" not in str(caught.value)


def test_writing_again_replaces_the_checkpoint(prefix: Path) -> None:
    write_weights(prefix, {"model/wte": np.zeros(2, np.float32)})
    assert dict(WeightsReader(prefix)).keys() == {"model/wte"}


def test_files_are_flushed_before_they_are_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, renamed = set(), []
    genuine_replace, genuine_fsync = os.replace, os.fsync

    def fsync(handle: int) -> None:
        genuine_fsync(handle)
        flushed.add(os.fstat(handle).st_ino)

    def replace(source: str, target: str) -> None:
        assert os.stat(source).st_ino in flushed, source
        genuine_replace(source, target)
        renamed.append(Path(target).name)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_weights(tmp_path / "model-5", arrays())
    atomic_write_text(tmp_path / "counter", "5")
    assert {*renamed} == {path.name for path in tmp_path.iterdir()}
    assert renamed[-2:] == [
        "model-5.index",
        "counter",
    ]  # the index is written last


def test_a_failed_write_keeps_the_old_checkpoint(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gpt2_helpers.checkpoint.weights.write_bundle", full)
    with pytest.raises(CheckpointError, match=r"model-5 could not be written: No space left.*full"):
        write_weights(prefix, {"model/wte": np.zeros(2, np.float32)})
    monkeypatch.undo()
    np.testing.assert_array_equal(WeightsReader(prefix)["model/wte"], arrays()["model/wte"])
    assert len(list(prefix.parent.iterdir())) == len(SUFFIXES)


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="could not be written"):
        write_weights(tmp_path / "run" / "model-5", arrays())
