"""gpt2-helpers pretrain: train a new model from scratch, with its own vocabulary."""

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
from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.cluster import VARIABLE, read_cluster
from gpt2_helpers.system.tensorflow_setup import load_tensorflow
from gpt2_helpers.training.pretrain_config import PRETRAIN_FINETUNE, PRETRAIN_RUN, PretrainConfig

SUMMARY = "train a new model from scratch"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "pretrain",
        "TEXTS --out DIR",
        "Train a new model from scratch on text in any language: first its vocabulary, then its\n"
        "weights. DIR can be used like any model. Ctrl-C saves; the same command resumes.",
        (
            "books/ --out models/mine",
            "books/ --out models/mine --vocab-size 8192 --n-embd 384 --n-layer 8 --n-head 6",
            "books/ --out models/mine --validation-data held-out.txt --steps 20000 --seed 1",
        ),
    )
    parser.add_argument("texts", metavar="TEXTS", help=DATASET_HELP)
    parser.add_text_option("--out", "folder for the new model", required=True, metavar="DIR")
    parser.add_config(PretrainConfig)
    parser.add_config(FinetuneConfig, defaults=PRETRAIN_FINETUNE)
    names = ("validation_split", "validation_data", "save_every", "print_every", "max_checkpoints")
    parser.add_config(RunConfig, *names, defaults=PRETRAIN_RUN)
    parser.add_config(DatasetConfig)
    return parser


def run(options: Namespace) -> int:
    """Train, and save the model after the last step."""
    pretrain = config_from(PretrainConfig, options)
    finetune = config_from(FinetuneConfig, options, PRETRAIN_FINETUNE)
    if "validation_data" in options and "validation_split" not in options:
        options.validation_split = 0.0
    run, data = config_from(RunConfig, options, PRETRAIN_RUN), config_from(DatasetConfig, options)
    if not options.out.strip():
        raise OptionError("out must not be empty: set it to a folder for the new model")
    if read_cluster() is not None:
        raise OptionError(
            f"pretrain trains on one machine: unset {VARIABLE}, and finetune the new model on "
            "several machines"
        )
    check_files(options.texts)
    load_tensorflow()

    from gpt2_helpers.console import show_finetuning
    from gpt2_helpers.training.pretrain import finish, prepare

    training = prepare(options.texts, options.out, pretrain, finetune, run, data)
    if training is not None:
        show_finetuning(training, run.print_every)
        if training.interrupted:
            print_status("run the same command to resume")
            return INTERRUPTED
    print(f"the new model is in {finish(options.out, pretrain.dtype)}")
    return DONE
