"""Names and arrays <-> TensorFlow's checkpoint files. Knows nothing of GPT-2 but the files' names.

The format is TensorFlow's "tensor bundle": `PREFIX.index` lists names, shapes and places,
`PREFIX.data-00000-of-00001` holds the numbers. `PREFIX.meta` once held a graph; ours says only
which TensorFlow wrote it, since older tools look for the file and none needs what is in it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from gpt2_helpers.checkpoint.tensor_bundle import (
    DATA,
    INDEX,
    BadIndexError,
    Entry,
    ForeignIndexError,
    masked_crc32c,
    read_index,
)
from gpt2_helpers.checkpoint.tensor_bundle_writer import write_bundle
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.system.files import flush

SUFFIXES = (DATA, ".meta", INDEX)  # the index last: with it the rest is whole
REQUIRED_SUFFIXES = (INDEX, DATA)


class WeightsReader(Mapping[str, np.ndarray]):
    """The variables of a checkpoint, read one by one as they are asked for, by any number of
    threads.

    `WeightsReader("models/124M/model.ckpt")["model/wpe"].shape` is (1024, 768).
    """

    def __init__(self, prefix: str | Path) -> None:
        """Raises CheckpointError where a file is missing or is no checkpoint."""
        self.prefix = Path(prefix)
        _require(Path(f"{prefix}.index"))
        self._entries: dict[str, Entry] = {}
        self._foreign: Any = None  # TensorFlow's own reader, for what ours doesn't know
        try:
            self._entries = read_index(Path(f"{prefix}.index"))
            self.shapes = {name: entry.shape for name, entry in self._entries.items()}
        except ForeignIndexError:
            self._foreign = _TensorFlowsReader(self.prefix)
            self.shapes = self._foreign.shapes
        except (BadIndexError, OSError) as error:
            raise CheckpointError(f"{prefix}.index is no checkpoint: {_line(error)}") from None
        for path in sorted({self._file_of(entry) for entry in self._entries.values()}):
            _require(path)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.shapes:
            raise KeyError(name)
        if self._foreign is not None:
            array: np.ndarray = self._foreign.read(name)
            return array
        entry = self._entries[name]
        path = self._file_of(entry)
        count = entry.size // entry.dtype.itemsize
        try:
            if path.stat().st_size < entry.offset + entry.size:  # before room is made for it
                raise _unreadable(self.prefix, name, f"{path.name} ends before it")
            array = np.fromfile(path, entry.dtype, count, offset=entry.offset)
            if len(array) == count and masked_crc32c(array) == entry.checksum:
                return array.reshape(entry.shape)
        except (OSError, ValueError) as error:
            raise _unreadable(self.prefix, name, _line(error)) from None
        raise _unreadable(self.prefix, name, "its checksum is another")

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def _file_of(self, entry: Entry) -> Path:
        return Path(f"{self.prefix}.data-{entry.shard:05d}-of-{entry.shards:05d}")


class _TensorFlowsReader:
    """Reads what TensorFlow alone knows: compressed lists, variables in slices, unusual types."""

    def __init__(self, prefix: Path) -> None:
        import tensorflow as tf

        self._prefix = prefix
        self._refusals = (tf.errors.OpError, ValueError, IndexError)
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
            shapes = self._reader.get_variable_to_shape_map()
            self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        except self._refusals as error:
            raise CheckpointError(f"{prefix}.index is no checkpoint: {_line(error)}") from None

    def read(self, name: str) -> Any:
        try:
            return self._reader.get_tensor(name)
        except self._refusals as error:
            raise _unreadable(self._prefix, name, _line(error)) from None


def _require(path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: the checkpoint is incomplete")


def _unreadable(prefix: Path, name: str, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{prefix}: the variable {name} cannot be read, so the data file is cut short or damaged "
        f"({reason}): delete it, and copy or download it again"
    )


def write_weights(
    prefix: str | Path, arrays: Mapping[str, Any] | Iterable[tuple[str, Any]]
) -> None:
    """Write named arrays or tensors as `PREFIX.index`, `.data-…` and `.meta`.

    They are taken one by one, so that what is only made then is never all in memory at once. They
    are written in a folder beside, flushed and renamed, so that no file is ever half there.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2

    prefix = Path(prefix)
    beside = None
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".part-", dir=prefix.parent))
        part = beside / prefix.name
        write_bundle(part, arrays.items() if isinstance(arrays, Mapping) else arrays)
        meta = meta_graph_pb2.MetaGraphDef()
        meta.meta_info_def.tensorflow_version = tf.__version__
        Path(f"{part}.meta").write_bytes(meta.SerializeToString())
        for suffix in SUFFIXES:
            flush(Path(f"{part}{suffix}"))
        # An old index must never stand beside new data: killed in between, there is no checkpoint.
        Path(f"{prefix}{INDEX}").unlink(missing_ok=True)
        for suffix in SUFFIXES:
            os.replace(f"{part}{suffix}", f"{prefix}{suffix}")
        with suppress(OSError):  # some file systems refuse it for a folder
            flush(prefix.parent)
    except (tf.errors.OpError, OSError) as error:
        if "OOM" in str(error):
            raise
        raise CheckpointError(
            f"{prefix} could not be written: {_line(error)}: is the disk full or read-only? "
            "What was there before is unchanged"
        ) from None
    finally:
        if beside:
            shutil.rmtree(beside, ignore_errors=True)


def _line(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", "") or error).split())[:200]
