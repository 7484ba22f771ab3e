"""Event files: what TensorFlow itself reads in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from gpt2_helpers.training import tensorboard
from gpt2_helpers.training.tensorboard import EventWriter


def events_in(path: Path) -> list[Event]:
    """The events of a file; reading them checks the sums that guard each one."""
    return [Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]


def numbers_in(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Each event's step and numbers, but for the first event, which holds the version."""
    version, *rest = events_in(path)
    assert version.file_version == "brain.Event:2"
    return [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in rest]


def test_numbers_read_back_by_step_and_name(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.add(1, {"loss": 3.5, "learning_rate": 0.25})
    writer.add(20, {"loss": 1.5})
    writer.close()
    assert numbers_in(writer.path) == [
        (1, {"loss": 3.5, "learning_rate": 0.25}),
        (20, {"loss": 1.5}),
    ]
    times = [event.wall_time for event in events_in(writer.path)]
    assert times == sorted(times)


def test_tensorboard_finds_the_file_by_its_name(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.close()
    assert writer.path.parent == tmp_path
    assert "tfevents" in writer.path.name


def test_writers_of_the_same_second_write_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt2_helpers.training.tensorboard.time.time", lambda: 1_000_000_000.5)
    for step in (1, 2):
        writer = EventWriter(tmp_path)
        writer.add(step, {"loss": 1.0})
        writer.close()
    paths = sorted(tmp_path.iterdir())
    assert [numbers_in(path)[0][0] for path in paths] == [1, 2]


def test_flushed_numbers_can_be_read_while_training_goes_on(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    assert numbers_in(writer.path) == []
    writer.add(1, {"loss": 1.0})
    writer.flush()
    assert numbers_in(writer.path) == [(1, {"loss": 1.0})]
    writer.close()


def test_numbers_reach_the_disk_by_themselves_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = EventWriter(tmp_path)
    monkeypatch.setattr(tensorboard, "FLUSH_SECONDS", 0.0)
    writer.add(1, {"loss": 1.0})
    assert numbers_in(writer.path) == [(1, {"loss": 1.0})]
    writer.close()
