"""Estimates of memory: each option moves them the way it moves what is held, and lines say it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpt2_helpers import device, memory
from gpt2_helpers.config import SIZES, FinetuneConfig, ModelConfig
from gpt2_helpers.device import Gpu
from gpt2_helpers.memory import (
    FITS,
    FITS_NOT,
    FITS_SAVING,
    GB,
    finetuning_bytes,
    free_main_memory,
    generation_bytes,
    here,
    what_fits,
)

PLAIN = FinetuneConfig(accumulate_gradients=1)
SMALL = SIZES["124M"]


def finetuning(precision: str = "float32", model: ModelConfig = SMALL, **options: Any) -> float:
    """GB of a finetuning with these options."""
    return finetuning_bytes(model, dataclasses.replace(PLAIN, **options), precision) / GB


# Peaks that benchmarks/memory.py measured; here they hold the formula to what it was set by.
@pytest.mark.parametrize(
    ("model", "precision", "options", "measured"),
    [
        (SMALL, "float32", {}, 3.60),
        (SMALL, "bfloat16", {}, 3.63),
        (SMALL, "float32", {"batch_size": 2}, 5.17),
        (SMALL, "float32", {"use_memory_saving_gradients": True}, 2.55),
        (SMALL, "bfloat16", {"use_memory_saving_gradients": True, "batch_size": 4}, 3.43),
        (SIZES["355M"], "bfloat16", {"use_memory_saving_gradients": True}, 5.72),
        (ModelConfig(8192, 512, 512, 8, 8), "float32", {"batch_size": 4, "dropout": 0.1}, 2.25),
    ],
)
def test_finetuning_is_estimated_within_a_fifth_of_what_was_measured(
    model: ModelConfig, precision: str, options: dict[str, Any], measured: float
) -> None:
    assert finetuning(precision, model, **options) == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize(
    ("name", "batch_size", "length", "precision", "measured"),
    [
        ("124M", 1, 100, "float32", 0.73),
        ("124M", 20, 500, "float32", 1.53),
        ("124M", 1, 1023, "bfloat16", 0.96),
        ("355M", 1, 100, "bfloat16", 2.34),
    ],
)
def test_generation_is_estimated_within_a_fifth_of_what_was_measured(
    name: str, batch_size: int, length: int, precision: str, measured: float
) -> None:
    estimate = generation_bytes(SIZES[name], batch_size, length, precision) / GB
    assert estimate == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize(
    "less",
    [
        {"use_memory_saving_gradients": True},
        {"optimizer": "adafactor"},
        {"optimizer": "sgd"},
        {"only_train_transformer_layers": True},
    ],
)
def test_what_saves_memory_is_estimated_lower(less: dict[str, Any]) -> None:
    assert finetuning(**less) < finetuning()


@pytest.mark.parametrize(
    "more", [{"batch_size": 2}, {"accumulate_gradients": 5}, {"dropout": 0.1}, {"model": "355M"}]
)
def test_what_takes_memory_is_estimated_higher(more: dict[str, Any]) -> None:
    if name := more.pop("model", None):
        more["model"] = SIZES[name]
    assert finetuning(**more) > finetuning()


def test_longer_texts_side_by_side_need_room_for_what_they_have_seen() -> None:
    def needed(batch_size: int, length: int) -> int:
        return generation_bytes(SMALL, batch_size, length, "float32")

    assert needed(1, 100) < needed(1, 1000) < needed(20, 1000)
    assert needed(1, 1000) == needed(1, 5000)  # what it sees slides along


# --- What fits


@pytest.mark.parametrize(
    ("available", "verdict", "line"),
    [
        (100, FITS, "355M: fits (about "),
        (8, FITS_SAVING, "355M: fits when memory is saved (about "),
        (3, FITS_NOT, "355M: needs 6 GB even when memory is saved, this GPU has 3"),
    ],
)
def test_verdict_and_line_follow_the_memory_there_is(
    available: int, verdict: str, line: str
) -> None:
    fits = {fit.name: fit for fit in what_fits(available * GB, PLAIN, "float32", "this GPU")}
    assert list(fits) == ["tiny", *SIZES]
    assert fits["355M"].verdict == verdict
    assert fits["355M"].line.startswith(line)
    assert fits["355M"].needed_saving < fits["355M"].needed


def test_a_gpus_memory_counts_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [Gpu("/device:GPU:0", "Tesla T4", 15 * GB, (7, 5))]
    monkeypatch.setattr(device, "gpus", lambda: tuple(cards))
    assert here() == here(loaded=SMALL) == (int(0.92 * 15 * GB), "this GPU")
    cards[0] = dataclasses.replace(cards[0], memory=None)
    assert here() == (None, "this GPU")


def test_without_a_gpu_the_free_main_memory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "gpus", tuple)
    monkeypatch.setattr(memory, "free_main_memory", lambda: 5 * GB)
    assert here() == (5 * GB, "this machine")
    # A model that is loaded need not find room for its weights once more.
    assert here(loaded=SMALL) == (5 * GB + 4 * SMALL.n_parameters, "this machine")
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 9 kB\nMemFree: 3 kB\nMemAvailable: 7 kB\n")
    assert free_main_memory(told) == 7 * 1024
    told.write_text("MemTotal: 9 kB\n")
    assert free_main_memory(told) is None
    assert free_main_memory(tmp_path / "none") is None


def test_estimates_need_no_tensorflow() -> None:
    script = "import sys, gpt2_helpers.memory; print('tensorflow' in sys.modules)"
    told = subprocess.check_output([sys.executable, "-c", script], text=True, env={**os.environ})
    assert told.strip() == "False"


def test_info_shows_what_fits_this_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from gpt2_helpers.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "here", lambda: (8 * GB, "this machine"))
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert "finetuning with batch_size=1 in 8.0 GB:" in shown
    assert "\n  1558M: needs " in shown
    monkeypatch.setattr(memory, "here", lambda: (None, "this GPU"))
    assert main(["info"]) == 0
    assert "finetuning with" not in capsys.readouterr().out
