"""gpt2-helpers, through its public functions; the option is the precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpt2_helpers.bench import ours
from gpt2_helpers.bench.workload import Workload


def prepare(workload: Workload, folder: Path, option: str) -> Any:
    if workload.kind == "cold start":
        return _command(workload, folder, option)
    return ours.prepare(workload, folder, option)


def _command(workload: Workload, folder: Path, option: str) -> Any:
    """Run the command line as a user would."""
    from gpt2_helpers.cli.app import main

    options = {
        "--model-name": folder.name,
        "--model-dir": folder.parent,
        "--length": workload.length,
        "--top-k": workload.top_k,
        "--precision": option,
    }

    def run() -> int:
        code = main(["generate", *(str(word) for pair in options.items() for word in pair)])
        if code:
            raise RuntimeError(f"gpt2-helpers generate ended with {code}")
        return workload.length

    return run
