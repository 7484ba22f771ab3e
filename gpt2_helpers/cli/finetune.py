"""gpt2-helpers finetune: finetune a model on a dataset."""

from __future__ import annotations

from argparse import Namespace

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
from gpt2_helpers.system.tensorflow_setup import load_tensorflow

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
    if run.backup_to_drive:
        my_drive()  # raises DriveError before a model is downloaded
    load_tensorflow()

    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.checkpoint.run_folder import starts_from_base_model
    from gpt2_helpers.console import show_finetuning
    from gpt2_helpers.session import Session

    if starts_from_base_model(run):
        download_if_missing(run, print_status)
    training = Session().finetune(options.dataset, finetune, run, data)
    show_finetuning(training, run.print_every)
    return INTERRUPTED if training.interrupted else DONE
