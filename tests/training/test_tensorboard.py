"""TensorBoard event files, read back with TensorFlow."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from gpt2_helpers.training import tensorboard
from gpt2_helpers.training.tensorboard import EventWriter


def events_in(path: Path) -> list[Event]:
    """The events of a file. Reading verifies their checksums."""
    return [Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]


def scalars_in(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Step and scalars of each event but the first, which has the format version."""
    version, *rest = events_in(path)
    assert version.file_version == "brain.Event:2"
    return [(e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in rest]


def test_scalars_round_trip(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.add(1, {"loss": 3.5, "learning_rate": 0.25})
    writer.add(20, {"loss": 1.5})
    writer.close()
    assert scalars_in(writer.path) == [
        (1, {"loss": 3.5, "learning_rate": 0.25}),
        (20, {"loss": 1.5}),
    ]
    times = [event.wall_time for event in events_in(writer.path)]
    assert times == sorted(times)


def test_file_name_is_found_by_tensorboard(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.close()
    assert writer.path.parent == tmp_path
    assert "tfevents" in writer.path.name


def test_writers_of_the_same_second_have_separate_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpt2_helpers.training.tensorboard.time.time", lambda: 1_000_000_000.5)
    for step in (1, 2):
        writer = EventWriter(tmp_path)
        writer.add(step, {"loss": 1.0})
        writer.close()
    paths = sorted(tmp_path.iterdir())
    assert [scalars_in(path)[0][0] for path in paths] == [1, 2]


def test_flushed_scalars_can_be_read_during_training(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    assert scalars_in(writer.path) == []
    writer.add(1, {"loss": 1.0})
    writer.flush()
    assert scalars_in(writer.path) == [(1, {"loss": 1.0})]
    writer.close()


def test_a_full_disk_damages_no_records(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    writer = EventWriter(tmp_path)
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.path.stat().st_size + 9, former[1]))
    try:
        for step in (1, 2):
            writer.add(step, {"loss": 1.0})
            writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, ignored)
    writer.add(3, {"loss": 1.0})
    writer.close()
    assert [step for step, _ in scalars_in(writer.path)] == [1, 2, 3]


def test_scalars_are_flushed_at_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = EventWriter(tmp_path)
    monkeypatch.setattr(tensorboard, "FLUSH_SECONDS", 0.0)
    writer.add(1, {"loss": 1.0})
    assert scalars_in(writer.path) == [(1, {"loss": 1.0})]
    writer.close()
