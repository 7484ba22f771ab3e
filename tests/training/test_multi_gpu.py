"""Training on two devices, compared with one device and twice the batch size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gpt2_helpers.checkpoint.model_files import load_model
from gpt2_helpers.errors import OptionError
from paths import ROOT, SUPPORT
from toy_runs import ONE_LAYER, open_run, saved_weights, train, weights_of, write_model, write_text

# TensorFlow fixes the number of devices when it starts, so this runs in another process. Two
# training runs in one process must not disturb each other.
TWO_DEVICES = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from gpt2_helpers.config import SamplingConfig
from gpt2_helpers.generation.generate import generate
from toy_runs import open_run, train
options = {**json.loads(sys.argv[2]), "batch_size": 1, "multi_gpu": True}
run = open_run(**options, sample_every=2, sample_length=3)
steps = [[step.step, step.loss] for step in run]
results = list(generate(run.decoders, run.tokenizer, "What", SamplingConfig(length=5)))
adapters, _ = train(**options, lora_rank=2, run_name="adapters")
print(json.dumps({
    "steps": steps,
    "devices": [each.trainer._strategy.num_replicas_in_sync for each in (run, adapters)],
    "texts": [result.text for result in results],
}))
"""

# What depends on all sequences of a step, and on their places in it.
OPTIONS: dict[str, Any] = {
    "steps": 2,
    "model_name": "small",
    "accumulate_gradients": 2,
    "dropout": 0.1,
    "max_grad_norm": 0.5,
}


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A full training and one of adapters, on two devices each, and what they printed."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("two_devices"))
    write_model("small", shape=ONE_LAYER, fp16_exact=True)
    write_text()
    folders = json.dumps([str(ROOT), str(SUPPORT)])
    command = [sys.executable, "-c", TWO_DEVICES, folders, json.dumps(OPTIONS)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert child.returncode == 0, child.stderr
    tf.config.run_functions_eagerly(True)
    yield json.loads(child.stdout.splitlines()[-1])
    tf.config.run_functions_eagerly(False)
    os.chdir(before)


def test_two_devices_equal_one_with_twice_the_batch(two_devices: dict[str, Any]) -> None:
    assert two_devices["devices"][0] == 2
    assert two_devices["texts"][0].startswith("What")
    _, steps = train(**OPTIONS, batch_size=2, run_name="one")
    losses = [(step.step, step.loss) for step in steps]
    np.testing.assert_allclose(two_devices["steps"], losses, rtol=0, atol=1e-5)
    trained = saved_weights()
    for name, array in saved_weights("one").items():
        np.testing.assert_allclose(trained[name], array, rtol=0, atol=1e-5, err_msg=name)
    assert Path("samples/run1/samples-2").is_file()
    assert [step.step for step in open_run(steps=1)] == [3]  # resumed on one device


def test_adapters_on_two_devices_equal_one_with_twice_the_batch(
    two_devices: dict[str, Any],
) -> None:
    assert two_devices["devices"][1] == 2
    with tf.device("CPU:0"):
        train(**OPTIONS, batch_size=2, lora_rank=2, run_name="adapters_one")
    trained = saved_weights("adapters")
    for name, array in saved_weights("adapters_one").items():
        np.testing.assert_allclose(trained[name], array, rtol=0, atol=1e-5, err_msg=name)
    name = "model/h0/mlp/c_fc/w"
    assert not np.array_equal(trained[name], weights_of(load_model("models/small"))[name])


@pytest.mark.usefixtures("workplace")
@pytest.mark.skipif(
    len(tf.config.list_physical_devices("GPU")) > 1, reason="this machine has several GPUs"
)
def test_multi_gpu_needs_several_gpus() -> None:
    with pytest.raises(OptionError, match="multi_gpu=True needs at least two GPUs"):
        open_run(multi_gpu=True)
