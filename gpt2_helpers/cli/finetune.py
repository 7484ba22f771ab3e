"""gpt2-helpers finetune: a dataset and a model -> a run folder."""

from __future__ import annotations

from argparse import Namespace

from gpt2_helpers.cli.command import (
    DATASET_HELP,
    DONE,
    INTERRUPTED,
    check_files,
    note,
)
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import DatasetConfig, FinetuneConfig, RunConfig
from gpt2_helpers.google.drive import my_drive
from gpt2_helpers.system.tensorflow_setup import load_tensorflow

SUMMARY = "train a model further on your own text"


def parser() -> Parser:
    """The arguments it takes."""
    parser = Parser(
        "finetune",
        "DATASET",
        "Train a model further on your own text. The result is a folder, checkpoint/run1, that\n"
        "generate opens; the same command again goes on where it ended. Ctrl-C saves and ends.",
        (
            "titles.csv --model-name tiny --steps 200",
            "stories/ --validation-split 0.05 --early-stopping-patience 5 --sample-every 0",
            "titles.csv --restore-from fresh --run-name run2 --seed 1",
        ),
    )
    parser.add_argument("dataset", metavar="DATASET", help=DATASET_HELP)
    for kind in (FinetuneConfig, RunConfig, DatasetConfig):
        parser.add_config(kind)
    return parser


def run(options: Namespace) -> int:
    """Train to the end, or until Ctrl-C, which saves."""
    finetune, run = config_from(FinetuneConfig, options), config_from(RunConfig, options)
    data = config_from(DatasetConfig, options)
    check_files(options.dataset)
    if run.backup_to_drive:
        my_drive()  # refused before a model is downloaded
    load_tensorflow()

    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.checkpoint.run_folder import starts_from_base_model
    from gpt2_helpers.console import show_finetuning
    from gpt2_helpers.session import Session

    if starts_from_base_model(run):
        download_if_missing(run, note)
    opened = Session().finetune(options.dataset, finetune, run, data)
    show_finetuning(opened, run.print_every)
    return INTERRUPTED if opened.interrupted else DONE
