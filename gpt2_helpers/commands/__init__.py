"""The subcommands of gpt2-helpers, a file each: `parser()` is its arguments, `run()` what it does.

Importing them, and asking for their help, loads no TensorFlow: `run` imports what it needs. Here
stands what several of them share.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gpt2_helpers.config import OLD_NAMES, SIZES, RunConfig
from gpt2_helpers.errors import CheckpointError
from gpt2_helpers.options import PROGRAM, Parser

DONE, INTERRUPTED = 0, 130  # exit codes
DATASET_HELP = "file (.txt, .csv, .tsv, .npz ...), folder with its subfolders, or quoted glob"


class Command(Protocol):
    """What each of these modules is."""

    SUMMARY: str

    def parser(self) -> Parser:
        """The arguments it takes."""

    def run(self, options: Namespace) -> int:
        """Do it; returns the exit code."""


def check_files(dataset: str) -> None:
    """Refuse a path that leads nowhere before anything takes long."""
    from gpt2_helpers.documents import find_files

    find_files(dataset)


def note(message: object) -> None:
    """One line on stderr, whatever is in the message."""
    print(f"{PROGRAM}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)


def fetch_missing(run: RunConfig, say: Callable[[str], object] = note) -> None:
    """Download the run's model where it is an official one and not there yet, or not whole."""
    if run.model_name not in (*SIZES, *OLD_NAMES):
        return

    from gpt2_helpers.checkpoint import latest_checkpoint
    from gpt2_helpers.download import download_model

    try:
        latest_checkpoint(Path(run.model_dir) / run.model_name)
    except CheckpointError:
        say(f"{run.model_name} is not in {run.model_dir} yet and is downloaded first")
        download_model(run.model_name, run.model_dir)
