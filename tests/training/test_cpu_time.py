"""The estimate of the time on a CPU, compared with measurements."""

from __future__ import annotations

import pytest

from gpt2_helpers.config import BUNDLED_FOLDER, PRETRAINED_CONFIGS, FinetuneConfig, ModelConfig
from gpt2_helpers.training.cpu_time import finetuning_seconds

STEP = FinetuneConfig(steps=1, accumulate_gradients=1)


def test_the_estimate_agrees_with_measurements_on_two_cores() -> None:
    sequence = finetuning_seconds(PRETRAINED_CONFIGS["124M"], STEP, cores=2)
    assert sequence == pytest.approx(5.7, rel=0.1)
    tiny = ModelConfig.load(BUNDLED_FOLDER)
    assert tiny.n_ctx / finetuning_seconds(tiny, STEP, cores=2) == pytest.approx(1000, rel=0.3)


def test_options_change_the_estimate() -> None:
    model = PRETRAINED_CONFIGS["355M"]
    plain = finetuning_seconds(model, STEP, cores=2)
    assert finetuning_seconds(model, STEP, cores=4) == plain / 2
    assert finetuning_seconds(model, FinetuneConfig(steps=1), cores=2) == 5 * plain
    saving = FinetuneConfig(steps=1, accumulate_gradients=1, use_memory_saving_gradients=True)
    assert finetuning_seconds(model, saving, cores=2) == pytest.approx(plain * 4 / 3)
    adapters = FinetuneConfig(steps=1, accumulate_gradients=1, lora_rank=8)
    assert finetuning_seconds(model, adapters, cores=2) == pytest.approx(plain * 2 / 3)
    assert finetuning_seconds(model, STEP, cores=2, precision="bfloat16") < plain / 2
