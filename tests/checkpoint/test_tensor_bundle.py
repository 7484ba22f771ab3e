"""Reading checkpoint indexes of TensorFlow, and damaged or hostile ones."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt2_helpers.checkpoint.tensor_bundle import (
    MAX_INDEX_BYTES,
    CorruptIndexError,
    Entry,
    masked_crc32c,
    read_index,
    slice_key,
)
from gpt2_helpers.checkpoint.weights import WeightsReader, write_weights
from gpt2_helpers.errors import CheckpointError
from index_files import block, entry, field, index, slices, table, varint
from paths import GOLDEN

GOLDEN_FILE = GOLDEN / "gpt_2_simple_run" / "model-20.index"

FUZZED = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def read(tmp_path: Path, content: bytes) -> dict[str, Entry]:
    path = tmp_path / "model.index"
    path.write_bytes(content)
    return read_index(path)


def sliced(
    *positions: tuple[tuple[int, int | None], ...], shape: tuple[int, ...] = (3, 2)
) -> bytes:
    """An index with one variable in slices, which have the right keys if they are valid."""
    shape, parts = (3, 2), {}
    for position in positions:
        if len(position) == len(shape) and all(0 <= s < 9 and (n or 0) < 9 for s, n in position):
            size = tuple(
                full if n is None else n for (_, n), full in zip(position, shape, strict=True)
            )
            extents = tuple((start, -1 if n is None else n) for start, n in position)
            parts[slice_key(b"a", extents)] = entry(shape=size, size=4 * math.prod(size))
    whole = (b"a", entry(shape=shape, size=0) + slices(*positions))
    return index(*sorted(parts.items()), whole)


def test_an_index_of_tensorflow_is_read(tmp_path: Path) -> None:
    arrays = {f"model/h{n}/w": np.full((n, 3), n, np.float32) for n in range(1, 400)}
    write_weights(tmp_path / "model", arrays)  # several blocks
    entries = read_index(tmp_path / "model.index")
    assert {name: entry.shape for name, entry in entries.items()} == {
        name: array.shape for name, array in arrays.items()
    }
    assert all(entry.dtype == "float32" and entry.shards == 1 for entry in entries.values())


def test_a_handmade_index_is_read(tmp_path: Path) -> None:
    (found,) = read(tmp_path, index((b"a", entry(shard=0, offset=5, checksum=7)))).values()
    assert found == ("float32", (2,), 0, 1, 5, 8, 7, np.dtype("<f4"), ())


def test_several_data_files(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0], np.float32)
    checksum = masked_crc32c(values)
    content = index((b"a", entry(shard=1, checksum=checksum)), header=field(1, 2))
    (tmp_path / "model.index").write_bytes(content)
    for shard in (0, 1):
        (tmp_path / f"model.data-{shard:05d}-of-00002").write_bytes(values.tobytes())
    reader = WeightsReader(tmp_path / "model")
    np.testing.assert_array_equal(reader["a"], values)
    (tmp_path / "model.data-00001-of-00002").unlink()
    with pytest.raises(CheckpointError, match="model.data-00001-of-00002 is missing"):
        WeightsReader(tmp_path / "model")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (bytes(100), "bad footer"),
        (index((b"a", entry(size=12))), "do not match"),
        (index((b"a", entry(shape=(2**62, 2**62), size=8))), "too large"),
        (index((b"a", entry(shape=(1,) * 33, size=4))), "33 dimensions"),
        (index((b"a", entry(shape=(2**64 - 5,)))), "a dimension of a variable is negative"),
        (index((b"a", entry(offset=2**63))), "expected an integer field"),
        (index((b"a", entry(shard=1))), "in data file 1 of 1"),
        (index((b"a", field(2, 7) + field(1, 1))), "expected a bytes field"),
        (index((b"a", b"\x08")), "unexpected end of data"),
        (index((b"a", b"\xff" * 11)), "varint longer than 64 bits"),
        (index((b"a", b"\x0b")), "unknown wire type"),
        (index((b"b", entry()), (b"a", entry())), "not in order"),
        (index((b"\xff", entry())), "not valid UTF-8"),
        (index((b"a", entry()), header=b""), "invalid number of shards: 0"),
        (index((b"a", entry()), header=field(1, 2**40)), "invalid number of shards"),
        (table(b"", [(0, 2**40)]), "past the end of the file"),
        (table(block([]), [(0, 8), (0, 8)]), "overlap"),
        (table(bytes(13), [(0, 8)]), "checksum"),
        (index((b"a", entry()), kind=1), "compressed"),
        # One entry that needs special treatment, and an invalid one.
        (index((b"a", entry(dtype=7)), (b"b", b"b" + bytes([255] * 6))), "unexpected end of data"),
        (index((b"a", entry(dtype=7)), (b"b", entry(shape=(2**64 - 5,)))), "negative"),
        (index((b"a", entry(dtype=7) + slices(((0, None),)) * 2)), "missing or has another shape"),
        (sliced(((0, 1), (0, None)), ((0, 1), (0, None))), "listed twice"),
        (sliced(((0, 1), (0, None))), "do not cover it"),
        (sliced(((0, 2), (0, None)), ((1, 2), (0, None))), "do not cover it"),
        (sliced(((0, 2), (0, 1)), ((1, 1), (0, 2)), ((2, 1), (0, 2))), "do not cover it"),
        (sliced(((0, 4), (0, None))), "past the end"),
        (sliced(((1, None), (0, None))), "past the end"),
        (sliced(((2**64 - 1, 1), (0, None))), "expected an integer field"),
        (sliced(((0, 2**64 - 1), (0, None))), "expected an integer field"),
        (sliced(((0, None),)), "different number of dimensions"),
        (sliced(*[((0, 1), (0, None))] * 1001), "1,001 slices"),
    ],
)
def test_a_damaged_or_hostile_index(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CorruptIndexError, match=message):
        read(tmp_path, content)


def test_a_huge_index_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="larger than 4,194,304 bytes"):
        read(tmp_path, bytes(MAX_INDEX_BYTES + 1))


def test_slices_are_found(tmp_path: Path) -> None:
    found = read(tmp_path, sliced(((0, 1), (0, None)), ((1, 2), (0, None))))
    assert list(found) == ["a"]
    assert [(extents, part.shape) for extents, part in found["a"].slices] == [
        (((0, 1), (0, -1)), (1, 2)),
        (((1, 2), (0, -1)), (2, 2)),
    ]


def test_a_slice_has_no_slices(tmp_path: Path) -> None:
    whole = ((0, -1),)
    value = entry() + slices(((0, None),))
    part = slice_key(b"a", whole)
    with pytest.raises(CorruptIndexError, match="has slices"):
        read(tmp_path, index((slice_key(part, whole), entry()), (part, value), (b"a", value)))


def test_slices_of_other_dtypes_do_not_match(tmp_path: Path) -> None:
    whole = ((0, -1),)
    value = entry(dtype=3) + slices(((0, None),))
    with pytest.raises(CorruptIndexError, match="missing or has another shape"):
        read(tmp_path, index((slice_key(b"a", whole), entry()), (b"a", value)))


@pytest.mark.parametrize(
    ("dtype", "name", "storage"), [(7, "number 7", None), (14, "bfloat16", "<u2")]
)
def test_dtypes_that_numpy_lacks(
    tmp_path: Path, dtype: int, name: str, storage: str | None
) -> None:
    (found,) = read(tmp_path, index((b"a", entry(dtype, size=4)))).values()
    assert (found.dtype, found.storage) == (name, storage and np.dtype(storage))


def test_names_that_grow_without_limit_are_rejected(tmp_path: Path) -> None:
    # Each name is the previous one plus a letter: a small file expands to a huge list.
    count = 10_000
    written = b"".join(varint(n) + varint(1) + varint(0) + b"a" for n in range(count))
    content = written + struct.pack("<II", 0, 1) + b"\0"
    content += struct.pack("<I", masked_crc32c(np.frombuffer(content, np.uint8)))
    with pytest.raises(CorruptIndexError, match="not in order"):
        read(tmp_path, table(content, [(0, len(content) - 5)]))


@given(st.data())
@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_changed_byte_is_read_or_rejected(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(GOLDEN_FILE.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    start, size = data.draw(st.tuples(st.integers(0, 9), st.integers(0, len(content))))
    for changed in (bytes(content), bytes(content[start:size])):
        try:
            read(tmp_path, changed)
        except CorruptIndexError:
            continue


@given(st.binary(max_size=60), st.binary(max_size=20))
@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_entry_is_read_or_rejected(tmp_path: Path, value: bytes, name: bytes) -> None:
    for hostile in (value, entry() + value, field(2, value) + entry()):
        try:
            read(tmp_path, index((b"a" + name, hostile)))
        except CorruptIndexError:
            continue


def test_the_checksum_is_masked_as_tensorflow_does() -> None:
    # tensorflow/core/lib/hash/crc32c.h: rotated right by 15 bits, plus a constant.
    crc = 0xE3069283  # CRC-32C of 123456789 in RFC 3720
    expected = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc32c(np.frombuffer(b"123456789", np.uint8)) == expected


def test_an_arrays_checksum_is_that_of_its_bytes() -> None:
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    for view in (array, array.T, array[:0]):
        assert masked_crc32c(view) == masked_crc32c(np.frombuffer(view.tobytes(), np.uint8))
