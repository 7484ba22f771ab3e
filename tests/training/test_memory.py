"""Memory estimates of finetuning: how each option changes them, and which models fit."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from gpt2_helpers.config import PRETRAINED_CONFIGS, FinetuneConfig, ModelConfig, RunConfig
from gpt2_helpers.generation.memory import GB, USABLE_GPU_SHARE
from gpt2_helpers.system import device
from gpt2_helpers.training.memory import (
    SampleSettings,
    finetuning_bytes,
    fit_models,
    sample_settings,
    ways_to_save_memory,
)

PLAIN = FinetuneConfig(accumulate_gradients=1)
SMALL = PRETRAINED_CONFIGS["124M"]
SAVING = {"use_memory_saving_gradients": True}


def estimated_gb(precision: str = "float32", model: ModelConfig = SMALL, **options: Any) -> float:
    return finetuning_bytes(model, dataclasses.replace(PLAIN, **options), precision) / GB


# Peaks measured by benchmarks/memory.py, which the formula was fitted to.
@pytest.mark.parametrize(
    ("model", "precision", "options", "measured"),
    [
        (SMALL, "float32", SAVING, 2.00),
        (SMALL, "float32", {"optimizer": "adafactor", **SAVING}, 1.17),
        (SMALL, "float32", {"lora_rank": 8, **SAVING}, 0.77),
        (PRETRAINED_CONFIGS["774M"], "float32", {"optimizer": "adafactor", **SAVING}, 4.59),
        (PRETRAINED_CONFIGS["1558M"], "float32", {"lora_rank": 8, **SAVING}, 5.06),
        (ModelConfig(8192, 512, 512, 8, 8), "float32", {"batch_size": 4}, 1.29),
        (ModelConfig(8192, 512, 512, 8, 8), "float16", {"batch_size": 4}, 1.12),
    ],
)
def test_finetuning_estimate_is_within_15_percent_of_the_measured_peak(
    model: ModelConfig, precision: str, options: dict[str, Any], measured: float
) -> None:
    assert estimated_gb(precision, model, **options) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(
    "options",
    [
        {"use_memory_saving_gradients": True},
        {"optimizer": "adafactor"},
        {"optimizer": "sgd"},
        {"only_train_transformer_layers": True},
        {"lora_rank": 8},
    ],
)
def test_options_that_save_memory_lower_the_estimate(options: dict[str, Any]) -> None:
    assert estimated_gb(**options) < estimated_gb()


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 2},
        {"accumulate_gradients": 5},
        {"max_grad_norm": 1.0},
        {"dropout": 0.1},
        {"model": PRETRAINED_CONFIGS["355M"]},
    ],
)
def test_options_that_take_memory_raise_the_estimate(options: dict[str, Any]) -> None:
    assert estimated_gb(**options) > estimated_gb()


# --- Samples between steps


def sampling_gb(name: str, on_gpu: bool, length: int = 1023, **options: Any) -> float:
    """The GB that samples add to the estimate."""
    config = dataclasses.replace(PLAIN, **options)
    precision, inference = ("bfloat16", "bfloat16") if on_gpu else ("float32", "int8")
    samples = SampleSettings(1, length, inference, on_gpu)
    needed = [
        finetuning_bytes(PRETRAINED_CONFIGS[name], config, precision, s) for s in (samples, None)
    ]
    return (needed[0] - needed[1]) / GB


def test_samples_take_memory_beside_training() -> None:
    for on_gpu in (True, False):
        assert 0.2 < sampling_gb("124M", on_gpu, length=10) < sampling_gb("124M", on_gpu) < 0.8
    assert sampling_gb("774M", on_gpu=False, optimizer="adafactor", **SAVING) > 1.5


def test_gpu_reuses_the_memory_of_a_step_for_samples_of_a_large_model() -> None:
    assert sampling_gb("774M", on_gpu=True, optimizer="adafactor") == 0
    # With adapters a step takes so little that the merged weights take more.
    assert sampling_gb("1558M", on_gpu=True, lora_rank=8, **SAVING) > 1


def test_sample_settings_follow_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpus", tuple)
    run = RunConfig(sample_num=3, sample_length=50)
    assert sample_settings(run, "auto") == SampleSettings(3, 50, "int8", on_gpu=False)
    assert sample_settings(run, "float32") == SampleSettings(3, 50, "float32", on_gpu=False)
    assert sample_settings(dataclasses.replace(run, sample_every=0), "auto") is None


# --- Which models fit


@pytest.mark.parametrize(
    ("available", "changes", "line"),
    [
        (100, {}, "355M: fits (about "),
        (6, SAVING, "355M: fits with memory saving (about "),
        (
            4,
            {"optimizer": "adafactor", **SAVING},
            "355M: fits with adafactor and memory saving (about ",
        ),
        (2.5, {"lora_rank": 8, **SAVING}, "355M: fits with lora_rank=8 (about "),
        (1, None, "355M: needs 1.6 GB even with lora_rank=8, this GPU has 1.0 GB"),
    ],
)
def test_smallest_change_that_makes_a_model_fit(
    available: float, changes: dict[str, Any] | None, line: str
) -> None:
    fits = {fit.name: fit for fit in fit_models(int(available * GB), PLAIN, "float32", "this GPU")}
    assert list(fits) == ["tiny", *PRETRAINED_CONFIGS]
    assert fits["355M"].changes == changes
    assert fits["355M"].line.startswith(line)
    assert (fits["355M"].needed <= available * GB) == (changes is not None)


def test_one_pass_is_suggested_before_another_optimizer() -> None:
    fits = {fit.name: fit for fit in fit_models(int(2.2 * GB), FinetuneConfig())}
    assert fits["124M"].changes == {"accumulate_gradients": 1, **SAVING}
    assert fits["124M"].line.startswith("124M: fits with accumulate_gradients=1 and memory saving")


def test_options_already_set_are_not_changes() -> None:
    chosen = dataclasses.replace(PLAIN, optimizer="adafactor")
    fits = {fit.name: fit for fit in fit_models(4 * GB, chosen)}
    assert fits["355M"].changes == SAVING


def test_large_models_fit_a_gpu_of_15_gb() -> None:
    available = int(USABLE_GPU_SHARE * 14.6 * GB)
    fits = {fit.name: fit for fit in fit_models(available, precision="float16")}
    assert fits["774M"].changes == {"optimizer": "adafactor", **SAVING}
    assert fits["1558M"].changes == {"lora_rank": 8, **SAVING}


def test_out_of_memory_advice_lists_only_options_that_help() -> None:
    assert ways_to_save_memory(FinetuneConfig(batch_size=2)) == (
        "lower batch_size (now 2), set use_memory_saving_gradients=True, set "
        "accumulate_gradients=1 (now 5), set optimizer='adafactor', set lora_rank=8, or use a "
        "smaller model"
    )
    saving = FinetuneConfig(
        accumulate_gradients=1, optimizer="sgd", lora_rank=8, use_memory_saving_gradients=True
    )
    assert ways_to_save_memory(saving) == "use a smaller model"


def test_estimates_load_no_tensorflow() -> None:
    script = "import sys, gpt2_helpers.training.memory; print('tensorflow' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert printed.strip() == "False"
