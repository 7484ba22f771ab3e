"""gpt2-helpers beam-score: score many texts on many workers."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from gpt2_helpers.cli import model_options
from gpt2_helpers.cli.beam_options import (
    BEAM_OPTIONS,
    LOCAL_EXAMPLE,
    add_beam_options,
    add_table_options,
    describe_texts,
    model_from,
    run_job,
    table_from,
)
from gpt2_helpers.cli.command import DONE
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import BeamOutputConfig, DatasetConfig, RunConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.evaluation.config import ScoreConfig
from gpt2_helpers.fields import ValidatedConfig, option

SUMMARY = "score many texts on many workers, with Apache Beam"


_OF_DATASET = ("column", "encoding")  # options that say how the training text is read


@dataclass(frozen=True)
class BeamScoreConfig(ValidatedConfig):
    """Which texts are scored, and what they are compared with."""

    texts_column: str | None = option(
        None, "column or key of the texts to score", default_text="text, or the only one"
    )
    dataset: str | None = option(
        None,
        "training text to look for copies in; it is read once for each file of results",
        default_text="none",
    )


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "beam-score",
        "FILE...",
        "Measure how well a model predicts each of many texts, and with --dataset what is copied.\n"
        "The same command resumes it. Options that are not listed here are passed on to Beam.",
        (
            f"--run-name run1 'out/texts-*.jsonl' --destination-path scores.jsonl {LOCAL_EXAMPLE}",
            "--model-name tiny titles.csv --dataset data/titles.csv --column title",
        ),
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="generated texts, or a table, JSON Lines or Parquet file; folder, quoted glob or URL",
    )
    parser.add_config(BeamScoreConfig)
    help = "where the texts of the training text's records are"
    parser.add_field(field_of(DatasetConfig, "column", help=help))
    parser.add_config(DatasetConfig, "encoding")
    model_options.add_model_options(parser)
    parser.add_config(ScoreConfig)
    parser.add_config(BeamOutputConfig)
    add_table_options(parser)
    parser.add_config(RunConfig, "checkpoint_dir", "model_dir")
    add_beam_options(parser)
    return parser


def run(options: Namespace) -> int:
    """Run the pipeline and print how many texts there are."""
    scoring, config = config_from(ScoreConfig, options), config_from(BeamScoreConfig, options)
    output, table = config_from(BeamOutputConfig, options), table_from(options)
    data = config_from(DatasetConfig, options)
    files: list[str] = getattr(options, "files", [])
    if bool(files) == (table is not None):
        raise OptionError("pass files of texts, or a BigQuery table with table and text_column")
    if table is not None and config.texts_column is not None:
        raise OptionError("texts_column is for files: the column of a table is text_column")
    if config.dataset is None and (given := [n for n in _OF_DATASET if n in options]):
        raise OptionError(f"{given[0]} needs dataset, the training text to look for copies in")

    from gpt2_helpers.beam.runner import make_options

    beam_options = make_options(getattr(options, BEAM_OPTIONS))

    import apache_beam as beam

    from gpt2_helpers.beam.score import plan_scoring
    from gpt2_helpers.beam.text_inputs import TextInput
    from gpt2_helpers.evaluation.training_text import TrainingData

    training = None
    if config.dataset is not None:
        training = TrainingData([(config.dataset, data.column)], data.encoding)
    source = TextInput((), tuple(files), config.texts_column, table, is_prompts=False)
    model = model_from(options, output, beam_options)
    job, transform = plan_scoring(source, model, scoring, output, training)
    counters = run_job(beam_options, lambda pipeline: pipeline | beam.Create([job]) | transform)
    print(describe_texts(output, counters))
    return DONE
