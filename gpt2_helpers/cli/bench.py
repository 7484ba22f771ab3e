"""gpt2-helpers bench: how fast this machine finetunes and generates."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from gpt2_helpers.bench.config import BenchConfig
from gpt2_helpers.cli.command import DONE, print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import MODEL_NAMES, RunConfig

if TYPE_CHECKING:
    from gpt2_helpers.bench.measure import WorkloadResult

SUMMARY = "measure how fast this machine finetunes and generates"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "bench",
        "",
        "Measure how fast this machine generates and finetunes, compared with transformers if it\n"
        "is installed. A model that has not been downloaded is replaced by random weights.",
        ("--quick", "--model-name 355M"),
    )
    parser.add_config(BenchConfig)
    help = f"model to measure: {', '.join(MODEL_NAMES)}"
    parser.add_field(field_of(RunConfig, "model_name", help=help))
    parser.add_config(RunConfig, "model_dir")
    return parser


def run(options: Namespace) -> int:
    """Measure one workload after another, and print the table or JSON."""
    config, run = config_from(BenchConfig, options), config_from(RunConfig, options)

    from gpt2_helpers.bench import report
    from gpt2_helpers.bench.machine import describe
    from gpt2_helpers.bench.measure import bench
    from gpt2_helpers.bench.workload import Workload

    machine = describe()
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 0.5:
        print_status(f"other programs are running (load {load:.1f}): times will be too long")
    results: list[WorkloadResult] = []
    try:
        for found in bench(config, run):
            if isinstance(found, Workload):
                print_status(f"measuring: {found.title}")
            else:
                results.append(found)
    except KeyboardInterrupt:
        if not results:
            raise
        print_status("stopped: these are the results so far")
    if config.json:
        values = {"machine": machine, "model": run.model_name, "results": report.as_json(results)}
        print(json.dumps(values, indent=1))
    else:
        print("\n".join([f"{run.model_name} on {machine['name']}", "", *report.as_lines(results)]))
        sys.stdout.flush()
    return DONE
