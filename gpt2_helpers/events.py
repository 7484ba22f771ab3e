"""Losses -> TensorBoard's event files. Knows the format, needs no TensorBoard.

A file is a TFRecord of Event messages, the first of which gives the format's version.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event


class EventWriter:
    """Writes numbers by step into a folder that `tensorboard --logdir` can show."""

    def __init__(self, folder: str | Path) -> None:
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self.path = Path(folder) / name
        self._writer = tf.io.TFRecordWriter(str(self.path))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Note the numbers of one step under their names."""
        event = Event(wall_time=time.time(), step=step)
        for name, number in numbers.items():
            event.summary.value.add(tag=name, simple_value=number)
        self._write(event)

    def flush(self) -> None:
        """Hand what was added to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """No more is to come."""
        self._writer.close()

    def _write(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())
