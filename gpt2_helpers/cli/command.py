"""The interface of a subcommand, and what several subcommands share.

Importing a subcommand or printing its help doesn't load TensorFlow: `run` imports what it needs.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Protocol

from gpt2_helpers.cli.parser import PROGRAM, Parser
from gpt2_helpers.errors import printable

DONE, INTERRUPTED = 0, 130  # exit codes
DATASET_HELP = "file (.txt, .csv, .jsonl, .parquet, .npz ...), folder, quoted glob, or URL"


class Command(Protocol):
    """The interface of a subcommand's module; `SUMMARY` is its line in the help."""

    SUMMARY: str

    def parser(self) -> Parser:
        """The parser of its arguments."""

    def run(self, options: Namespace) -> int:
        """Run it with parsed arguments; returns the exit code."""


def check_files(dataset: str) -> None:
    """Raise DatasetError for a missing dataset before any slow work starts. URLs are not opened."""
    from gpt2_helpers.data.find_files import find_files
    from gpt2_helpers.data.remote_files import is_url

    if not is_url(dataset):
        find_files(dataset)


def print_status(message: object) -> None:
    """Print a message to stderr, on one line."""
    line = printable(" ".join(str(message).split()))
    print(f"{PROGRAM}: {line}", file=sys.stderr, flush=True)
