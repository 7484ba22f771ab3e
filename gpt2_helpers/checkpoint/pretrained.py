"""A pretrained model that was named: fetched first, where it is not here yet or not whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gpt2_helpers.checkpoint.model_files import latest_checkpoint
from gpt2_helpers.config import OLD_NAMES, SIZES, RunConfig
from gpt2_helpers.errors import CheckpointError


def fetch_missing(run: RunConfig, say: Callable[[str], object]) -> None:
    """Download the run's model where it is an official one and not there yet, or not whole."""
    if run.model_name not in (*SIZES, *OLD_NAMES):
        return

    try:
        latest_checkpoint(Path(run.model_dir) / run.model_name)
    except CheckpointError:
        from gpt2_helpers.checkpoint.model_download import download_model

        say(f"{run.model_name} is not in {run.model_dir} yet and is downloaded first")
        download_model(run.model_name, run.model_dir)
