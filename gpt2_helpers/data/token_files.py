"""AnyIds <-> files: the memory-mapped array that training reads, and .npz archives. Knows no text.

An .npz archive is a zip of .npy arrays (NumPy's own formats); gpt-2-simple writes and reads one or
several arrays of ids, `arr_0`, `arr_1` and on. Both directions stream: no archive is held whole.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from gpt2_helpers.errors import DatasetError, brief
from gpt2_helpers.system.files import atomic_write
from gpt2_helpers.types import AnyIds

_SUFFIXES = (".npz", ".npy")
_BLOCK = 1 << 19  # ids read or written at once
_LONGEST_HEADER = 10_000  # bytes


def is_token_file(file: Path) -> bool:
    """Whether a file holds ids and not text: by the ending of its name."""
    return file.suffix.lower() in _SUFFIXES


def memmap_tokens(
    blocks: Iterable[AnyIds], dtype: np.dtype[Any], keep: Path | None = None
) -> AnyIds:
    """All ids of `blocks` as one array [count] that lies in a file and not in memory.

    The file is the .npy array `keep`, there only once it is whole, or else a temporary one that
    goes when the array does. Raises DatasetError where it cannot be written.
    """
    if keep is not None:
        with write_dataset_file(keep) as file:
            count = _write_npy(file, blocks, dtype)
        return _mapped(keep, dtype, count)
    try:
        with tempfile.TemporaryFile() as file:
            count = _write_npy(file, blocks, dtype)
            return _mapped(file, dtype, count)  # the mapping outlives the closed file
    except OSError as error:
        raise _unwritable(f"a temporary file in {tempfile.gettempdir()}", error) from None


def _write_npy(file: IO[bytes], blocks: Iterable[AnyIds], dtype: np.dtype[Any]) -> int:
    count = 0
    file.write(_npy_header(dtype, 0))
    for block in blocks:
        file.write(np.ascontiguousarray(block, dtype).data)
        count += len(block)
    file.seek(0)
    file.write(_npy_header(dtype, count))
    file.flush()
    return count


def _mapped(file: Any, dtype: np.dtype[Any], count: int) -> AnyIds:
    if not count:
        return np.empty(0, dtype)  # nothing cannot be mapped
    return np.memmap(file, dtype, "r", len(_npy_header(dtype, 0)), (count,))


@contextmanager
def write_dataset_file(path: Path) -> Iterator[BinaryIO]:
    """`atomic_write` that raises DatasetError if `path` cannot be written."""
    try:
        with atomic_write(path) as file:
            yield file
    except OSError as error:
        raise _unwritable(str(path), error) from None


def write_npz(path: Path, tokens: AnyIds) -> None:
    """Write `tokens` [count] as the one array of an .npz that gpt-2-simple reads as well."""
    with (
        write_dataset_file(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(_npy_header(tokens.dtype, len(tokens)))
        for start in range(0, len(tokens), _BLOCK):
            entry.write(np.ascontiguousarray(tokens[start : start + _BLOCK]).tobytes())


def read_tokens(path: Path, n_vocab: int) -> Iterator[AnyIds]:
    """The ids of all arrays of an .npz or .npy file, in order, block by block.

    Raises DatasetError for a damaged archive, for arrays that are no row of whole numbers, and for
    ids that are not below `n_vocab`, with the largest of them.
    """
    largest = n_vocab - 1
    for block in _stored_blocks(path):
        if block.min() < 0:
            raise DatasetError(f"{path} holds the id {block.min()}: ids are never negative")
        largest = max(largest, int(block.max()))
        if largest < n_vocab:
            yield block
    if largest >= n_vocab:  # told at the end, so that the largest of all is named
        raise DatasetError(
            f"{path} holds ids up to {largest}, where this model's vocabulary ends at "
            f"{n_vocab - 1}: it was encoded with another model's tokenizer; encode the text again "
            "with this one"
        )


def _stored_blocks(path: Path) -> Iterator[AnyIds]:
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                yield from _npy_blocks(path, path.name, file)
            return
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as entry:
                    yield from _npy_blocks(path, name, entry)
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # zipfile and what it unpacks with raise of many kinds
        raise DatasetError(
            f"{path} is damaged, or no .npz archive: {brief(error)}; encode the text again"
        ) from None


def _npy_blocks(path: Path, name: str, file: IO[bytes]) -> Iterator[AnyIds]:
    shape, dtype = _npy_form(path, name, file)
    if dtype.kind not in "iu" or len(shape) != 1 or shape[0] < 0:
        raise DatasetError(
            f"{path}: {brief(name)} holds {brief(dtype)} of shape {brief(shape)}, where a dataset "
            "holds one row of token ids: was it made by encode_dataset?"
        )
    left = shape[0]
    while left:
        size = min(left, _BLOCK) * dtype.itemsize
        data = file.read(size)
        if len(data) < size:
            raise DatasetError(
                f"{path}: {brief(name)} ends early: the file is damaged; encode it again"
            )
        yield np.frombuffer(data, dtype)
        left -= size // dtype.itemsize


def _npy_form(path: Path, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type that the header of an .npy file tells. It may say that it is as long
    as it likes: no more is read than NumPy would take."""
    magic = file.read(8)
    is_first = magic[6:7] == b"\x01"  # the first version of the format
    length = file.read(2 if is_first else 4)
    size = int.from_bytes(length, "little")
    header = io.BytesIO(length + file.read(min(size, _LONGEST_HEADER)))
    try:
        if size > _LONGEST_HEADER:
            raise ValueError("its header is too long")
        np.lib.format.read_magic(io.BytesIO(magic))  # type: ignore[no-untyped-call]
        reader = "read_array_header_1_0" if is_first else "read_array_header_2_0"
        shape, _, dtype = getattr(np.lib.format, reader)(header)
    except Exception as error:  # NumPy hands on whatever Python's own parser raises
        raise DatasetError(f"{path}: {brief(name)} is no array: {brief(error)}") from None
    return shape, dtype


def _npy_header(dtype: np.dtype[Any], count: int) -> bytes:
    """The 128 bytes before the ids in an .npy file, format 1.0: as long for any count."""
    told = repr({"descr": dtype.str, "fortran_order": False, "shape": (count,)})
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + f"{told:<117}\n".encode()


def _unwritable(what: str, error: OSError) -> DatasetError:
    return DatasetError(
        f"{what} cannot be written: {error.strerror or error}; free some space, or choose another "
        "folder"
    )
