"""Writes TensorBoard event files. Does not need TensorBoard to be installed.

An event file is a TFRecord of Event protocol buffers; the first one contains the format version.
TensorFlow's writer of TFRecords is not used, because it logs its own messages when the disk is
full. The format is described in tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tensorflow.core.util.event_pb2 import Event

from gpt2_helpers.checkpoint.tensor_bundle import masked_crc32c

FLUSH_SECONDS = 30.0  # at most so much is lost if the process is killed


class EventWriter:
    """Writes scalars by step into a folder for `tensorboard --logdir`.

    writer = EventWriter("checkpoint/run1")
    writer.add(1, {"loss": 3.5})
    writer.close()
    """

    def __init__(self, folder: str | Path) -> None:
        """Create a new file; never one that exists, such as another of the same second."""
        stem = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        names = (Path(folder) / f"{stem}.{count}" for count in itertools.count())
        self.path = next(path for path in names if not path.exists())
        self._pending = _record(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._size = 0  # of the complete records in the file, in bytes
        self.flush()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add the scalars of one step, by name."""
        event = Event(wall_time=time.time(), step=step)
        for name, value in scalars.items():
            event.summary.value.add(tag=name, simple_value=value)
        self._pending += _record(event)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write everything added so far to the file.

        A full disk must not end training: run.json has the same losses, the next save reports the
        error, and the next flush tries again.
        """
        self._flushed = time.monotonic()
        with contextlib.suppress(OSError), open(self.path, "ab", buffering=0) as file:
            file.truncate(self._size)  # a part of a record, which would make the rest unreadable
            done = file.write(self._pending) or 0
            if done == len(self._pending):
                self._size, self._pending = self._size + done, b""

    def close(self) -> None:
        """Write what was added since the last flush."""
        self.flush()


def _record(event: Event) -> bytes:
    """An event with its size and the checksums of both."""
    content = event.SerializeToString()
    size = struct.pack("<Q", len(content))
    checksums = (struct.pack("<I", _checksum(part)) for part in (size, content))
    return size + next(checksums) + content + next(checksums)


def _checksum(content: bytes) -> int:
    return masked_crc32c(np.frombuffer(content, np.uint8))
