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
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from gpt2_helpers.bundle_writer import DATA, INDEX, write_bundle
from gpt2_helpers.errors import CheckpointError

SUFFIXES = (DATA, ".meta", INDEX)  # the index last: with it the rest is whole
REQUIRED_SUFFIXES = (INDEX, DATA)


class WeightsReader(Mapping[str, np.ndarray]):
    """The variables of a checkpoint, read one by one as they are asked for.

    `WeightsReader("models/124M/model.ckpt")["model/wpe"].shape` is (1024, 768).
    """

    def __init__(self, prefix: str | Path) -> None:
        """Raises CheckpointError where a file is missing or is no checkpoint."""
        self.prefix = Path(prefix)
        for suffix in REQUIRED_SUFFIXES:
            path = Path(f"{prefix}{suffix}")
            if not path.is_file():
                raise CheckpointError(f"{path} is missing: the checkpoint is incomplete")
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
            self.shapes: dict[str, tuple[int, ...]] = {
                name: tuple(shape)
                for name, shape in self._reader.get_variable_to_shape_map().items()
            }
        except (tf.errors.OpError, ValueError) as error:
            raise CheckpointError(f"{prefix}.index is no checkpoint: {_line(error)}") from None

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.shapes:
            raise KeyError(name)
        try:
            return self._reader.get_tensor(name)
        except (tf.errors.OpError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"{self.prefix}: the variable {name} cannot be read, so the data file is cut "
                f"short or damaged ({_line(error)}): copy or download it again"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


def write_weights(
    prefix: str | Path, arrays: Mapping[str, Any] | Iterable[tuple[str, Any]]
) -> None:
    """Write named arrays or tensors as `PREFIX.index`, `.data-…` and `.meta`.

    They are taken one by one, so that what is only made then is never all in memory at once. They
    are written in a folder beside, flushed and renamed, so that no file is ever half there.
    """
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
        for suffix in SUFFIXES:
            os.replace(f"{part}{suffix}", f"{prefix}{suffix}")
        flush(prefix.parent)
    except (tf.errors.OpError, OSError) as error:
        raise CheckpointError(
            f"{prefix} could not be written: {_line(error)}: is the disk full or read-only? "
            "What was there before is unchanged"
        ) from None
    finally:
        if beside:
            shutil.rmtree(beside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    flush(part)
    os.replace(part, path)


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders, and needs no flush of them
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _line(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", "") or error).split())[:200]
