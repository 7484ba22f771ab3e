"""gpt2-helpers check: how many generated texts are copies of the training text."""

from __future__ import annotations

import json
from argparse import Namespace

from gpt2_helpers.cli.command import DATASET_HELP, DONE, check_files, print_status
from gpt2_helpers.cli.parser import Parser, config_from
from gpt2_helpers.config import DatasetConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.config import CheckConfig

SUMMARY = "count the generated texts that are copies of the training text"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "check",
        "FILE... --dataset FILE",
        "Compare generated texts with the training text: copies, near copies, the longest run of\n"
        "words that was copied, the closest training text, and duplicates.",
        (
            "texts.txt --dataset titles.csv",
            "texts.jsonl --run-name titles --json",
        ),
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="generated texts: delimited text as generate writes it, CSV, JSON Lines or Parquet",
    )
    parser.add_text_option(
        "--dataset",
        f"the training text, repeatable: {DATASET_HELP} (default: that of --run-name)",
        action="append",
        metavar="FILE",
    )
    parser.add_text_option(
        "--run-name",
        "a run to compare with the text that it was trained on, in place of --dataset",
        metavar="TEXT",
    )
    parser.add_config(CheckConfig)
    parser.add_config(DatasetConfig, "column", "encoding")
    parser.add_config(RunConfig, "checkpoint_dir")
    return parser


def run(options: Namespace) -> int:
    """Compare the texts, and print the report."""
    config, data = config_from(CheckConfig, options), config_from(DatasetConfig, options)
    datasets = getattr(options, "dataset", None)
    if (datasets is None) == ("run_name" not in options):
        given = "both" if datasets else "neither"
        raise OptionError(f"set --dataset or --run-name to the training text: got {given}")
    if datasets is None and (ignored := [n for n in ("column", "encoding") if n in options]):
        raise OptionError(f"{ignored[0]} needs --dataset: the run's record has its own")

    from gpt2_helpers.checkpoint.run_folder import RunFolder
    from gpt2_helpers.evaluation.generated_files import read_generated
    from gpt2_helpers.evaluation.memorization_check import check_texts
    from gpt2_helpers.evaluation.overlap_report import as_json, as_lines
    from gpt2_helpers.evaluation.training_text import TrainingData
    from gpt2_helpers.system.progress import show_bytes

    for dataset in datasets or ():
        check_files(dataset)
    if datasets:
        training = TrainingData([(dataset, data.column) for dataset in datasets], data.encoding)
    else:
        folders = config_from(RunConfig, options)
        training = TrainingData.of_run(RunFolder(folders.checkpoint_dir, folders.run_name))
    texts = read_generated(options.files, config.generated_column)
    report = show_bytes(check_texts(texts, training), f"comparing {len(texts):,} texts")
    for note in report.notes:
        print_status(note)
    if config.json:
        print(json.dumps(as_json(report), indent=1))
    else:
        print("\n".join(as_lines(report, config.examples)))
    return DONE
