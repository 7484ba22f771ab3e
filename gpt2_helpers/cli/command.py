"""The subcommands of gpt2-helpers, a file each: `parser()` is its arguments, `run()` what it does.

Importing them, and asking for their help, loads no TensorFlow: `run` imports what it needs. Here
stands what several of them share.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Protocol

from gpt2_helpers.cli.parser import PROGRAM, Parser

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
    from gpt2_helpers.data.documents import find_files

    find_files(dataset)


def note(message: object) -> None:
    """One line on stderr, whatever is in the message."""
    print(f"{PROGRAM}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)
