"""The weights that all libraries share."""

from __future__ import annotations

from pathlib import Path

import bench_weights


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
