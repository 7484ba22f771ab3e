"""Memory estimates of generation, and the memory that this machine has."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from gpt2_helpers.config import PRETRAINED_CONFIGS, SamplingConfig
from gpt2_helpers.generation.decoders import DecoderPool
from gpt2_helpers.generation.memory import (
    GB,
    USABLE_GPU_SHARE,
    available_memory,
    estimate_generation,
    generation_bytes,
)
from gpt2_helpers.system import device
from gpt2_helpers.system.device import Gpu

SMALL = PRETRAINED_CONFIGS["124M"]
T4 = Gpu("/device:GPU:0", "Tesla T4", 15 * GB, (7, 5))


# Peaks measured by benchmarks/memory.py, which the formula was fitted to.
@pytest.mark.parametrize(
    ("name", "batch_size", "length", "precision", "measured"),
    [
        ("124M", 1, 100, "float32", 1.21),
        ("124M", 1, 100, "int8", 0.46),
        ("124M", 20, 100, "int8", 0.64),
        ("124M", 20, 1023, "int8", 2.07),
        ("355M", 1, 100, "int8", 1.04),
    ],
)
def test_generation_estimate_is_within_15_percent_of_the_measured_peak(
    name: str, batch_size: int, length: int, precision: str, measured: float
) -> None:
    estimate = generation_bytes(PRETRAINED_CONFIGS[name], batch_size, length, precision) / GB
    assert estimate == pytest.approx(measured, rel=0.15)


def test_fp32_on_a_gpu_has_no_copies_for_tensorflow_lite() -> None:
    on_gpu, on_cpu = (
        generation_bytes(SMALL, 1, 100, "float32", on_gpu=gpu) for gpu in (True, False)
    )
    assert on_gpu < on_cpu


def test_kv_cache_grows_with_batch_and_length_up_to_the_context() -> None:
    def needed(batch_size: int, length: int) -> int:
        return generation_bytes(SMALL, batch_size, length, "int8")

    assert needed(1, 100) <= needed(20, 100) < needed(20, 500) < needed(20, 1023)
    assert needed(20, 1023) == needed(20, 5000)  # a sliding window


@pytest.mark.parametrize(("seed", "precision"), [(None, "bfloat16"), (1, "float32")])
def test_seed_on_a_gpu_is_counted_in_fp32(
    monkeypatch: pytest.MonkeyPatch, seed: int | None, precision: str
) -> None:
    monkeypatch.setattr(device, "gpus", lambda: (T4,))
    model = SimpleNamespace(config=SMALL, decoding_precision="bfloat16", version=0)
    config = SamplingConfig(seed=seed, batch_size=20)
    needed, available, location = estimate_generation(DecoderPool(model), config)
    assert needed == generation_bytes(SMALL, 20, config.length, precision, on_gpu=True)
    assert (available, location) == (int(USABLE_GPU_SHARE * 15 * GB), "this GPU")


def test_gpu_memory_is_available_if_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = [T4]
    monkeypatch.setattr(device, "gpus", lambda: tuple(gpus))
    assert available_memory() == (int(0.92 * 15 * GB), "this GPU")
    gpus[0] = dataclasses.replace(T4, memory=None)
    assert available_memory() == (None, "this GPU")


def test_free_main_memory_is_available_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpus", tuple)
    monkeypatch.setattr(device, "free_main_memory", lambda: 5 * GB)
    assert available_memory() == (5 * GB, "this machine")
