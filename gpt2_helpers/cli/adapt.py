"""gpt2-helpers adapt: give a model a vocabulary trained on the user's text."""

from __future__ import annotations

from argparse import Namespace

from gpt2_helpers.cli.command import DATASET_HELP, DONE, check_files, print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import DatasetConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.system.tensorflow_setup import load_tensorflow
from gpt2_helpers.training.pretrain_config import PretrainConfig

SUMMARY = "replace a model's vocabulary with one for your language, before finetuning"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "adapt",
        "TEXTS --out DIR",
        "Replace a model's vocabulary with one trained on your texts, for languages other than\n"
        "English, and keep its layers. Then finetune the new model with --model-name DIR.",
        (
            "novella.txt --model-name tiny --vocab-size 2000 --out models/german",
            "books/ --model-name 124M --out models/russian",
        ),
    )
    parser.add_argument("texts", metavar="TEXTS", help=DATASET_HELP)
    parser.add_text_option("--out", "folder for the new model", required=True, metavar="DIR")
    parser.add_field(
        field_of(PretrainConfig, "vocab_size", default=None, default_text="as many as before")
    )
    parser.add_config(RunConfig, "model_name", "model_dir", "validation_data")
    parser.add_config(DatasetConfig)
    return parser


def run(options: Namespace) -> int:
    """Make the model, and print how well the new vocabulary fits."""
    run, data = config_from(RunConfig, options), config_from(DatasetConfig, options)
    size = getattr(options, "vocab_size", None)
    if size is not None:
        size = PretrainConfig(vocab_size=size).vocab_size  # checks its limits
    if not options.out.strip():
        raise OptionError("out must not be empty: set it to a folder for the new model")
    check_files(options.texts)
    load_tensorflow()

    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.training.adapt_vocabulary import adapt_vocabulary

    download_if_missing(run, print_status)
    adapted = adapt_vocabulary(
        options.texts,
        options.out,
        run.model_name,
        run.model_dir,
        size,
        data,
        run.validation_data,
    )
    print(adapted)
    return DONE
