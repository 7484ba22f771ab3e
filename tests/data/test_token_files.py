"""Token files: compatible with gpt-2-simple, checked when read, written atomically."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.data import token_files
from gpt2_helpers.data.token_files import memmap_tokens, read_tokens, write_dataset_file, write_npz
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.system.files import drain
from gpt2_helpers.types import AnyIds

IDS = np.random.default_rng(1).integers(0, 50257, 1_500_000).astype("<u2")
DTYPE = np.dtype("<u2")


def read(path: Path, n_vocab: int = 50257) -> list[int]:
    return [index for chunk in read_tokens(path, n_vocab) for index in chunk.tolist()]


def test_gpt_2_simple_can_read_the_archive_and_so_can_we(tmp_path: Path) -> None:
    path = tmp_path / "text_encoded.npz"
    write_npz(path, IDS)
    with np.load(path) as archive:  # as gpt-2-simple does
        arrays = [archive[item] for item in archive.files]
    assert [array.shape for array in arrays] == [IDS.shape]
    assert np.array_equal(arrays[0], IDS)
    assert read(path) == IDS.tolist()
    write_npz(path, np.zeros_like(IDS))
    assert path.stat().st_size < IDS.nbytes / 100


def test_the_archive_is_deterministic(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, IDS[:1000])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("dtype", ["<i8", "<i4", ">i4", "<u2", "uint64"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_several_arrays_are_read_in_order(tmp_path: Path, dtype: str, save: Any) -> None:
    parts = [IDS[:700_000], IDS[700_000:700_001], IDS[:0], IDS[700_001:]]
    save(tmp_path / "a.npz", *(part.astype(dtype) for part in parts))
    assert read(tmp_path / "a.npz") == IDS.tolist()


def test_an_npy_file_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IDS[:1000].astype(np.int64))
    assert read(tmp_path / "a.npy") == IDS[:1000].tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([[1], [3, 900, 4], [600]], "ids up to 900, but this model's vocabulary ends at 299"),
        ([[1, 2], [3, -4]], "contains the id -4"),
        ([[1.5, 2.5]], "arr_0.npy contains float64"),
        ([[[1, 2], [3, 4]]], "of shape (2, 2)"),
        ([["one"]], "arr_0.npy contains <U3"),
    ],
)  # fmt: skip
def test_invalid_ids_are_an_error(tmp_path: Path, arrays: list[Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", *map(np.array, arrays))
    with pytest.raises(DatasetError, match=re.escape(message)):
        read(tmp_path / "a.npz", 300)


def test_the_size_of_the_vocabulary_is_the_first_id_that_is_too_large(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([0, 299]))
    assert read(tmp_path / "a.npy", 300) == [0, 299]
    np.save(tmp_path / "a.npy", np.array([1, 300, 2]))
    with pytest.raises(
        DatasetError, match="ids up to 300, but this model's vocabulary ends at 299"
    ):
        read(tmp_path / "a.npy", 300)


def test_a_chunk_with_an_id_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_files, "_CHUNK_TOKENS", 2)
    np.save(tmp_path / "a.npy", np.array([1, 299, 0, 300, 2, 3]))
    reading = read_tokens(tmp_path / "a.npy", 300)
    assert next(reading).tolist() == [1, 299]
    with pytest.raises(DatasetError, match="ids up to 300"):
        next(reading)


def test_all_versions_of_npy_files_are_read(tmp_path: Path) -> None:
    for version in ((1, 0), (2, 0), (3, 0)):
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array(file, IDS[:100], version)
        assert read(tmp_path / "a.npy") == IDS[:100].tolist()


@pytest.mark.parametrize(
    ("start", "shape", "message"),
    [
        (b"\x93NUMPY", "(-1,)", "of shape (-1,), not a list of token ids"),
        (b"\x93NUMPY", "(", "a.npy is not an array"),
        (b"anarray", "(2,)", "a.npy is not an array"),
    ],
)
def test_an_invalid_header_is_an_error(
    tmp_path: Path, start: bytes, shape: str, message: str
) -> None:
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    data = start[:6] + b"\x01\x00" + (118).to_bytes(2, "little") + header.encode()
    (tmp_path / "a.npy").write_bytes(data + bytes(4))
    with pytest.raises(DatasetError, match=re.escape(message)):
        read(tmp_path / "a.npy")


def test_minus_one_is_no_id(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1, -1]))
    with pytest.raises(DatasetError, match="contains the id -1"):
        read(tmp_path / "a.npy")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing.npy"
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert str(caught.value) == f"{path} cannot be read: No such file or directory"


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    created = tmp_path / "created"
    harmful = np.empty(1, object)
    harmful[0] = _Opens(str(created))
    np.savez(tmp_path / "a.npz", harmful)
    with pytest.raises(DatasetError, match="contains object"):
        read(tmp_path / "a.npz")
    assert not created.exists()


class _Opens:
    """Creates a file when unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


@pytest.mark.parametrize("kept", [0, 30, 200, 5000, -10])
def test_a_truncated_archive_is_an_error(tmp_path: Path, kept: int) -> None:
    for name, save in (("a.npz", np.savez_compressed), ("b.npy", np.save)):
        path = tmp_path / name
        save(path, IDS[:100_000])  # type: ignore[operator]
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(DatasetError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, IDS[:100_000])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="damaged"):
        read(path)


def test_a_text_file_named_npz_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("no archive")
    with pytest.raises(DatasetError, match=r"damaged or not an \.npz archive"):
        read(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        read(tmp_path / "gone.npz")


def chunks() -> Iterator[AnyIds]:
    for start in range(0, len(IDS), 400_000):
        yield IDS[start : start + 400_000].astype(np.int64)


def test_ids_are_memory_mapped(tmp_path: Path) -> None:
    tokens = drain(memmap_tokens(chunks(), DTYPE))
    assert isinstance(tokens, np.memmap)
    assert tokens.dtype == np.uint16
    assert np.array_equal(tokens, IDS)
    assert not tokens.flags.writeable


def test_the_ids_are_written_to_an_npy_file(tmp_path: Path) -> None:
    path = tmp_path / "ids.npy"
    tokens = drain(memmap_tokens(chunks(), DTYPE, path))
    assert np.array_equal(tokens, IDS)
    assert np.array_equal(np.load(path, mmap_mode="r"), IDS)
    assert list(tmp_path.iterdir()) == [path]


def test_no_ids_give_an_empty_array(tmp_path: Path) -> None:
    assert drain(memmap_tokens([], DTYPE)).tolist() == []
    assert drain(memmap_tokens([], DTYPE, tmp_path / "ids.npy")).tolist() == []


def failing() -> Iterator[AnyIds]:
    yield IDS
    raise DatasetError("the source failed")


def interrupted(path: Path) -> None:
    with write_dataset_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt


def test_a_failed_write_leaves_only_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "ids.npy"
    path.write_text("old")
    with pytest.raises(DatasetError, match="the source failed"):
        drain(memmap_tokens(failing(), DTYPE, path))
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_kept_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "ids.npy"
    path.write_text("old")
    with write_dataset_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_an_unwritable_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"gone.ids\.npy cannot be written: the folder .*gone does not exist"
    ):
        drain(memmap_tokens(chunks(), DTYPE, tmp_path / "gone" / "ids.npy"))
    with pytest.raises(DatasetError, match="cannot be written"):
        write_npz(tmp_path, IDS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: open("/dev/full", "r+b"))  # noqa: SIM115
    with pytest.raises(DatasetError, match=r"temporary file in .* No space left on device"):
        drain(memmap_tokens(chunks(), DTYPE))
