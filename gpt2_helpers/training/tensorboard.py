"""Losses -> TensorBoard's event files. Knows the format, needs no TensorBoard.

A file is a TFRecord of Event messages, the first of which gives the format's version.
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

FLUSH_SECONDS = 30.0  # how old the newest numbers on the disk may become


class EventWriter:
    """Writes numbers by step into a folder that `tensorboard --logdir` can show."""

    def __init__(self, folder: str | Path) -> None:
        """Begin a new file: one of the same second, of an earlier run, stays as it is."""
        stem = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        names = (Path(folder) / f"{stem}.{count}" for count in itertools.count())
        self.path = next(path for path in names if not path.exists())
        self._writer = tf.io.TFRecordWriter(str(self.path))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._writer.flush()
        self._flushed = time.monotonic()

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Note the numbers of one step under their names."""
        event = Event(wall_time=time.time(), step=step)
        for name, number in numbers.items():
            event.summary.value.add(tag=name, simple_value=number)
        with _best_effort():
            self._write(event)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand what was added to the disk."""
        with _best_effort():
            self._writer.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """No more is to come."""
        with _best_effort():
            self._writer.close()

    def _write(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())


def _best_effort() -> contextlib.suppress:
    """The numbers stand in run.json too: a disk that is full must not end a training for them, and
    the next save tells of it."""
    return contextlib.suppress(tf.errors.OpError)
