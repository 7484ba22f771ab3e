"""Reads and writes named arrays in TensorFlow checkpoint files. Independent of GPT-2.

The format is TensorFlow's "tensor bundle": `PREFIX.index` lists names, shapes and positions,
`PREFIX.data-00000-of-00001` has the data, or several such files have it. `PREFIX.meta` is for a
graph; here it has only TensorFlow's version, because older tools require the file but not its
content.
"""

from __future__ import annotations

import glob
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.checkpoint.tensor_bundle import (
    DATA,
    INDEX,
    CorruptIndexError,
    Entry,
    masked_crc32c,
    read_index,
)
from gpt2_helpers.checkpoint.tensor_bundle_writer import write_bundle
from gpt2_helpers.errors import CheckpointError, brief
from gpt2_helpers.system.files import flush

PART = ".part-"  # starts the name of a folder with files that are being written
SUFFIXES = (DATA, ".meta", INDEX)  # the index last: it marks the checkpoint as complete
_SHARD = re.compile(r"\.data-([0-9]{5})-of-([0-9]{5})")


def checkpoint_files(prefix: str | Path) -> list[Path]:
    """The existing files of a checkpoint, the index last.

    TensorFlow's sharded savers write several data files, `PREFIX.data-00000-of-00002` and so on.
    """
    prefix = Path(prefix)
    data = sorted(path for paths in _shards(prefix).values() for path in paths.values())
    return [path for path in (*data, Path(f"{prefix}.meta"), Path(f"{prefix}{INDEX}"))
            if path.is_file()]  # fmt: skip


def missing_files(prefix: str | Path) -> list[str]:
    """The names of the files that a checkpoint lacks; empty if it is complete."""
    prefix = Path(prefix)
    index = f"{prefix.name}{INDEX}"
    missing = [] if (prefix.parent / index).is_file() else [index]
    found = _shards(prefix) or {1: {}}
    lacking = [
        [f"{prefix.name}.data-{n:05d}-of-{count:05d}" for n in range(count) if n not in paths]
        for count, paths in found.items()
    ]
    return missing + min(lacking, key=len)


def _shards(prefix: Path) -> dict[int, dict[int, Path]]:
    """The data files of a checkpoint: by the number of files in the name, and by their order."""
    found: dict[int, dict[int, Path]] = {}
    for path in prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*-of-*"):
        match = _SHARD.fullmatch(path.name[len(prefix.name) :])
        if match and int(match[1]) < int(match[2]) and path.is_file():
            found.setdefault(int(match[2]), {})[int(match[1])] = path
    return found


class WeightsReader(Mapping[str, np.ndarray]):
    """The variables of a checkpoint by name, read from the files at each access. Thread-safe.

    Args:
        prefix: Path of the files without their suffixes.

    Raises:
        CheckpointError: A file is missing, damaged, or not a checkpoint.

    Example:
        WeightsReader("models/124M/model.ckpt")["model/wpe"].shape  # (1024, 768)
    """

    def __init__(self, prefix: str | Path) -> None:
        self.prefix = Path(prefix)
        _require(Path(f"{prefix}.index"))
        try:
            self._entries = read_index(Path(f"{prefix}.index"))
        except (CorruptIndexError, OSError) as error:
            raise CheckpointError(
                f"{prefix}.index is not a valid checkpoint index: {_reason(error)}"
            ) from None
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}
        self.dtypes = {name: entry.dtype for name, entry in self._entries.items()}
        parts = (part for entry in self._entries.values() for part in _parts(entry))
        for path in sorted({self._file_of(part) for part in parts}):
            _require(path)

    def __getitem__(self, name: str) -> np.ndarray:
        entry = self._entries[name]
        if entry.storage is None:
            raise _unreadable(self.prefix, name, f"unsupported dtype {entry.dtype}")
        if not entry.slices:
            return self._read(name, entry)
        for part in _parts(entry):  # before memory is allocated
            self._require_bytes(name, part)
        array: np.ndarray | None = None
        for extents, part in entry.slices:
            content = self._read(name, part)
            if array is None:
                array = np.empty(entry.shape, content.dtype)
            position = zip(extents, part.shape, strict=True)
            array[tuple(slice(start, start + size) for (start, _), size in position)] = content
        assert array is not None
        return array

    def _read(self, name: str, entry: Entry) -> np.ndarray:
        """Read a variable or a slice of one."""
        assert entry.storage is not None
        self._require_bytes(name, entry)
        path, count = self._file_of(entry), math.prod(entry.shape)
        try:
            array = np.fromfile(path, entry.storage, count, offset=entry.offset)
        except (OSError, ValueError) as error:
            raise _unreadable(self.prefix, name, _reason(error)) from None
        if len(array) != count or masked_crc32c(array) != entry.checksum:
            raise _unreadable(self.prefix, name, "checksum mismatch")
        array = array.astype(entry.storage.newbyteorder("="), copy=False)
        if entry.dtype == "bfloat16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array.reshape(entry.shape)

    def _require_bytes(self, name: str, entry: Entry) -> None:
        """Raise CheckpointError if the data file is too short."""
        path = self._file_of(entry)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unreadable(self.prefix, name, _reason(error)) from None
        if size < entry.offset + entry.size:
            raise _unreadable(self.prefix, name, f"{path.name} is truncated")

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def _file_of(self, entry: Entry) -> Path:
        return Path(f"{self.prefix}.data-{entry.shard:05d}-of-{entry.shards:05d}")


def _parts(entry: Entry) -> list[Entry]:
    """The entries of a variable's slices, or its own if it has none."""
    return [part for _, part in entry.slices] or [entry]


def _require(path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: the checkpoint is incomplete")


def _unreadable(prefix: Path, name: str, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{prefix}: the variable {name} cannot be read, the data file is truncated or damaged "
        f"({reason}): delete it, and copy or download it again"
    )


def write_weights(
    prefix: str | Path, arrays: Mapping[str, Any] | Iterable[tuple[str, Any]]
) -> None:
    """Write a checkpoint: `PREFIX.index`, `PREFIX.data-00000-of-00001` and `PREFIX.meta`.

    The files are written to a temporary folder, flushed and renamed, so that the checkpoint is
    either complete or does not exist.

    Args:
        prefix: Path of the files without their suffixes. Its folder is created if necessary.
        arrays: Names and arrays or tensors; consumed one by one.

    Raises:
        CheckpointError: The files cannot be written.
    """
    prefix = Path(prefix)
    folder = None
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=PART, dir=prefix.parent))
        part = folder / prefix.name
        write_bundle(part, arrays.items() if isinstance(arrays, Mapping) else arrays)
        Path(f"{part}.meta").write_bytes(_meta_graph())
        for suffix in SUFFIXES:
            flush(Path(f"{part}{suffix}"))
        # An old index must never be found with new data: after a kill nothing must be found.
        Path(f"{prefix}{INDEX}").unlink(missing_ok=True)
        for path in checkpoint_files(prefix):  # data files of an earlier, sharded checkpoint
            path.unlink(missing_ok=True)
        for suffix in SUFFIXES:
            os.replace(f"{part}{suffix}", f"{prefix}{suffix}")
        with suppress(OSError):  # some file systems refuse to flush a folder
            flush(prefix.parent)
    except OSError as error:
        raise CheckpointError(
            f"{prefix} could not be written: {_reason(error)}: is the disk full or read-only? "
            "Existing checkpoints are unchanged"
        ) from None
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _meta_graph() -> bytes:
    """A MetaGraphDef protocol buffer with only the version of TensorFlow, if it is installed."""
    try:
        version = metadata.version("tensorflow").encode()
    except metadata.PackageNotFoundError:
        version = b""
    info = b"\x2a" + bytes([len(version)]) + version  # field 5 of MetaInfoDef
    return b"\x0a" + bytes([len(info)]) + info  # field 1 of MetaGraphDef


def _reason(error: Exception) -> str:
    return brief(getattr(error, "message", "") or error)  # TensorFlow's str() adds internals
