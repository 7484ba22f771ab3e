"""Small weights in the layout of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import bench_weights
from gpt2_helpers import config
from gpt2_helpers.config import ModelConfig


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the weights of `bench_weights.make` in a small shape, and their text."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "text").write_text("It was a fine day.", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            config.PRETRAINED_CONFIGS, "124M", ModelConfig(n_ctx=64, n_embd=8, n_head=1, n_layer=1)
        )
        bench_weights.make(folder, folder / "no vocabulary", folder / "text")
        yield folder
