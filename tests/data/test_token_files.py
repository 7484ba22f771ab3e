"""Archives of ids: read as gpt-2-simple writes them, written as it reads them, never half."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt2_helpers.data.token_files import memmap_tokens, read_tokens, write_dataset_file, write_npz
from gpt2_helpers.errors import DatasetError
from gpt2_helpers.types import AnyIds

IDS = np.random.default_rng(1).integers(0, 50257, 1_500_000).astype("<u2")
DTYPE = np.dtype("<u2")


def read(path: Path, n_vocab: int = 50257) -> list[int]:
    return [index for block in read_tokens(path, n_vocab) for index in block.tolist()]


def test_what_is_written_is_read_by_gpt_2_simple_s_way_and_by_ours(tmp_path: Path) -> None:
    path = tmp_path / "text_encoded.npz"
    write_npz(path, IDS)
    with np.load(path) as archive:  # as gpt-2-simple does
        chunks = [archive[item] for item in archive.files]
    assert [chunk.shape for chunk in chunks] == [IDS.shape]
    assert np.array_equal(chunks[0], IDS)
    assert read(path) == IDS.tolist()
    write_npz(path, np.zeros_like(IDS))
    assert path.stat().st_size < IDS.nbytes / 100


def test_the_same_ids_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, IDS[:1000])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("dtype", ["<i8", "<i4", ">i4", "<u2", "uint64"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_of_several_arrays_are_read_in_order(
    tmp_path: Path, dtype: str, save: Any
) -> None:
    parts = [IDS[:700_000], IDS[700_000:700_001], IDS[:0], IDS[700_001:]]
    save(tmp_path / "a.npz", *(part.astype(dtype) for part in parts))
    assert read(tmp_path / "a.npz") == IDS.tolist()


def test_a_plain_npy_is_read_too(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IDS[:1000].astype(np.int64))
    assert read(tmp_path / "a.npy") == IDS[:1000].tolist()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ([[1], [3, 900, 4], [600]], "ids up to 900, where this model's vocabulary ends at 299"),
        ([[1, 2], [3, -4]], "holds the id -4"),
        ([[1.5, 2.5]], "arr_0.npy holds float64"),
        ([[[1, 2], [3, 4]]], "of shape (2, 2)"),
        ([["one"]], "arr_0.npy holds <U3"),
    ],
)  # fmt: skip
def test_what_are_no_ids_of_this_model_is_refused(
    tmp_path: Path, arrays: list[Any], said: str
) -> None:
    np.savez(tmp_path / "a.npz", *map(np.array, arrays))
    with pytest.raises(DatasetError, match=re.escape(said)):
        read(tmp_path / "a.npz", 300)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    harmful = np.empty(1, object)
    harmful[0] = _Opens(str(trap))
    np.savez(tmp_path / "a.npz", harmful)
    with pytest.raises(DatasetError, match="holds object"):
        read(tmp_path / "a.npz")
    assert not trap.exists()


class _Opens:
    """Makes a file when unpickled."""

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


def test_a_text_named_npz_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("no archive")
    with pytest.raises(DatasetError, match=r"damaged, or no \.npz archive"):
        read(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        read(tmp_path / "gone.npz")


def blocks() -> Iterator[AnyIds]:
    for start in range(0, len(IDS), 400_000):
        yield IDS[start : start + 400_000].astype(np.int64)


def test_ids_are_mapped_and_not_held(tmp_path: Path) -> None:
    tokens = memmap_tokens(blocks(), DTYPE)
    assert isinstance(tokens, np.memmap)
    assert tokens.dtype == np.uint16
    assert np.array_equal(tokens, IDS)
    assert not tokens.flags.writeable


def test_a_kept_file_is_a_npy_array(tmp_path: Path) -> None:
    path = tmp_path / "ids.npy"
    tokens = memmap_tokens(blocks(), DTYPE, path)
    assert np.array_equal(tokens, IDS)
    assert np.array_equal(np.load(path, mmap_mode="r"), IDS)
    assert list(tmp_path.iterdir()) == [path]


def test_no_ids_are_an_empty_array(tmp_path: Path) -> None:
    assert memmap_tokens([], DTYPE).tolist() == []
    assert memmap_tokens([], DTYPE, tmp_path / "ids.npy").tolist() == []


def failing() -> Iterator[AnyIds]:
    yield IDS
    raise DatasetError("the text ends here")


def interrupted(path: Path) -> None:
    with write_dataset_file(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "ids.npy"
    path.write_text("old")
    with pytest.raises(DatasetError, match="the text ends here"):
        memmap_tokens(failing(), DTYPE, path)
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_while_it_is_written_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "ids.npy"
    path.write_text("old")
    with write_dataset_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone.ids\.npy cannot be written: No such file"):
        memmap_tokens(blocks(), DTYPE, tmp_path / "gone" / "ids.npy")
    with pytest.raises(DatasetError, match="cannot be written"):
        write_npz(tmp_path, IDS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: open("/dev/full", "r+b"))  # noqa: SIM115
    with pytest.raises(DatasetError, match=r"temporary file in .* No space left on device"):
        memmap_tokens(blocks(), DTYPE)
