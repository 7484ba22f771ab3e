"""Estimates of memory: each option moves them the way it moves what is held, and lines say it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers.config import SIZES, FinetuneConfig, ModelConfig, RunConfig, SamplingConfig
from gpt2_helpers.generation import decoders
from gpt2_helpers.system import device
from gpt2_helpers.system.device import Gpu, free_main_memory
from gpt2_helpers.training import memory
from gpt2_helpers.training.memory import (
    GB,
    USABLE_GPU,
    Samples,
    finetuning_bytes,
    generation_bytes,
    here,
    samples_of,
    to_write,
    what_fits,
)

PLAIN = FinetuneConfig(accumulate_gradients=1)
SMALL = SIZES["124M"]
SAVING = {"use_memory_saving_gradients": True}


def finetuning(precision: str = "float32", model: ModelConfig = SMALL, **options: Any) -> float:
    """GB of a finetuning with these options."""
    return finetuning_bytes(model, dataclasses.replace(PLAIN, **options), precision) / GB


# Peaks that benchmarks/memory.py measured; here they hold the formula to what it was set by.
@pytest.mark.parametrize(
    ("model", "precision", "options", "measured"),
    [
        (SMALL, "float32", SAVING, 2.00),
        (SMALL, "float32", {"optimizer": "adafactor", **SAVING}, 1.17),
        (SMALL, "float32", {"lora_rank": 8, **SAVING}, 0.77),
        (SIZES["774M"], "float32", {"optimizer": "adafactor", **SAVING}, 4.59),
        (SIZES["1558M"], "float32", {"lora_rank": 8, **SAVING}, 5.06),
        (ModelConfig(8192, 512, 512, 8, 8), "float32", {"batch_size": 4}, 1.29),
        (ModelConfig(8192, 512, 512, 8, 8), "float16", {"batch_size": 4}, 1.12),
    ],
)
def test_finetuning_is_estimated_within_15_percent_of_what_was_measured(
    model: ModelConfig, precision: str, options: dict[str, Any], measured: float
) -> None:
    assert finetuning(precision, model, **options) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(
    ("name", "batch_size", "length", "precision", "measured"),
    [
        ("124M", 1, 100, "float32", 1.19),
        ("124M", 1, 100, "int8", 0.44),
        ("124M", 20, 100, "int8", 0.62),
        ("124M", 20, 1023, "int8", 1.96),
        ("355M", 1, 100, "int8", 0.99),
    ],
)
def test_generation_is_estimated_within_15_percent_of_what_was_measured(
    name: str, batch_size: int, length: int, precision: str, measured: float
) -> None:
    estimate = generation_bytes(SIZES[name], batch_size, length, precision) / GB
    assert estimate == pytest.approx(measured, rel=0.15)


def test_a_gpu_writes_fp32_without_copies_for_tensorflow_lite() -> None:
    needed = [generation_bytes(SMALL, 1, 100, "float32", on_gpu=on_gpu) for on_gpu in (True, False)]
    assert needed[0] < needed[1]


@pytest.mark.parametrize(
    "less",
    [
        {"use_memory_saving_gradients": True},
        {"optimizer": "adafactor"},
        {"optimizer": "sgd"},
        {"only_train_transformer_layers": True},
        {"lora_rank": 8},
    ],
)
def test_what_saves_memory_is_estimated_lower(less: dict[str, Any]) -> None:
    assert finetuning(**less) < finetuning()


@pytest.mark.parametrize(
    "more",
    [
        {"batch_size": 2},
        {"accumulate_gradients": 5},
        {"max_grad_norm": 1.0},
        {"dropout": 0.1},
        {"model": "355M"},
    ],
)
def test_what_takes_memory_is_estimated_higher(more: dict[str, Any]) -> None:
    if name := more.pop("model", None):
        more["model"] = SIZES[name]
    assert finetuning(**more) > finetuning()


def test_longer_texts_side_by_side_need_room_for_what_they_have_seen() -> None:
    def needed(batch_size: int, length: int) -> int:
        return generation_bytes(SMALL, batch_size, length, "int8")

    assert needed(1, 100) <= needed(20, 100) < needed(20, 500) < needed(20, 1023)
    assert needed(20, 1023) == needed(20, 5000)  # what it sees slides along


# --- Samples between the steps


def with_samples(name: str, on_gpu: bool, length: int = 1023, **options: Any) -> float:
    """GB that samples take more than the training alone."""
    config = dataclasses.replace(PLAIN, **options)
    precision, writing = ("bfloat16", "bfloat16") if on_gpu else ("float32", "int8")
    samples = Samples(1, length, writing, on_gpu)
    needed = [finetuning_bytes(SIZES[name], config, precision, s) for s in (samples, None)]
    return (needed[0] - needed[1]) / GB


def test_samples_are_written_beside_a_training() -> None:
    for on_gpu in (True, False):
        assert 0.2 < with_samples("124M", on_gpu, length=10) < with_samples("124M", on_gpu) < 0.8
    assert with_samples("774M", on_gpu=False, optimizer="adafactor", **SAVING) > 1.5


def test_a_gpu_writes_a_large_models_samples_where_the_step_was() -> None:
    assert with_samples("774M", on_gpu=True, optimizer="adafactor") == 0
    # Adapters leave so little beside the weights that merging them for writing is more.
    assert with_samples("1558M", on_gpu=True, lora_rank=8, **SAVING) > 1


def test_samples_are_those_that_the_run_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpus", tuple)
    run = RunConfig(sample_num=3, sample_length=50)
    assert samples_of(run, "auto") == Samples(3, 50, "int8", on_gpu=False)
    assert samples_of(run, "float32") == Samples(3, 50, "float32", on_gpu=False)
    assert samples_of(dataclasses.replace(run, sample_every=0), "auto") is None


def test_what_a_seed_takes_on_a_gpu_is_counted_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loaded:
        config, decoding_precision, version = SMALL, "bfloat16", 0

        def effective_weight(self, name: str) -> None: ...

    card = Gpu("/device:GPU:0", "Tesla T4", 15 * GB, (7, 5))
    monkeypatch.setattr(device, "gpus", lambda: (card,))
    for seed, precision in ((None, "bfloat16"), (1, "float32")):
        config = SamplingConfig(seed=seed, batch_size=20)
        needed, available, place = to_write(decoders.DecoderPool(Loaded()), config)
        assert needed == generation_bytes(SMALL, 20, config.length, precision, on_gpu=True)
        assert (available, place) == (int(USABLE_GPU * 15 * GB), "this GPU")


# --- What fits


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
        (1, None, "355M: needs 1.6 GB even with lora_rank=8, this GPU has 1.0"),
    ],
)
def test_the_least_change_that_makes_it_fit_is_said(
    available: float, changes: dict[str, Any] | None, line: str
) -> None:
    fits = {fit.name: fit for fit in what_fits(int(available * GB), PLAIN, "float32", "this GPU")}
    assert list(fits) == ["tiny", *SIZES]
    assert fits["355M"].changes == changes
    assert fits["355M"].line.startswith(line)
    assert (fits["355M"].needed <= available * GB) == (changes is not None)


def test_one_pass_is_advised_before_another_optimizer() -> None:
    fits = {fit.name: fit for fit in what_fits(int(2.2 * GB), FinetuneConfig())}
    assert fits["124M"].changes == {"accumulate_gradients": 1, **SAVING}
    assert fits["124M"].line.startswith("124M: fits with accumulate_gradients=1 and memory saving")


def test_what_is_chosen_already_is_no_change() -> None:
    chosen = dataclasses.replace(PLAIN, optimizer="adafactor")
    fits = {fit.name: fit for fit in what_fits(4 * GB, chosen)}
    assert fits["355M"].changes == SAVING


def test_a_card_of_15_gb_takes_the_large_sizes() -> None:
    fits = {fit.name: fit for fit in what_fits(int(USABLE_GPU * 14.6 * GB), precision="float16")}
    assert fits["774M"].changes == {"optimizer": "adafactor", **SAVING}
    assert fits["1558M"].changes == {"lora_rank": 8, **SAVING}


def test_a_gpus_memory_counts_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [Gpu("/device:GPU:0", "Tesla T4", 15 * GB, (7, 5))]
    monkeypatch.setattr(device, "gpus", lambda: tuple(cards))
    assert here() == (int(0.92 * 15 * GB), "this GPU")
    cards[0] = dataclasses.replace(cards[0], memory=None)
    assert here() == (None, "this GPU")


def test_without_a_gpu_the_free_main_memory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "gpus", tuple)
    monkeypatch.setattr(device, "free_main_memory", lambda: 5 * GB)
    assert here() == (5 * GB, "this machine")
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 9 kB\nMemFree: 3 kB\nMemAvailable: 7 kB\n")
    assert free_main_memory(told) == 7 * 1024
    told.write_text("MemTotal: 9 kB\n")
    assert free_main_memory(told) is None
    assert free_main_memory(tmp_path / "none") is None


def test_a_container_may_have_less_than_its_machine(tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemAvailable: 7 kB\n")
    (tmp_path / "memory.max").write_text("6144\n")
    (tmp_path / "memory.current").write_text("1024\n")
    assert free_main_memory(told, tmp_path) == 5 * 1024
    # What was read of files is given up for whoever needs it.
    (tmp_path / "memory.stat").write_text("anon 512\nfile 512\ninactive_file 512\n")
    assert free_main_memory(told, tmp_path) == 5 * 1024 + 512
    (tmp_path / "memory.stat").unlink()
    (tmp_path / "memory.current").write_text("9999\n")
    assert free_main_memory(told, tmp_path) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_main_memory(told, tmp_path) == 7 * 1024


def test_a_container_of_the_older_kind_may_have_less_too(tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemAvailable: 7 kB\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("6144\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("1024\n")
    stat = "cache 512\ninactive_file 256\ntotal_inactive_file 512\n"
    (tmp_path / "memory" / "memory.stat").write_text(stat)
    assert free_main_memory(told, tmp_path) == 5 * 1024 + 256
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert free_main_memory(told, tmp_path) == 7 * 1024
    assert free_main_memory(tmp_path / "none", tmp_path) is None


def test_estimates_need_no_tensorflow() -> None:
    script = "import sys, gpt2_helpers.training.memory; print('tensorflow' in sys.modules)"
    told = subprocess.check_output([sys.executable, "-c", script], text=True, env={**os.environ})
    assert told.strip() == "False"


def test_info_shows_what_fits_this_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from gpt2_helpers.cli.app import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(device, "choose_precision", lambda: "float16")
    monkeypatch.setattr(memory, "here", lambda: (8 * GB, "this machine"))
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert "finetuning by the defaults, samples included, in 8.0 GB:" in shown
    assert re.search(
        r"\n  774M: fits with lora_rank=8 \(about .* GB\): "
        r"--lora-rank 8 --use-memory-saving-gradients\n",
        shown,
    )
    monkeypatch.setattr(memory, "here", lambda: (None, "this GPU"))
    assert main(["info"]) == 0
    assert "finetuning by" not in capsys.readouterr().out
