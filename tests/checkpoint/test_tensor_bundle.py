"""Reading checkpoint indexes of TensorFlow, and damaged or hostile ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt2_helpers.checkpoint.tensor_bundle import (
    MAX_INDEX_BYTES,
    CorruptIndexError,
    UnsupportedIndexError,
    masked_crc32c,
    read_index,
)
from gpt2_helpers.checkpoint.weights import WeightsReader, write_weights
from gpt2_helpers.errors import CheckpointError
from paths import GOLDEN

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
GOLDEN_FILE = GOLDEN / "gpt_2_simple_run" / "model-20.index"

FUZZED = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer; numbers are varints except the checksum."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if number == 6:
        return varint(number << 3 | 5) + struct.pack("<I", value)
    return varint(number << 3) + varint(value)


def entry(dtype: int = 1, shape: tuple[int, ...] = (2,), size: int = 8, **more: int) -> bytes:
    dimensions = b"".join(field(2, field(1, dimension)) for dimension in shape)
    numbers = {"shard": 3, "offset": 4, "checksum": 6}
    others = b"".join(field(numbers[name], value) for name, value in more.items())
    return field(1, dtype) + field(2, dimensions) + field(5, size) + others


def block(pairs: list[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    """A block with its checksum; no key shares a prefix with the previous one."""
    written = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs
    )
    content = written + struct.pack("<II", 0, 1) + bytes([kind])
    return content + struct.pack("<I", masked_crc32c(np.frombuffer(content, np.uint8)))


def table(content: bytes, handles: list[tuple[int, int]]) -> bytes:
    """`content`, an index block with the positions and sizes of its blocks, and the footer."""
    listed = block([(b"%08d" % at, varint(a) + varint(b)) for at, (a, b) in enumerate(handles)])
    places = varint(0) + varint(0) + varint(len(content)) + varint(len(listed) - 5)
    return content + listed + places.ljust(40, b"\0") + MAGIC


def index(*entries: tuple[bytes, bytes], header: bytes = field(1, 1), kind: int = 0) -> bytes:
    content = block([(b"", header), *entries], kind)
    return table(content, [(0, len(content) - 5)])


def read(tmp_path: Path, content: bytes) -> dict[str, object]:
    path = tmp_path / "model.index"
    path.write_bytes(content)
    return dict(read_index(path))


def test_an_index_of_tensorflow_is_read(tmp_path: Path) -> None:
    arrays = {f"model/h{n}/w": np.full((n, 3), n, np.float32) for n in range(1, 400)}
    write_weights(tmp_path / "model", arrays)  # several blocks
    entries = read_index(tmp_path / "model.index")
    assert {name: entry.shape for name, entry in entries.items()} == {
        name: array.shape for name, array in arrays.items()
    }
    assert all(entry.dtype == np.float32 and entry.shards == 1 for entry in entries.values())


def test_a_handmade_index_is_read(tmp_path: Path) -> None:
    (found,) = read(tmp_path, index((b"a", entry(shard=0, offset=5, checksum=7)))).values()
    assert found == (np.dtype("f4"), (2,), 0, 1, 5, 8, 7)


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
        (bytes(MAX_INDEX_BYTES + 1), "larger than"),
        (index((b"a", entry(size=12))), "do not match"),
        (index((b"a", entry(shape=(2**62, 2**62), size=8))), "do not match"),
        (index((b"a", entry(shape=(1,) * 33, size=4))), "33 dimensions"),
        (index((b"a", entry(shape=(2**63,)))), "expected an integer field"),
        (index((b"a", entry(shard=1))), "do not match"),
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
    ],
)
def test_a_damaged_or_hostile_index(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CorruptIndexError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        index((b"a", entry()), kind=1),  # compressed
        index((b"a", entry(dtype=7))),  # strings
        index((b"a", entry() + field(7, b""))),  # sliced
        index((b"a", entry()), header=field(1, 1) + field(2, 1)),  # big-endian
    ],
)
def test_unsupported_indexes_are_recognized(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnsupportedIndexError):
        read(tmp_path, content)


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
        except (CorruptIndexError, UnsupportedIndexError):
            continue


@given(st.binary(max_size=60), st.binary(max_size=20))
@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_entry_is_read_or_rejected(tmp_path: Path, value: bytes, name: bytes) -> None:
    for hostile in (value, entry() + value, field(2, value) + entry()):
        try:
            read(tmp_path, index((b"a" + name, hostile)))
        except (CorruptIndexError, UnsupportedIndexError):
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
