"""Writes TensorBoard event files. Does not need TensorBoard to be installed.

An event file is a TFRecord of Event protocol buffers; the first one contains the format version.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

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
        self._writer = tf.io.TFRecordWriter(str(self.path))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._writer.flush()
        self._flushed = time.monotonic()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add the scalars of one step, by name."""
        event = Event(wall_time=time.time(), step=step)
        for name, value in scalars.items():
            event.summary.value.add(tag=name, simple_value=value)
        with _best_effort():
            self._write(event)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write everything added so far to the disk."""
        with _best_effort():
            self._writer.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Flush and close the file."""
        with _best_effort():
            self._writer.close()

    def _write(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())


def _best_effort() -> contextlib.suppress:
    """Ignore write errors: a full disk must not end training. run.json has the same losses, and the
    next save reports the error."""
    return contextlib.suppress(tf.errors.OpError)
