"""A model's weights in the files of an ONNX model: fp32, or 8-bit matrices with scales.

An 8-bit matrix has unsigned numbers with the zero point 128 and a scale for each column, in a
second tensor. The token embeddings are stored once, transposed, as the output matrix, so that the
scales are those of the tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gpt2_helpers.system.files import atomic_write

SCALES = "/scales"  # added to the name of an 8-bit matrix
ZERO_POINT = 128
MAX_FILE_BYTES = 48 * 10**6  # some hosts limit files to 50 MB
LARGEST = 127
_ALIGNMENT = 64  # bytes


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is.

    Attributes:
        dtype: uint8 or float32.
        shape: Its shape.
        file: Name of the file.
        offset: First byte in the file.
        size: Number of bytes.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    file: str
    offset: int
    size: int


@dataclass(frozen=True)
class WrittenFile:
    """A complete file: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


def quantize_columns(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a matrix to 8 bits per number.

    Args:
        matrix: Shape (n_in, n_out).

    Returns:
        Unsigned numbers (n_in, n_out) and scales (n_out). A number minus 128 times the scale of its
        column is the rounded value.

    >>> numbers, scales = quantize_columns(np.array([[1.0, 0.0], [-0.5, 0.0]], np.float32))
    >>> numbers.tolist(), (scales * 127).tolist()
    ([[255, 128], [64, 128]], [1.0, 127.0])
    """
    largest = np.abs(matrix).max(axis=0)
    scales = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
    numbers = np.rint(matrix / scales) + ZERO_POINT
    return numbers.astype(np.uint8), scales


@dataclass(frozen=True)
class Weight:
    """A variable in the form that is stored.

    Attributes:
        name: OpenAI's name.
        array: fp32, or unsigned 8-bit numbers.
        scales: The scale of each column of 8-bit numbers.
    """

    name: str
    array: np.ndarray
    scales: np.ndarray | None = None


def stored_weights(weights: Mapping[str, np.ndarray], dtype: str) -> Iterator[Weight]:
    """Convert a model's weights, one at a time.

    Args:
        weights: The model's variables under OpenAI's names.
        dtype: float32 or int8.

    Yields:
        The variables. Vectors and the position embeddings are always fp32.

    Raises:
        CheckpointError: A weight cannot be read.
    """
    for name in weights:
        array = weights[name].astype(np.float32, copy=False)
        if name.endswith("/w"):
            array = array[0]
        elif name == "model/wte":
            array = array.T  # (n_embd, n_vocab)
        if dtype == "int8" and array.ndim == 2 and name != "model/wpe":
            yield Weight(name, *quantize_columns(array))
        else:
            yield Weight(name, array)


class WeightFiles:
    """Writes tensors to numbered files of limited size.

    Args:
        folder: An existing folder. Files are replaced one by one when they are complete.
        max_bytes: The largest size of a file. Larger tensors are split along their last axis.

    Example:
        with WeightFiles(folder) as files:
            files.add(Weight("model/wte", array))
        files.tensors["model/wte"]
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._stack = ExitStack()
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._offset = 0
        self.tensors: dict[str, list[StoredTensor]] = {}
        self.files: list[WrittenFile] = []

    def __enter__(self) -> WeightFiles:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._finish()
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    @property
    def _name(self) -> str:
        return weights_file(len(self.files))

    def add(self, weight: Weight) -> None:
        """Write a variable, and its scales as another tensor. Raises OSError."""
        n_columns = weight.array.shape[-1]
        step = max(1, self._max_bytes * n_columns // weight.array.nbytes)
        columns = [slice(start, start + step) for start in range(0, n_columns, step)]
        self.tensors[weight.name] = [self._write(weight.array[..., part]) for part in columns]
        if weight.scales is not None:
            scales = [self._write(weight.scales[part]) for part in columns]
            self.tensors[weight.name + SCALES] = scales

    def _write(self, array: np.ndarray) -> StoredTensor:
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        padding = -self._offset % _ALIGNMENT
        if self._file is not None and self._offset + padding + array.nbytes > self._max_bytes:
            self._finish()
            padding = 0
        if self._file is None:
            self._file = self._stack.enter_context(atomic_write(self._folder / self._name))
        for content in (bytes(padding), array.data):
            self._file.write(content)
            self._digest.update(content)
        start = self._offset + padding
        self._offset = start + array.nbytes
        return StoredTensor(array.dtype, array.shape, self._name, start, array.nbytes)

    def _finish(self) -> None:
        if self._file is None:
            return
        self._stack.close()
        self.files.append(WrittenFile(self._name, self._offset, self._digest.hexdigest()))
        self._file, self._offset, self._digest = None, 0, hashlib.sha256()


def weights_file(order: int) -> str:
    """The name of a file of weights.

    >>> weights_file(2)
    'weights-002.bin'
    """
    return f"weights-{order:03d}.bin"
