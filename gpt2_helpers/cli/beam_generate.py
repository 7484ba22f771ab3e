"""gpt2-helpers beam-generate: generate many texts on many workers."""

from __future__ import annotations

from argparse import Namespace

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
from gpt2_helpers.cli.generate import OutputConfig
from gpt2_helpers.cli.parser import Parser, config_from, field_of
from gpt2_helpers.config import PRESET, BeamOutputConfig, BulkConfig, SamplingConfig
from gpt2_helpers.errors import OptionError
from gpt2_helpers.fields import fields_of
from gpt2_helpers.web.config import ServeConfig

SUMMARY = "generate many texts on many workers, with Apache Beam"


def parser() -> Parser:
    """The parser of its arguments."""
    parser = Parser(
        "beam-generate",
        "",
        "Generate texts on many workers, into numbered files or a BigQuery table. The same\n"
        "command resumes it, with the same texts. Options that are not listed go to Beam.",
        (
            "--model-name tiny --prompts prompts.txt --destination-path out/texts.jsonl --length 24"
            f" --seed 1 {LOCAL_EXAMPLE}",
            "--run-name titles --nsamples 20000 --seed 1 --length 60 --batch-size 20",
        ),
    )
    parser.add_text_option(
        "--prefix",
        "prompt that the texts continue; can be repeated (default: no prompt)",
        action="append",
        metavar="TEXT",
    )
    parser.add_field(field_of(OutputConfig, "prompts"))
    parser.add_config(BulkConfig, "prompts_column")
    model_options.add_model_options(parser)
    names = [field.name for field in fields_of(SamplingConfig) if field.name != "prompt_prefix"]
    parser.add_config(SamplingConfig, *names, defaults=PRESET)
    default_text = field_of(ServeConfig, "prompt_prefix").default_text
    parser.add_field(field_of(SamplingConfig, "prompt_prefix", default_text=default_text))
    parser.add_config(BeamOutputConfig)
    add_table_options(parser)
    model_options.add_loading_options(parser)
    add_beam_options(parser)
    return parser


def run(options: Namespace) -> int:
    """Run the pipeline and print how many texts there are."""
    sampling = config_from(SamplingConfig, options, PRESET)
    output, table = config_from(BeamOutputConfig, options), table_from(options)
    if sampling.seed is None:
        raise OptionError(
            "seed is missing: set a number, so that the command can be started again and ends with "
            "the same texts"
        )
    prefixes: list[str] = getattr(options, "prefix", [])
    file: str | None = getattr(options, "prompts", None)
    if sum(map(bool, (prefixes, file, table))) > 1:
        raise OptionError("use only one of prefix, prompts and table")
    if file is None and "prompts_column" in options:
        raise OptionError("prompts_column needs prompts, a file with that column")

    from gpt2_helpers.beam.runner import make_options

    beam_options = make_options(getattr(options, BEAM_OPTIONS))

    import apache_beam as beam

    from gpt2_helpers.beam.generate import plan_generation
    from gpt2_helpers.beam.text_inputs import TextInput

    source = TextInput(
        tuple(prefixes) if prefixes or file or table else ("",),
        (file,) if file else (),
        getattr(options, "prompts_column", None),
        table,
    )
    model = model_from(options, output, beam_options)
    job, transform = plan_generation(source, model, sampling, output)
    counters = run_job(beam_options, lambda pipeline: pipeline | beam.Create([job]) | transform)
    print(describe_texts(output, counters))
    return DONE
