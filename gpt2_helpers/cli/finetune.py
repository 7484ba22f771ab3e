"""gpt2-helpers finetune: finetune a model on a dataset."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING

from gpt2_helpers.cli.command import (
    DATASET_HELP,
    DONE,
    INTERRUPTED,
    check_files,
    print_status,
)
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.google.drive import my_drive
from gpt2_helpers.system.cluster import is_chief, read_cluster
from gpt2_helpers.system.tensorflow_setup import load_tensorflow, suppress_stderr

if TYPE_CHECKING:
    from gpt2_helpers.training.workers import Workers

SUMMARY = "finetune a model on your own text"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "finetune",
        "DATASET",
        "Finetune a model on your own text and save it in checkpoint/run1, for generate. Run\n"
        "the same command again to resume training. Ctrl-C saves and stops.",
        (
            "titles.csv --model-name tiny --steps 200 --learning-rate 0.002",
            "stories/ --validation-split 0.05 --early-stopping-patience 5 --sample-every 0",
            "titles.csv --restore-from fresh --run-name run2 --seed 1",
        ),
    )
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    for kind in (FinetuneConfig, RunConfig, DatasetConfig):
        parser.add_config(kind)
    return parser


def run(options: Namespace) -> int:
    """Train until the last step or Ctrl-C, and save."""
    finetune, run = config_from(FinetuneConfig, options), config_from(RunConfig, options)
    data = config_from(DatasetConfig, options)
    check_files(options.dataset)
    if run.backup_to_drive and is_chief():
        my_drive()  # raises DriveError before a model is downloaded
    workers = _join(finetune.multi_gpu)

    from gpt2_helpers.console import show_finetuning
    from gpt2_helpers.session import Session

    with workers.explain_lost(lambda: "before training"):
        workers.chief_first(lambda: _download(run))
    training = Session().finetune(options.dataset, finetune, run, data)
    show_finetuning(training, run.print_every)
    return INTERRUPTED if training.interrupted else DONE


def _download(run: RunConfig) -> None:
    """Download the base model if the run needs it."""
    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.checkpoint.run_folder import starts_from_base_model

    if starts_from_base_model(run):
        download_if_missing(run, print_status)


def _join(multi_gpu: bool) -> Workers:
    """Load TensorFlow, and wait for the other workers if there are any."""
    cluster = read_cluster()
    if cluster is None:
        load_tensorflow()

        from gpt2_helpers.training.workers import join_workers

        return join_workers(multi_gpu)
    print_status(
        f"{cluster.describe(cluster.index)} of {len(cluster.names)} waits for the other workers"
    )
    # TensorFlow reports the end of another worker in several lines, which we do in one.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with suppress_stderr():
        from gpt2_helpers.training.workers import join_workers

        workers = join_workers(multi_gpu)  # must be the first thing that TensorFlow does
    load_tensorflow()
    return workers
