"""The weights that all libraries share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import bench_weights
from gpt2_helpers import config
from gpt2_helpers.config import ModelConfig
from workloads import TINY


def test_weights_are_made_again_only_for_another_text(weights: Path) -> None:
    def make() -> int:
        bench_weights.make(weights, weights / "no vocabulary", weights / "text")
        return (weights / "124M" / "model.ckpt.index").stat().st_mtime_ns

    converted = weights / "124M-ctranslate2"
    converted.mkdir()
    before = make()
    assert make() == before
    assert converted.exists()
    (weights / "text").write_text("It rained.", encoding="utf-8")
    assert make() != before
    assert (weights / "124M" / "text.txt").read_text(encoding="utf-8") == "It rained."
    assert not converted.exists()  # who converted it made it of the others


def test_the_bundled_model_is_copied_and_converted_again_only_if_it_changed(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def make() -> None:
        bench_weights.make(weights, weights / "no vocabulary", weights / "text")

    make()
    assert ModelConfig.load(weights / TINY) == ModelConfig.load(config.BUNDLED_FOLDER)
    converted = weights / f"{TINY}-transformers"
    converted.mkdir()
    make()
    assert converted.exists()
    other = shutil.copytree(config.BUNDLED_FOLDER, tmp_path / "tiny")
    (other / "README.md").write_text("Trained for longer.", encoding="utf-8")
    monkeypatch.setattr(config, "BUNDLED_FOLDER", other)
    make()
    assert not converted.exists()
