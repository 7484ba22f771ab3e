"""gpt2-helpers pretrain: texts -> a new model with a vocabulary of its own."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from gpt2_helpers.commands import (
    DATASET_HELP,
    DONE,
    INTERRUPTED,
    check_files,
    load_tensorflow,
    note,
)
from gpt2_helpers.config import (
    Checked,
    DatasetConfig,
    FinetuneConfig,
    PretrainConfig,
    RunConfig,
    option,
)
from gpt2_helpers.errors import OptionError
from gpt2_helpers.options import Parser, config_from

SUMMARY = "make a new model from nothing but text"

_RUN = RunConfig(validation="0.05")


@dataclass(frozen=True)
class StorageConfig(Checked):
    """How a new model is stored."""

    storage: str = option(
        "float32",
        "type of the stored weights; float16 halves the files, older tools want float32",
        choices=("float32", "float16"),
        advanced=True,
    )


def parser() -> Parser:
    """The arguments it takes."""
    load_tensorflow()
    from gpt2_helpers.pretrain_run import DEFAULTS

    parser = Parser(
        "pretrain",
        "TEXTS --out DIR",
        "Make a new model from nothing but text, in any language: its vocabulary first, then its\n"
        "weights. DIR then works wherever a model does. Ctrl-C saves; the same command goes on.",
        (
            "books/ --out models/mine",
            "books/ --out models/mine --vocab-size 8192 --n-embd 384 --n-layer 8 --n-head 6",
            "books/ --out models/mine --validation unseen.txt --steps 20000 --seed 1",
        ),
    )
    parser.add_argument("texts", metavar="TEXTS", help=DATASET_HELP)
    parser.add_text_option("--out", "folder for the new model", required=True, metavar="DIR")
    parser.add_config(PretrainConfig)
    parser.add_config(FinetuneConfig, defaults=DEFAULTS)
    shown = ("validation", "save_every", "print_every", "max_checkpoints")
    parser.add_config(RunConfig, *shown, defaults=_RUN)
    parser.add_config(DatasetConfig)
    parser.add_config(StorageConfig)
    return parser


def run(options: Namespace) -> int:
    """Train, and write the model once it is done."""
    from gpt2_helpers.console import show_finetuning
    from gpt2_helpers.pretrain_run import DEFAULTS, finish, prepare

    pretrain = config_from(PretrainConfig, options)
    finetune = config_from(FinetuneConfig, options, DEFAULTS)
    run, data = config_from(RunConfig, options, _RUN), config_from(DatasetConfig, options)
    storage = config_from(StorageConfig, options).storage
    if not options.out.strip():
        raise OptionError("out must not be empty: give a folder for the new model")
    check_files(options.texts)
    training = prepare(options.texts, options.out, pretrain, finetune, run, data)
    if training is not None:
        show_finetuning(training, run.print_every)
        if training.interrupted:
            note("the same command goes on from there")
            return INTERRUPTED
    print(f"the new model is in {finish(options.out, storage)}")
    return DONE
