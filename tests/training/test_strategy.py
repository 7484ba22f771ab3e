"""How a training is distributed. Real workers: tests/scaling/test_workers.py."""

from __future__ import annotations

import json

import pytest
import tensorflow as tf

from gpt2_helpers.errors import OptionError
from gpt2_helpers.system import device
from gpt2_helpers.system.device import Gpu
from gpt2_helpers.training.strategy import training_strategy


def has_gpus(patch: pytest.MonkeyPatch, count: int) -> None:
    """Simulate GPUs."""
    found = tuple(
        Gpu(f"/device:GPU:{order}", f"GPU {order}", 16 * 2**30, (7, 5)) for order in range(count)
    )
    patch.setattr(device, "gpus", lambda: found)


def test_one_device_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    has_gpus(monkeypatch, 2)
    assert training_strategy(multi_gpu=False).num_replicas_in_sync == 1


@pytest.mark.parametrize("count", [0, 1])
def test_multi_gpu_needs_two_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    has_gpus(monkeypatch, count)
    one = tf.config.list_logical_devices("CPU")[:1]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda *_: one)
    with pytest.raises(OptionError, match=f"at least two GPUs, this machine has {count}"):
        training_strategy(multi_gpu=True)


def test_workers_join_before_tensorflow_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    tf.zeros([])
    with pytest.raises(OptionError, match="TF_CONFIG is set, but this process has used TensorFlow"):
        training_strategy(multi_gpu=False)
