"""gpt2-helpers beam-encode: tokenize a large dataset on many workers."""

from __future__ import annotations

from argparse import Namespace

from gpt2_helpers.cli.beam_options import (
    BEAM_OPTIONS,
    LOCAL_EXAMPLE,
    add_beam_options,
    add_table_options,
    run_job,
    table_from,
)
from gpt2_helpers.cli.command import DATASET_HELP, DONE, print_status
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import MODEL_NAMES, BeamEncodeConfig, DatasetConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import fields_of

SUMMARY = "tokenize a large dataset on many workers, with Apache Beam"
_NOT_IN_PARTS = ("combine", "legacy_tokens")


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "beam-encode",
        "DATASET...",
        "Tokenize a dataset on many workers, into files with an index that finetune accepts. The\n"
        "same command resumes it. Options that are not listed here are passed on to Beam.",
        (
            f"stories/ --out-path stories.tokens {LOCAL_EXAMPLE}",
            "gs://bucket/texts/*.jsonl --out-path gs://bucket/texts.tokens --runner=DataflowRunner",
        ),
    )
    parser.add_argument("datasets", metavar="DATASET", nargs="*", help=DATASET_HELP)
    parser.add_config(BeamEncodeConfig)
    help = f"model whose tokenizer is used: {', '.join(MODEL_NAMES)}"
    parser.add_field(field_of(RunConfig, "model_name", help=help))
    parser.add_config(RunConfig, "model_dir")
    names = [field.name for field in fields_of(DatasetConfig) if field.name not in _NOT_IN_PARTS]
    parser.add_config(DatasetConfig, *names)
    add_table_options(parser)
    add_beam_options(parser)
    return parser


def run(options: Namespace) -> int:
    """Run the pipeline and print a report."""
    data, run = config_from(DatasetConfig, options), config_from(RunConfig, options)
    config, table = config_from(BeamEncodeConfig, options), table_from(options)
    datasets = getattr(options, "datasets", [])
    if bool(datasets) == (table is not None):
        raise OptionError("pass a dataset, or a BigQuery table with table and text_column")

    from gpt2_helpers.beam.runner import make_options

    beam_options = make_options(getattr(options, BEAM_OPTIONS))

    import apache_beam as beam

    from gpt2_helpers.beam.encode import EncodeDataset, plan_encoding
    from gpt2_helpers.checkpoint.model_folders import model_folder
    from gpt2_helpers.checkpoint.pretrained import download_if_missing
    from gpt2_helpers.tokenizer import Tokenizer

    download_if_missing(run, print_status)
    tokenizer = Tokenizer.load(model_folder(run.model_name, run.model_dir))
    job, parts = plan_encoding(
        datasets, tokenizer, data, config.out_path, config.part_mb << 20, table
    )
    if job.is_complete():
        job.clean_up()  # a kill may have left it
        print(f"{config.out_path} is complete already: nothing to do")
        return DONE
    encoding = EncodeDataset(job)
    counters = run_job(beam_options, lambda pipeline: pipeline | beam.Create(parts) | encoding)
    print("\n".join(job.describe(counters)))
    return DONE
