"""Token ids in files: memory-mapped arrays and .npz archives.

An .npz archive is a zip file of .npy arrays, both NumPy's formats [1]. gpt-2-simple writes and
reads one or more arrays of ids, named `arr_0`, `arr_1` and so on. Files are read and written in
chunks.

[1] https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import numpy as np

from gpt2_helpers.errors import DatasetError, brief, write_problem
from gpt2_helpers.system.files import atomic_write
from gpt2_helpers.types import AnyIds

_CHUNK_TOKENS = 1 << 19  # ids read or written at a time
_MAX_HEADER_SIZE = 10_000  # bytes


def memmap_tokens(
    chunks: Iterable[AnyIds], dtype: np.dtype[Any], path: Path | None = None
) -> Generator[int, None, AnyIds]:
    """Write ids to a file and map it into memory. Yields the number of ids after each chunk.

    Args:
        chunks: Arrays of ids.
        dtype: Type of the ids in the file.
        path: The .npy file to write, atomically. Default: a temporary file, deleted with the array.

    Returns:
        A read-only array of all ids, (count,).

    Raises:
        DatasetError: The file cannot be written.
    """
    if path is not None:
        with write_dataset_file(path) as file:
            count = yield from write_npy(file, chunks, dtype)
        return _memmap(path, dtype, count)
    try:
        with tempfile.TemporaryFile() as file:
            count = yield from write_npy(file, chunks, dtype)
            return _memmap(file, dtype, count)  # the mapping outlives the closed file
    except OSError as error:
        folder = tempfile.gettempdir()
        problem = write_problem(Path(folder, "tokens"), error, "set TMPDIR to another folder")
        raise DatasetError(f"a temporary file in {folder} cannot be written: {problem}") from None


def write_npy(
    file: IO[bytes], chunks: Iterable[AnyIds], dtype: np.dtype[Any]
) -> Generator[int, None, int]:
    """Write ids to an open .npy file. Yields the number of ids after each chunk, and returns it."""
    count = 0
    file.write(_npy_header(dtype, 0))
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk, dtype).data)
        count += len(chunk)
        yield count
    file.seek(0)
    file.write(_npy_header(dtype, count))
    file.flush()
    return count


def _memmap(file: Any, dtype: np.dtype[Any], count: int) -> AnyIds:
    if not count:
        return np.empty(0, dtype)  # an empty array cannot be mapped
    return np.memmap(file, dtype, "r", len(_npy_header(dtype, 0)), (count,))


@contextmanager
def write_dataset_file(path: Path) -> Iterator[BinaryIO]:
    """`atomic_write` that raises DatasetError if `path` cannot be written."""
    try:
        with atomic_write(path) as file:
            yield file
    except OSError as error:
        problem = write_problem(path, error, "choose another folder")
        raise DatasetError(f"{path} cannot be written: {problem}") from None


def write_npz(path: Path, tokens: AnyIds) -> None:
    """Write `tokens` (count,) as the only array of an .npz file that gpt-2-simple can read too."""
    with (
        write_dataset_file(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(_npy_header(tokens.dtype, len(tokens)))
        for start in range(0, len(tokens), _CHUNK_TOKENS):
            entry.write(np.ascontiguousarray(tokens[start : start + _CHUNK_TOKENS]).tobytes())


def read_tokens(path: Path, n_vocab: int) -> Iterator[AnyIds]:
    """Read the ids of all arrays of an .npz or .npy file, in order.

    Args:
        path: File to read.
        n_vocab: Size of the vocabulary; every id must be smaller.

    Yields:
        The ids in chunks.

    Raises:
        DatasetError: The file is damaged, an array is not one-dimensional and integer, or an id is
            negative or too large.
    """
    return check_ids(_read_arrays(path), path, n_vocab)


def check_ids(chunks: Iterable[AnyIds], path: Path, n_vocab: int) -> Iterator[AnyIds]:
    """Pass ids of a file through; raises DatasetError if one is negative or too large."""
    largest = n_vocab - 1
    for chunk in chunks:
        if chunk.min() < 0:
            raise DatasetError(f"{path} contains the id {chunk.min()}: ids must not be negative")
        largest = max(largest, int(chunk.max()))
        if largest < n_vocab:
            yield chunk
    if largest >= n_vocab:  # raised at the end, when the largest id is known
        raise DatasetError(
            f"{path} contains ids up to {largest}, but this model's vocabulary ends at "
            f"{n_vocab - 1}: it was encoded with another model's tokenizer; encode the text again "
            "with this one"
        )


def _read_arrays(path: Path) -> Iterator[AnyIds]:
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                yield from read_npy(path, path.name, file)
            return
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as entry:
                    yield from read_npy(path, name, entry)
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # zipfile and its decompressors raise many types
        raise DatasetError(
            f"{path} is damaged or not an .npz archive: {brief(error)}; encode the text again"
        ) from None


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_npy(path: Path, name: str, file: _Readable) -> Iterator[AnyIds]:
    """Read the ids of an .npy file in chunks.

    Args:
        path: The file or the archive that contains it, for error messages.
        name: Its name in the archive, for error messages.
        file: The open file.

    Raises:
        DatasetError: It is truncated or not an array of ids.
    """
    shape, dtype = _read_npy_header(path, name, file)
    if dtype.kind not in "iu" or len(shape) != 1 or shape[0] < 0:
        raise DatasetError(
            f"{path}: {brief(name)} contains {brief(dtype)} of shape {brief(shape)}, not a list of "
            "token ids: create the file with encode_dataset"
        )
    left = shape[0]
    while left:
        size = min(left, _CHUNK_TOKENS) * dtype.itemsize
        data = file.read(size)
        if len(data) < size:
            raise DatasetError(
                f"{path}: {brief(name)} is truncated: the file is damaged; encode the text again"
            )
        yield np.frombuffer(data, dtype)
        left -= size // dtype.itemsize


def _read_npy_header(
    path: Path, name: str, file: _Readable
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype in the header of an .npy file.

    The header states its own length, which may be false, so no more is read than NumPy accepts.
    """
    magic = file.read(8)
    is_version_1 = magic[6:7] == b"\x01"
    length = file.read(2 if is_version_1 else 4)
    size = int.from_bytes(length, "little")
    header = io.BytesIO(length + file.read(min(size, _MAX_HEADER_SIZE)))
    try:
        if size > _MAX_HEADER_SIZE:
            raise ValueError("the header is too long")
        np.lib.format.read_magic(io.BytesIO(magic))  # type: ignore[no-untyped-call]
        reader = "read_array_header_1_0" if is_version_1 else "read_array_header_2_0"
        shape, _, dtype = getattr(np.lib.format, reader)(header)
    except Exception as error:  # NumPy passes on any error of Python's parser
        raise DatasetError(f"{path}: {brief(name)} is not an array: {brief(error)}") from None
    return shape, dtype


def _npy_header(dtype: np.dtype[Any], count: int) -> bytes:
    """The header of an .npy file, format 1.0: 128 bytes for any count."""
    header = repr({"descr": dtype.str, "fortran_order": False, "shape": (count,)})
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + f"{header:<117}\n".encode()
